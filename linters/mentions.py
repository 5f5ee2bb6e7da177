"""What a statement names: tables, columns, and all columns of a table at once."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from linters.frozen import Frozen
from linters.values import Name


class Manner(enum.StrEnum):
    """How a statement uses a column, or a table; the first one that holds."""

    WRITES = "writes"
    READS = "reads"
    READS_ALL = "reads all columns"
    UNKNOWN = "cannot be read"


class Column(Frozen):
    """A column as a statement names it. `of`: the tables that it may be of; empty for any in the statement."""

    name: str
    of: tuple[Name, ...] = ()
    written: bool = False


class Mentioned(Frozen):
    """What a statement names.

    Args:
        tables: those that it reads or writes.
        columns: those that it names.
        stars: tables of which it reads whatever columns they have: `*`, a whole row, a natural join.
        unlisted: tables that it writes to without saying which columns.
        copied: tables of which it only writes out the rows, as a backup does, with whatever columns they have.
        folded: names are compared without regard to case.
    """

    tables: tuple[Name, ...]
    columns: tuple[Column, ...] = ()
    stars: tuple[Name, ...] = ()
    unlisted: tuple[Name, ...] = ()
    written: tuple[Name, ...] = ()
    copied: tuple[Name, ...] = ()
    folded: bool = False

    def manner(self, table: Name, column: str | None = None) -> Manner | None:
        """How it uses a column of a table, or the table where none is given; None: not at all.

        What could be meant counts: a column without its table is that of any table in the statement, and a table
        without its schema is in any.
        """
        if not any(self._same(table, found) for found in self.tables):
            return Manner.READS_ALL if any(self._same(table, found) for found in self.copied) else None
        if column is None:
            return Manner.WRITES if any(self._same(table, found) for found in self.written) else Manner.READS
        used = list(self._uses(table, column))
        if True in used or any(self._same(table, found) for found in self.unlisted):
            return Manner.WRITES
        if used:
            return Manner.READS
        return Manner.READS_ALL if any(self._same(table, found) for found in self.stars) else None

    def _uses(self, table: Name, column: str) -> Iterator[bool]:
        for found in self.columns:
            named = self._fold(found.name) == self._fold(column)
            if named and (not found.of or any(self._same(table, of) for of in found.of)):
                yield found.written

    def _same(self, table: Name, found: Name) -> bool:
        schema = found.schema in ("", table.schema) or self._fold(found.schema) == self._fold(table.schema)
        return schema and self._fold(found.name) == self._fold(table.name)

    def _fold(self, name: str) -> str:
        return name.casefold() if self.folded else name


def mentioned(sql: str, dialect: str) -> Mentioned:
    """What a statement names; `sql` as the server counts it, with its values replaced.

    Raises:
        ValueError: it cannot be read, in one line.
    """
    if dialect == "postgresql":
        from linters.postgresql.mentions import mentioned as read
    else:
        from linters.mysql.mentions import mentioned as read
    return read(sql)


def may_use(sql: str, column: str, dialect: str) -> bool:
    """Whether it is worth reading a statement for a column: to read one of MySQL takes milliseconds."""
    if dialect == "postgresql":
        return True
    folded = sql.casefold()
    return column.casefold() in folded or "*" in sql or "natural" in folded or folded.lstrip()[:7] in UNLISTED


UNLISTED = ("insert ", "replace", "execute", "prepare")
"""How statements begin that may write to a column without naming it."""
