"""The questions an operation asks of a database family.

Operations say what is to change; a dialect says with which statements, under
which locks, and which of them can share a transaction. A second family is a
second module beside `postgresql`, and no operation changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from phases.catalog import Catalog, Column, Constraint, Definition, Index, Server, Table, Volatility
from phases.dual_write import DualWrite, NullFill, SplitWrite, TableCopy, ValueMap
from phases.model import Fill, Lock, Loss, Step, TableName
from phases.sql import Expressions


@dataclass(frozen=True, slots=True)
class Change:
    """One statement and the table locks it takes.

    `done` and `otherwise` are of statements that commit by themselves, as in `phases.model.Script`.
    """

    sql: str
    locks: tuple[Lock, ...] = ()
    done: str = ""
    otherwise: str = ""


Changes = tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class TypeChange:
    """A change from one type to another.

    Args:
        free: one ALTER does it, which neither rewrites nor reads the table.
        reversible: casting back gives every value again, or raises.
        keeps_values: every value can be cast without loss, though perhaps not back.
        cast: what an expression is cast to, to be compared with the new column.
        equality_is_identity: of the new type.
        limited: an assignment to the new type can raise.
    """

    free: bool
    reversible: bool
    keeps_values: bool
    cast: str
    equality_is_identity: bool
    limited: bool


class Dialect(Protocol):
    """Builds changes and steps for one server."""

    @property
    def server(self) -> Server: ...
    @property
    def expressions(self) -> Expressions: ...
    @property
    def max_name_bytes(self) -> int: ...
    @property
    def requires_late(self) -> bool:
        """Whether a column that triggers fill becomes NOT NULL in the contract, and not before."""

    @property
    def attaches_unique(self) -> bool:
        """Whether a unique index becomes a constraint by a statement of its own; else it is one."""

    def admit(self, operation: object, catalog: Catalog) -> None:
        """Refuse an operation that there is not for this server, or not on such a table.

        Raises:
            Refused: with its name, and what to do instead.
        """

    def as_text(self, expression: str) -> str:
        """The value of an expression as text."""

    def row_address(self) -> str:
        """What a row without a key is known by."""

    def distinct(self, left: str, right: str) -> str:
        """Condition under which two values are not equal, where NULL equals NULL."""

    def type_text(self, type_: object) -> str:
        """Write a type as the server does; accepts text and SQLAlchemy types."""

    def type_name(self, type_: str) -> str:
        """A type as the catalog spells it.

        Raises:
            Refused: the text is not a type.
        """

    def type_change(self, old: str, new: str) -> TypeChange:
        """What a change of type costs and may lose."""

    def cast(self, expression: str, type_: str) -> str:
        """The value that a column of a type has once an expression is stored in it."""

    def volatility(self, expression: str) -> Volatility:
        """How often the value of an expression without columns may change."""

    def together(
        self,
        name: str,
        changes: Sequence[Change],
        *,
        undo: Sequence[Step] = (),
        loses: Loss | None = None,
        scans: bool = False,
        reprepares: bool = False,
        recreates: Sequence[str] = (),
        unread: bool = False,
        bounded: bool = False,
    ) -> Step:
        """Changes that become visible at once.

        Args:
            reprepares: the type of a column changes under its name, which statements that
                clients prepared before do not survive.
            recreates: what is dropped and created again, or replaced, for people to read.
            unread: the statements are the user's own, and what they lock is not known.
            bounded: undone where waiting and working together take longer than anybody may wait.
        """

    def build_index(self, table: TableName, name: str, create: str, *, undo: bool = True) -> Step:
        """Build an index without blocking writes. `create` is a plain CREATE INDEX statement."""

    def remove_index(self, table: TableName, index: Index, *, undo: Sequence[Step] = ()) -> Step:
        """Drop an index without blocking writes."""

    def index_statement(
        self,
        table: TableName,
        name: str,
        columns: Sequence[str],
        *,
        unique: bool,
        where: str | None,
        using: str,
        include: Sequence[str],
        only: bool = False,
    ) -> str:
        """Write a plain CREATE INDEX statement. A key in parentheses is an expression.

        `only`: of a partitioned table, without its partitions.
        """

    def build_partition_index(self, table: TableName, name: str, create: str) -> Step:
        """Build an index of a partition without blocking writes; undone only where no other index has it."""

    def attach_partition_index(self, partition: TableName, index: str, parent: TableName) -> Changes:
        """Make an index of a partition a part of the partitioned index `parent`."""

    def detach_partition(
        self, name: str, table: TableName, partition: TableName, referenced: Sequence[TableName]
    ) -> Step:
        """Detach. `referenced`: tables that foreign keys of the partitioned table reference."""

    def drop_constraint_if_exists(self, table: TableName, name: str) -> Changes: ...
    def attach_partition(self, name: str, table: Table, partition: Table, proof: Constraint) -> Step:
        """Attach where it was. `proof`: a valid CHECK of the partition, dropped once it has served."""

    def drop_partitioned_index(self, name: str, index: TableName, tables: Sequence[TableName]) -> Step:
        """Drop a partitioned index with all its parts. `tables`: the table and its partitions, from the top."""

    def fill(self, table: Table, assignments: Mapping[str, str], pending: str, *, target: str) -> Fill:
        """Backfill: assign expressions to columns where `pending` holds."""

    def verify(self, table: Table, mismatch: str, *, target: str, fault: str = "") -> Step:
        """Compare every row.

        Args:
            fault: what is wrong with a row where `mismatch` holds; nothing where two shapes of it differ.
        """

    def differs(self, column: Column, left: str, right: str) -> str:
        """Condition under which two values of a column's type are not the same bytes."""

    def column_definition(self, column: Column) -> str: ...
    def add_column(self, table: TableName, column: Column) -> Changes: ...
    def create_table(self, table: TableName, parts: Sequence[str], comment: str | None) -> Changes: ...
    def drop_table(self, table: TableName) -> Changes: ...
    def rename_table(self, table: TableName, new: str) -> Changes: ...
    def create_view(self, view: TableName, table: Table) -> Changes:
        """A view of a table under another name, which whoever may use the table may use in the same way."""

    def share_table(self, made: TableName, table: Table) -> Changes:
        """Give a table that was just created the owner and the privileges of another."""

    def drop_view(self, view: TableName) -> Changes: ...
    def swap_view(self, name: str, view: TableName, table: TableName) -> Step:
        """Drop a view of a table and give the table its name, at once."""

    def swap_back(self, view: TableName, table: Table) -> Changes:
        """Give a table its former name again, and the name of the view that it has to a view of it.

        Args:
            table: as it was under its former name.
        """

    def granted_apart(self, table: TableName, other: TableName) -> str:
        """Question for whoever may use a table, and not another name of it."""

    def drop_constraint_alone(self, table: TableName, constraint: str) -> Changes:
        """Drop a constraint of a table that nobody uses, naming no other table."""

    def functions_naming(self, table: TableName, known: Sequence[str]) -> str:
        """Question for functions whose text has the name of a table, but for known ones (`schema.name`)."""

    def functions_naming_columns(self, table: TableName, columns: Sequence[str], known: Sequence[str]) -> str:
        """Question for functions that name a column of a table, but for known ones (`schema.name`).

        Their text has the name, and that of the table, or they are of a trigger of the table or take its rows;
        or a trigger of the table gives them the name as an argument.
        """

    def published(self, table: TableName) -> str:
        """Question for whoever is sent the changes of a table under its name."""

    def drop_column(
        self, table: TableName, column: str, indexes: Sequence[str] = (), keys: Sequence[Constraint] = ()
    ) -> Changes:
        """Drop a column, and the foreign keys and indexes over it, as far as they are there."""

    def rename_column(self, table: TableName, old: str, new: str) -> Changes: ...
    def set_default(self, table: TableName, column: Column, expression: str) -> Changes: ...
    def alter_type(self, table: TableName, column: str, type_: str) -> Changes: ...
    def drop_default(self, table: TableName, column: Column) -> Changes: ...
    def stand_in(self, column: Column) -> str | None:
        """A default for a required column while a trigger gives its value, where statements could not leave it out."""

    def set_not_null(self, table: TableName, column: Column) -> Changes: ...
    def drop_not_null(self, table: TableName, column: Column) -> Changes: ...
    def move_sequence(self, table: TableName, source: Column, target: Column) -> Changes: ...
    def copy_column_properties(self, table: TableName, column: Column, target: str) -> Changes: ...
    def add_enum_value(self, enum: TableName, value: str, before: str | None, after: str | None) -> Changes: ...
    def rename_enum_value(self, enum: TableName, old: str, new: str) -> Changes:
        """Give a value another label: no row is touched, and what was compiled before has the other label."""

    def enum_value(self, enum: TableName, value: str) -> str:
        """A value of an enum type as an expression."""

    def check_enum_uses(self, enum: TableName, columns: Sequence[tuple[TableName, str]]) -> Changes:
        """Fail where anything but these columns can hold values of an enum type."""

    def functions_quoting(self, value: str, known: Sequence[str]) -> str:
        """Question for functions whose text has a value in quotes, but for known ones (`schema.name`)."""

    def map_value(self, link: ValueMap) -> Changes:
        """Keep a value out of a column."""

    def drop_value_map(self, link: ValueMap) -> Changes: ...
    def add_constraint(self, table: TableName, constraint: Constraint, name: str, definition: str) -> Changes: ...
    def add_exclusion(self, table: TableName, constraint: Constraint) -> Changes:
        """Add an exclusion constraint, which reads the table and builds an index behind an exclusive lock."""

    def without_operator_class(self, table: TableName, columns: Sequence[str], using: str) -> str:
        """Question for columns whose type an index of that method cannot have as it is."""

    def validate_constraint(self, table: TableName, name: str) -> Changes: ...
    def prove(self, table: Table, constraint: Constraint, name: str) -> Step:
        """Look at the rows that were there when a constraint was declared under a name."""

    def support(self, table: Table, constraint: Constraint) -> Sequence[Step]:
        """What a foreign key needs in its own table before it can be declared."""

    def comment_on_index(self, table: TableName, name: str, comment: str) -> Changes: ...
    def attach_index(self, table: TableName, constraint: Constraint, name: str, index: str) -> Changes: ...
    def drop_constraint(self, table: TableName, constraint: Constraint) -> Changes: ...
    def rename_constraint(self, table: TableName, old: str, new: str, constraint: Constraint | None = None) -> Changes:
        """Give a constraint another name. `constraint`: what it is, but for its name; None where it is NOT NULL."""

    def drop_index_inside(self, table: TableName, index: Index) -> Changes: ...
    def rename_index(self, table: TableName, old: str, new: str) -> Changes: ...
    def check_unchanged(self, parts: Sequence[Definition], *, in_place: bool) -> Changes:
        """Fail where something is no longer what the catalog says; `in_place`: of a view look at its query only."""

    def check_forgotten(self, table: TableName, column: str) -> Changes:
        """Fail where a view, policy, trigger, function or statistics reads a column."""

    def drop_defined(self, part: Definition) -> Changes: ...
    def create_defined(self, part: Definition) -> Changes: ...
    def replace_defined(self, part: Definition) -> Changes: ...
    def rehearse(self, changes: Sequence[Change]) -> Changes:
        """Carry changes out and take them back at once: whatever would fail fails."""

    def require_values(self, table: TableName, column: Column) -> Sequence[Step]:
        """Prove NOT NULL without blocking: declared first, scanned under a weak lock, then enforced."""

    def disagree(self, link: DualWrite, row: str = "") -> str:
        """Condition under which the two sides of a row do not say the same; `row` qualifies columns (`NEW.`)."""

    def dual_write(self, link: DualWrite) -> Changes: ...
    def redirect_dual_write(self, link: DualWrite) -> Changes:
        """Replace what an existing dual write does, without a table lock."""

    def drop_dual_write(self, link: DualWrite) -> Changes: ...
    def null_fill(self, link: NullFill) -> Changes: ...
    def drop_null_fill(self, link: NullFill) -> Changes: ...
    def split_differs(self, link: SplitWrite) -> str:
        """Condition under which a row of the first table and its row of the second do not say the same."""

    def without_parent(self, link: SplitWrite) -> str:
        """Condition under which a row of the second table has none in the first."""

    def copy_rows(self, table: Table, link: SplitWrite, *, target: str) -> Step:
        """Backfill: give the rows of the first table that have values, and no row in the second, one."""

    def feed_second(self, link: SplitWrite) -> Changes:
        """Carry what is written to the first table to the second."""

    def drop_feed_second(self, link: SplitWrite) -> Changes: ...
    def feed_first(self, link: SplitWrite) -> Changes:
        """Carry what is written to the second table to the first."""

    def drop_feed_first(self, link: SplitWrite) -> Changes: ...
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

    def copy_table(self, copy: TableCopy, *, target: str) -> Step:
        """Backfill: copy the rows that are not in the second table."""

    def follow(self, copy: TableCopy) -> Changes:
        """Carry what is written to the first table to the second."""

    def unfollow(self, copy: TableCopy) -> Changes: ...
    def switch(self, name: str, changes: Sequence[Change], order: Sequence[TableName], undo: Sequence[Step]) -> Step:
        """Changes that become visible at once, behind locks on views, then on tables in this order."""

    def hand_over_sequence(self, giver: TableName, taker: TableName, column: Column) -> Changes:
        """Give the sequence or identity of a column to the same column of another table."""

    def adopt_foreign_key(self, table: TableName, key: Constraint) -> Changes:
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
