"""What a table is to be like that is written again as a whole, and what that costs."""

from __future__ import annotations

from dataclasses import dataclass

from phases.catalog import Table
from phases.dual_write import Pairs


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """What a second table has that the first has not.

    Args:
        types: columns and the types they get, as text.
        up, down: expressions between the two, by column.
        not_null: columns that have to have a value.
        primary_key: columns of the key; empty where it stays.
        checks: names and conditions.
        collation: of the table and of its columns of text; empty where they stay.
        row_format: as `ROW_FORMAT` takes it; empty where it stays.
        partition_by: what follows `PARTITION BY`; empty where the table has no partitions.
    """

    types: Pairs = ()
    up: Pairs = ()
    down: Pairs = ()
    not_null: tuple[str, ...] = ()
    primary_key: tuple[str, ...] = ()
    checks: Pairs = ()
    collation: str = ""
    row_format: str = ""
    partition_by: str = ""


@dataclass(frozen=True, slots=True)
class Effort:
    """What is written for a change: rows and entries of indexes, each as often as it is.

    Args:
        passes: over the rows, in words.
        written: rows and entries of indexes.
    """

    passes: str
    written: int


def one_copy(table: Table) -> Effort:
    """All changes at once, in a second table: its rows, and its indexes."""
    return Effort("one copy", table.rows * (1 + secondary(table)))


def column_by_column(table: Table, wanted: Rebuilding) -> Effort:
    """The same changes one after another, each online, as far as they could be.

    A column of another type is backfilled (a row is written twice: as it is, and as it was, to be undone) and indexed;
    NOT NULL, a primary key and a row format write the table with all its indexes again.
    """
    retyped = {name for name, _ in wanted.types}
    indexes = sum(1 for index in table.indexes if retyped & set(index.columns))
    rebuilds = len(wanted.not_null) + bool(wanted.primary_key) + bool(wanted.row_format)
    rows = 2 * len(retyped) + indexes + rebuilds * (1 + secondary(table))
    named = {"backfill": len(retyped), "index": indexes, "online rebuild": rebuilds}
    words = [f"{count} {word if count == 1 else PLURALS[word]}" for word, count in named.items() if count]
    return Effort(", ".join(words), table.rows * rows)


PLURALS = {"backfill": "backfills", "index": "indexes", "online rebuild": "online rebuilds"}


def secondary(table: Table) -> int:
    return sum(1 for index in table.indexes if index.name != "PRIMARY")


def compared(table: Table, wanted: Rebuilding) -> str:
    """Which of the two ways costs less, in words."""
    copy, single = one_copy(table), column_by_column(table, wanted)
    if wanted.checks or wanted.collation or wanted.partition_by:
        what = "a CHECK" if wanted.checks else "another collation" if wanted.collation else "partitions"
        return f"one copy writes {copy.written:,} rows and index entries; {what} could not be had column by column"
    both = f"one copy writes {copy.written:,} rows and index entries"
    sides = f"{both}; column by column ({single.passes}) {single.written:,}"
    if single.written < copy.written:
        return f"{sides}, which is less: SetNotNull, AddPrimaryKey or ChangeType with to= can do it"
    return f"{sides}: the copy is chosen, because it writes no more"
