"""The questions an operation asks where rows live in two tables at a time: split, merged, or written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from phases.catalog import Column, Constraint, Index, Table
from phases.dialects.changes import Change, Changes
from phases.dual_write import SplitWrite, TableCopy
from phases.model import Fill, Step, TableName
from phases.rebuilding import Rebuilding


class TableDialect(Protocol):
    """The part of a dialect for two tables."""

    def split_differs(self, link: SplitWrite) -> str:
        """Condition under which a row of the first table and its row of the second do not say the same."""

    def split_twin(self, link: SplitWrite) -> tuple[str, ...]:
        """How chunks of the two tables are compared by hashes (`phases.model.Verify`); empty: not at all."""

    def without_parent(self, link: SplitWrite) -> str:
        """Condition under which a row of the second table has none in the first."""

    def level_second(self, table: Table, link: SplitWrite) -> Fill:
        """Backfill: make rows of the second table say what those of the first say.

        Not where the first says nothing and the second has to say something.
        """

    def level_first(self, table: Table, link: SplitWrite) -> Fill:
        """Backfill: make rows of the first table say what those of the second say; nothing where there is none."""

    def copy_rows(self, table: Table, link: SplitWrite, *, target: str) -> Step:
        """Backfill: give the rows of the first table that have values, and no row in the second, one."""

    def feed_second(self, link: SplitWrite) -> Changes:
        """Carry what is written to the first table to the second."""

    def drop_feed_second(self, link: SplitWrite) -> Changes: ...
    def feed_first(self, link: SplitWrite) -> Changes:
        """Carry what is written to the second table to the first."""

    def drop_feed_first(self, link: SplitWrite) -> Changes: ...
    def fetched(self, link: SplitWrite) -> Mapping[str, str]:
        """What a backfill of the first table assigns to its columns, beside `fetch_second`."""

    def deadlocks(self, first: TableName, second: TableName, holding: Sequence[str]) -> tuple[str, ...]:
        """Which statements lock the row of the second table before that of the first, as warnings.

        Args:
            holding: BEFORE triggers of the second table, which hold its row before ours do.
        """

    def fetch_second(self, link: SplitWrite) -> Changes:
        """Fetch what the second table has for rows of the first whose columns are set."""

    def drop_fetch_second(self, link: SplitWrite) -> Changes: ...
    def unpartitionable(self, table: TableName) -> str:
        """Question for what a table has, and no partitioned table can take over."""

    def create_partitioned(
        self,
        made: TableName,
        table: Table,
        key: str,
        constraints: Sequence[tuple[str, Constraint]],
        partitions: Sequence[tuple[TableName, str]],
    ) -> Changes:
        """Create a partitioned table with the columns of another, and its partitions.

        Args:
            key: `RANGE (columns)`, `LIST (column)` or `HASH (columns)`.
            constraints: keys, each with the name it gets.
            partitions: each with its bound.
        """

    def missing_from(self, rows: TableName, other: TableName, copy: TableCopy) -> str:
        """Condition under which a row of `rows` is not in `other`, or not the same there."""

    def copy_twin(self, copy: TableCopy) -> tuple[str, ...]:
        """How chunks of the two tables are compared by hashes (`phases.model.Verify`); empty: not at all."""

    def copy_table(self, copy: TableCopy, *, target: str) -> Fill:
        """Backfill: copy the rows that are not in the second table."""

    def remove_strays(self, rows: TableName, whole: TableName, copy: TableCopy) -> Fill:
        """Backfill: delete rows of a copy that are not the same in the table, to be copied again.

        Args:
            rows: the copy, or a partition of it.
            whole: the table.
        """

    def follow(self, copy: TableCopy) -> Changes:
        """Carry what is written to the first table to the second."""

    def unfollow(self, copy: TableCopy) -> Changes: ...
    def switch(self, name: str, changes: Sequence[Change], order: Sequence[TableName], undo: Sequence[Step]) -> Step:
        """Changes that become visible at once, behind locks on views, then on tables in this order."""

    def rebuild(
        self, table: Table, draft: TableName, made: TableName, wanted: Rebuilding
    ) -> tuple[Table, Changes, Sequence[Index]]:
        """What a table is once it is written again, and how a second, empty one is made that is like that.

        Args:
            draft: name of the second table until it is complete, and `made` its name then.

        Returns:
            The table as it will be, under its own name; the changes; and indexes that are built once there are rows.

        Raises:
            Refused: the table cannot be copied, or not like that.
        """

    def exchange(self, table: TableName, aside: TableName, made: TableName) -> Changes:
        """Give a table the name `aside`, and `made` its name, at once."""

    def level_numbers(self, table: TableName, made: TableName) -> Changes:
        """Let the numbers that a second table gives to its rows go on where those of the first are."""

    def hand_over_sequence(self, giver: TableName, taker: TableName, column: Column) -> Changes:
        """Give the sequence or identity of a column to the same column of another table."""

    def adopt_foreign_key(self, table: TableName, partitions: Sequence[TableName], key: Constraint) -> Changes:
        """Add a foreign key to a partitioned table whose partitions all have it, validated."""

    def analyze(self, table: TableName) -> Changes: ...
    def check_alone(self, gone: TableName, came: TableName) -> Changes:
        """Fail where something hangs on table `gone`, or where it has other columns than `came`."""

    def draw_second(self, link: SplitWrite) -> Changes:
        """Let whoever writes to a row of the first table whose columns are empty fill it from the second."""

    def drop_draw_second(self, link: SplitWrite) -> Changes: ...
    def push_second(self, link: SplitWrite) -> Changes:
        """Bring a row of the second table in line when columns of the first are set; beside `feed_second`."""

    def drop_push_second(self, link: SplitWrite) -> Changes: ...
    def prune_second(self, link: SplitWrite) -> Changes:
        """Delete a row of the second table that has none in the first, when its key is set."""

    def drop_prune_second(self, link: SplitWrite) -> Changes: ...
