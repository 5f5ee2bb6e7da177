"""The SQL of walking a table of MySQL or MariaDB: by its key, in the order of the key.

Rows of InnoDB lie in the order of the primary key, and have no address of their own. Keys are
compared by the server alone, under the collation of their columns: no client knows it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from phases.catalog import Column, Server, Table
from phases.dialects.mysql_statements import literal
from phases.dialects.postgresql_backfill import KeySpan, KeyWalk
from phases.errors import Refused
from phases.model import Fill
from phases.sql import identifier, qualified

NUMBERS = ("tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year")
TEXTS = (
    "char",
    "varchar",
    "tinytext",
    "text",
    "mediumtext",
    "longtext",
    "date",
    "datetime",
    "timestamp",
    "time",
    "uuid",
)
BYTES = ("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob")

PRIMARY = "PRIMARY"
"""Name of the index that has the rows."""

WHOLE = re.compile(r"-?\d+")
NUMBER, TEXT, HEX = "#", "'", "x"
"""What stands before a quoted column of a key: how its value is written, and read back."""


def base_type(type_: str) -> str:
    """The first word of a type as the server writes it."""
    return type_.split("(")[0].split(" ")[0].lower()


def key_of(table: Table) -> tuple[str, ...]:
    """The key by which a table can be walked, each column marked with how its values are written.

    Raises:
        Refused: the table has no key of columns that are never NULL, or one of a type whose order and
            text do not agree.
    """
    key = table.row_key()
    if not key:
        raise Refused(
            f'"{table.name}" has no primary key, and no unique key of NOT NULL columns: its rows cannot be told apart,'
            " so they can be neither changed nor compared in small transactions",
            remedy="give it one first, while it is used: ALTER TABLE … ADD COLUMN id bigint NOT NULL AUTO_INCREMENT"
            " PRIMARY KEY blocks writes; a unique index over NOT NULL columns does not",
        )
    return tuple(marked(table.column(name), table) for name in key)


def marked(column: Column, table: Table) -> str:
    kind = base_type(column.type)
    for mark, types in ((NUMBER, NUMBERS), (TEXT, TEXTS), (HEX, BYTES)):
        if kind in types:
            return f"{mark}{identifier(column.name)}"
    raise Refused(
        f'the key of "{table.name}" has a column of type {column.type} ("{column.name}"), which does not sort as it'
        " is written",
        remedy="add a unique index over NOT NULL columns of numbers, text, times or bytes",
    )


def index_of(table: Table) -> str:
    """The index that a walk along the key has to use; empty where it is not the primary key.

    By statistics that are older than the rows, a table is so small that each batch would read, and lock, all of it.
    """
    return PRIMARY if table.primary_key() else ""


def forcing(index: str) -> str:
    return f" FORCE INDEX ({index})" if index else ""


@dataclass(frozen=True, slots=True)
class Keys:
    """The columns of a key, and values of it in SQL.

    Args:
        columns: as `key_of` gives them.
    """

    columns: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column[1:] for column in self.columns)

    def texts(self, row: str = "") -> str:
        """The key of a row as texts, column by column."""
        return ", ".join(
            f"HEX({row}{column[1:]})" if column[0] == HEX else f"CAST({row}{column[1:]} AS CHAR)"
            for column in self.columns
        )

    def constants(self, values: Sequence[str]) -> list[str]:
        return [self._constant(column[0], value) for column, value in zip(self.columns, values, strict=True)]

    @staticmethod
    def _constant(mark: str, value: str) -> str:
        if mark == NUMBER:
            return value
        return f"X{literal(value)}" if mark == HEX else literal(value)

    def equal(self, values: Sequence[str]) -> str:
        pairs = zip(self.names, self.constants(values), strict=True)
        return " AND ".join(f"{name} = {constant}" for name, constant in pairs)

    def beyond(self, values: Sequence[str], operator: str, *, equal: bool = False) -> str:
        """Condition: the key of a row is greater (`>`) or smaller (`<`) than this one, or `equal` to it.

        Written out column by column: not every version uses an index for a comparison of rows.
        """
        constants = self.constants(values)
        branches = []
        for last in range(len(self.names)):
            same = [f"{self.names[i]} = {constants[i]}" for i in range(last)]
            end = operator + ("=" if equal and last == len(self.names) - 1 else "")
            branches.append(" AND ".join([*same, f"{self.names[last]} {end} {constants[last]}"]))
        if len(branches) == 1:
            return branches[0]
        bound = f"{self.names[0]} {operator}= {constants[0]}"
        return f"({bound} AND ({' OR '.join(f'({branch})' for branch in branches)}))"

    def order(self, direction: str = "") -> str:
        return ", ".join(f"{name}{direction}" for name in self.names)


@dataclass(frozen=True, slots=True)
class MySQLKeyWalk(KeyWalk):
    """Ranges of the key in its order.

    Args:
        claims: lock the rows of a batch first, all or none, without waiting. MariaDB can be told not to wait for
            rows, MySQL only for a second, with the rows before them locked.
    """

    claims: bool = False

    @property
    def _keys(self) -> Keys:
        return Keys(self.step.key)

    @property
    def _table(self) -> str:
        # Rows are copied from the table under this name: the columns of its copy have the same.
        return f"{qualified(self.step.table)}{' AS here' if self.step.copy else ''}"

    @property
    def _ranged(self) -> str:
        """The same, where rows are looked for along the key."""
        return self._table + forcing(self.step.index)

    def _inside(self, after: Sequence[str], upto: Sequence[str], *, equal: bool) -> str:
        if after == upto:  # a range looks at the row behind its end, too, which another session may hold
            return self._keys.equal(upto)
        end = self._keys.beyond(upto, "<", equal=equal)
        return f"{self._keys.beyond(after, '>')} AND {end}" if after else end

    @property
    def source(self) -> str:
        return self._ranged

    def texts(self) -> str:
        return self._keys.texts()

    def estimate(self) -> str:
        name, schema = literal(self.step.table.name), literal(self.step.table.schema)
        return (
            "SELECT COALESCE(MAX(table_rows), 0) FROM information_schema.tables"
            f" WHERE table_schema = {schema} AND table_name = {name}"
        )

    def inside(self, after: Sequence[str], upto: Sequence[str] | None) -> str:
        bounds = [self._keys.beyond(after, ">")] if after else []
        bounds += [self._keys.beyond(upto, "<", equal=True)] if upto is not None else []
        return " AND ".join(bounds) or "TRUE"

    def _update(self, where: str) -> str:
        if self.step.copy:
            head, join, absent, locking, _ = self.step.copy
            return f"{head} {join} WHERE {where} AND {absent} {locking}"
        # `pending` may fail as well: the rows it is asked about are always narrowed down, too.
        return f"UPDATE {self._ranged} SET {self.step.assignments} WHERE {where} AND ({self.step.pending})"

    def _claim(self, where: str) -> str:
        if not self.claims or self.step.copy:  # rows that are copied are read without waiting
            return ""
        rows = f"FROM {self._ranged} WHERE {where} AND ({self.step.pending})"
        return f"SELECT COUNT(*) {rows} FOR UPDATE NOWAIT"

    def claim(self, span: KeySpan) -> str:
        return self._claim(self._inside(*span, equal=True))

    def claim_again(self, key: Sequence[str]) -> str:
        return self._claim(self._keys.equal(key))

    def left(self) -> str:
        return f"SELECT EXISTS (SELECT 1 FROM {self._table} WHERE {self.step.pending})"

    def one_left(self) -> str:
        return f"SELECT {self._keys.texts()} FROM {self._table} WHERE {self.step.pending} LIMIT 1"

    def still_left(self, key: Sequence[str]) -> str:
        return f"{self.named(key)} AND ({self.step.pending})"

    def again(self, key: Sequence[str]) -> str:
        return self._update(self._keys.equal(key))

    def named(self, key: Sequence[str]) -> str:
        return f"SELECT {self._keys.texts()} FROM {self._table} WHERE {self._keys.equal(key)}"

    def end(self) -> str:
        return f"SELECT {self._keys.texts()} FROM {self._ranged} ORDER BY {self._keys.order(' DESC')} LIMIT 1"

    def whole(self, key: Sequence[str]) -> int | None:
        known = len(key) == 1 and self.step.key[0][0] == NUMBER and WHOLE.fullmatch(key[0])
        return int(key[0]) if known else None

    def next(self, after: Sequence[str], last: Sequence[str], rows: int) -> str:
        where = self._inside(after, last, equal=False)
        order = self._keys.order()
        return f"SELECT {self._keys.texts()} FROM {self._ranged} WHERE {where} ORDER BY {order} LIMIT {rows - 1}, 1"

    def batch(self, span: KeySpan) -> str:
        after, upto = span
        return self._update(self._inside(after, upto, equal=True))

    @property
    def key_names(self) -> tuple[str, ...]:
        return self._keys.names

    @property
    def _digest(self) -> str:
        # JSON keeps NULL apart from a text, and one column from the next.
        return f"SHA2(JSON_ARRAY({', '.join(self.step.reads)}), 256)"

    def _given(self, where: str) -> str:
        columns = ", ".join((*self._keys.names, *self.step.reads))
        rows = f"FROM {self._ranged} WHERE {where} AND ({self.step.pending})"
        return f"SELECT {self._keys.texts()}, {self._digest}, {columns} {rows}"

    def given(self, span: KeySpan) -> str:
        return self._given(self._inside(*span, equal=True))

    def given_again(self, key: Sequence[str]) -> str:
        return self._given(self._keys.equal(key))

    def written(self, rows: Sequence[Sequence[Any]]) -> tuple[str, tuple[tuple[Any, ...], ...]]:
        """A statement for each row: what a list of rows is compared with would have a collation of its own."""
        marks = [column[0] for column in self.step.key]
        same = " AND ".join(
            f"{name} = {'UNHEX(%s)' if mark == HEX else '%s'}"
            for name, mark in zip(self._keys.names, marks, strict=True)
        )
        sets = ", ".join(f"{column} = %s" for column in self.step.writes)
        pending, digest = (text.replace("%", "%%") for text in (self.step.pending, self._digest))
        sql = f"UPDATE {self._table} SET {sets} WHERE {same} AND {digest} = %s AND ({pending})"
        keys = len(self.step.key)

        def key(row: Sequence[Any]) -> list[Any]:
            return [Decimal(value) if mark == NUMBER else value for mark, value in zip(marks, row, strict=False)]

        return sql, tuple((*row[keys + 1 :], *key(row), row[keys]) for row in rows)

    def shortcut(self, span: KeySpan) -> tuple[str, str] | None:
        head, _, _, locking, other = self.step.copy or ("",) * 5
        if not other:
            return None
        inside = self._inside(*span, equal=True)
        return f"SELECT 1 FROM {other} AS here WHERE {inside} LIMIT 1", f"{head} WHERE {inside} {locking}"

    def row(self, span: KeySpan) -> str:
        return self.named(span[1])

    def middle(self, span: KeySpan) -> str:
        after, upto = span
        names, order = ", ".join(self._keys.names), self._keys.order()
        counted = f"row_number() OVER (ORDER BY {order}) AS number_, count(*) OVER () AS count_"
        inside = f"SELECT {names}, {counted} FROM {self._ranged} WHERE {self._inside(after, upto, equal=False)}"
        return f"SELECT {self._keys.texts()} FROM ({inside}) AS here WHERE number_ = (count_ + 1) DIV 2"


def walk_for(step: Fill, server: Server, stripes: int) -> MySQLKeyWalk:
    """The walk of a backfill: there is but one on these servers."""
    del stripes
    return MySQLKeyWalk(step, claims=server.family == "mysql")
