"""Dual writes as values: which columns mirror which, and how each is computed.

A dialect turns them into triggers. The rules they follow, in this order:

1. A statement that leaves both sides saying the same changes nothing.
2. UPDATE: the side that changed wins. INSERT: the side that is not what its
   default gives was written. Both sides carry the same default wherever that
   default is the same for both when evaluated twice in one statement (constant
   or stable), so an explicit NULL is told from a value that was not given.
3. Both sides written and different: the new side wins, unless the session says
   `SET migrator.writes = 'old'`.
4. Neither side written and the sides differ: the row is not filled yet, and is
   filled by this very statement. Without this rule an unrelated UPDATE would
   move an unfilled row behind the backfill, which would never see it again.

Two sides that are mapped by expressions say the same if the new one is what
`up` makes of the old, or the old one what `down` makes of the new: whoever
wrote last, the other side was computed from it. A mapping that loses something
is therefore applied once, to the side that was not written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from phases.catalog import Column, Volatility
from phases.model import TableName
from phases.sql import identifier

Pairs = tuple[tuple[str, str], ...]
"""Column and the expression it gets."""


@dataclass(frozen=True, slots=True)
class DualWrite:
    """Columns of one table that say the same in two shapes.

    Args:
        table: the table they are in.
        name: what tells this dual write from others of the table.
        olds, news: the columns of both sides.
        up: what each new column gets, over the old ones.
        down: what each old column gets, over the new ones.
        exact: the new side is always what `up` makes of the old one; nothing else need be asked.
        fallible: `up` or `down` can raise for a value. Such a value becomes NULL on the other
            side, so that no statement fails, and verification finds the row.
        fills_old: turns rule 4 around while a contract is being restored: then it is the old
            side that lags behind.
    """

    table: TableName
    name: str
    olds: tuple[Column, ...]
    news: tuple[Column, ...]
    up: Pairs
    down: Pairs
    exact: bool = False
    fallible: bool = False
    fills_old: bool = False

    @classmethod
    def renaming(cls, table: TableName, old: Column, new: Column, *, fills_old: bool = False) -> DualWrite:
        """Two columns that hold the same value under two names."""
        up, down = ((new.name, identifier(old.name)),), ((old.name, identifier(new.name)),)
        name = f"{old.name}.{new.name}"
        return cls(table, name, (old,), (new,), up, down, exact=True, fills_old=fills_old)

    @property
    def plain(self) -> bool:
        """Both sides hold the same value."""
        return self.up == tuple(
            (new.name, identifier(old.name)) for old, new in zip(self.olds, self.news, strict=False)
        )

    @property
    def nullable(self) -> bool:
        """Whether a row may have NULL on both sides."""
        return not all(column.not_null for column in self.olds) and not any(new.not_null for new in self.news)

    @property
    def unshareable(self) -> bool:
        """The old side gets a value by itself that the new side cannot be compared with."""
        return any(has_identity(c) or (c.default is not None and shared_default(c) is None) for c in self.olds)

    @property
    def has_identity(self) -> bool:
        return any(has_identity(column) for column in self.olds)

    def new_defaults(
        self, substitute: Callable[[str, dict[str, str]], str], cast: Callable[[str, str], str]
    ) -> dict[str, str]:
        """Default of each new column: what `up` makes of the defaults of the old ones.

        Args:
            substitute: puts expressions in the place of columns.
            cast: gives an expression a type.
        """
        given = {c.name: default for c in self.olds if (default := shared_default(c)) is not None}
        if not given or self.unshareable:
            return {}
        if self.plain:
            return {new.name: given[old.name] for old, new in zip(self.olds, self.news, strict=True)}
        values = {c.name: cast(given.get(c.name, "NULL"), c.type) for c in self.olds}
        return {name: substitute(expression, values) for name, expression in self.up}


def shared_default(column: Column) -> str | None:
    """The default that both sides can carry; None where evaluating it twice gives two values."""
    if column.default is None or column.default_volatility is Volatility.VOLATILE:
        return None
    return column.default


def has_identity(column: Column) -> bool:
    return column.sequence is not None and column.sequence.identity is not None


@dataclass(frozen=True, slots=True)
class NullFill:
    """A column that gets a value where a writer leaves it NULL.

    `expression` is over the table's other columns.
    """

    table: TableName
    name: str
    column: Column
    expression: str


@dataclass(frozen=True, slots=True)
class SplitWrite:
    """Columns of one table that live in a second table, too: one row each, by the key of the first.

    A row of the second table without a value says the same as no row.

    Args:
        table: the table that the columns are leaving.
        other: the table they go to.
        key: columns of the primary key, in `table` and in `other`.
        types: of these columns.
        columns: the columns that move, as they are in `other`.
        owner: quoted owner of both tables, for whom the triggers write.
    """

    table: TableName
    other: TableName
    key: Pairs
    types: tuple[str, ...]
    columns: tuple[Column, ...]
    owner: str

    @property
    def required(self) -> bool:
        """Whether a row of the second table has to have a value."""
        return any(column.not_null for column in self.columns)


@dataclass(frozen=True, slots=True)
class ValueMap:
    """A value of an enum type that no row of a column gets, whoever writes it.

    Args:
        table: the table of the column.
        column: exact name.
        enum: the type.
        value: what is not stored.
        stored: what is stored in its place, the first that is another value; empty: the statement is refused.
    """

    table: TableName
    column: str
    enum: TableName
    value: str
    stored: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableCopy:
    """A table whose rows are all in a second table, too, which follows what is written to the first.

    Args:
        table: the table that is written to.
        other: the one that follows it.
        key: columns of the primary key of both.
        columns: all columns that are stored, those of the key among them.
        owner: quoted owner of both tables, for whom the triggers write.
        parts: partitions of `table`.
        olds, news: the stored columns as they are in `table` and in `other`; empty where they are the same.
        up: what columns of `other` get, over those of `table`, where it is not their value.
        down: the way back.
        primary: whether `key` is the primary key of `table`, or perhaps not.
    """

    table: TableName
    other: TableName
    key: tuple[str, ...]
    columns: tuple[str, ...]
    owner: str
    parts: tuple[TableName, ...] = ()
    olds: tuple[Column, ...] = ()
    news: tuple[Column, ...] = ()
    up: Pairs = ()
    down: Pairs = ()
    primary: bool = False

    def reversed(self, table: TableName, other: TableName) -> TableCopy:
        """The way back: `table` has the shape of `other`, and the other way round."""
        sides = replace(self, table=table, other=other, olds=self.news, news=self.olds)
        return replace(sides, up=self.down, down=self.up, primary=False)
