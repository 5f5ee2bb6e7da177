"""The SQL of walking a PostgreSQL table: by heap pages, or by key.

Pages need no key and see every row. Inside a window of pages the rows are taken
in stripes: the first pass has to move its rows elsewhere, but by the next one
the pages have been pruned and new versions stay where they are (HOT), which
halves WAL and keeps the table from doubling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phases.catalog import Server
from phases.model import Fill
from phases.sql import literal, qualified

TID_RANGE_SINCE = (14, 0)
LINE_POINTERS_PER_PAGE = 291
"""Most rows a page of 8 kB can hold (`MaxHeapTuplesPerPage`)."""
LINES_END = 2049
"""Behind the last line pointer of a page of any size that can be compiled in (32 kB: 1,169)."""

PageSpan = Sequence[int]
"""First page, page behind the last, stripe; for part of one page also first line, line behind the last."""
KeySpan = Sequence[Sequence[str]]
"""The key before the first row (empty: none), and the key of the last; twice the same: that row alone."""

ROW_FAULTS = ("21", "22", "23", "44", "P0")
"""Classes of SQLSTATE that blame the values of a row: a subquery of more than one row, data exceptions,
violated constraints and check options, and what functions and triggers raise (manual, "Error Codes")."""
TOO_LARGE = "54000"
"""Program limit exceeded: a value too long for an index."""


def blames_row(sqlstate: str) -> bool:
    """Whether an error is about the values of some row, so that other rows may still be changed."""
    return sqlstate[:2] in ROW_FAULTS or sqlstate == TOO_LARGE


@dataclass(frozen=True, slots=True)
class Walk:
    """What every walk can be asked about single rows and about the end."""

    step: Fill

    def claim(self, span: Any) -> str:
        """Question that locks the rows of a batch without waiting for any; empty where the batch does not wait."""
        return ""

    def claim_again(self, key: Sequence[str]) -> str:
        """The same of one row."""
        return self._claim(self._bound(key, "="))

    def _claim(self, where: str) -> str:
        if not self.step.claims:
            return ""
        rows = f"FROM ONLY {qualified(self.step.table)} WHERE {where} AND ({self.step.pending})"
        return f"SELECT count(*) FROM (SELECT {rows} FOR NO KEY UPDATE NOWAIT) AS claimed"

    def shortcut(self, span: Any) -> tuple[str, str] | None:
        """A question, and what does the same as `batch` with less where it has no answer; None: there is none."""
        return None

    @property
    def key_names(self) -> tuple[str, ...]:
        """The columns of the key, quoted."""
        return self.step.key

    def _given(self, where: str) -> str:
        """Question for rows a function is to compute: key as text, digest of what is read, key and what is read."""
        columns = ", ".join((*self.step.key, *self.step.reads))
        digest = f"md5(ROW({', '.join(self.step.reads)})::text)"
        table = qualified(self.step.table)
        return f"SELECT {self._texts()}, {digest}, {columns} FROM ONLY {table} WHERE {where} AND ({self.step.pending})"

    def given(self, span: Any) -> str:
        """The same, of the rows of a span."""
        raise TypeError("rows are computed along the key")

    def given_again(self, key: Sequence[str]) -> str:
        return self._given(self._bound(key, "="))

    def written(self, rows: Sequence[Sequence[Any]]) -> tuple[str, tuple[tuple[Any, ...], ...]]:
        """One statement for all rows: each its key as text, the digest of what was read, and its values."""
        step = self.step
        keys, values = step.types[: len(step.key)], step.types[len(step.key) :]
        row = ", ".join((*(f"%s::{kind}" for kind in keys), "%s", *(f"%s::{kind}" for kind in values)))
        names = [f"migrator_{number}" for number in range(len(step.types) + 1)]
        sets = ", ".join(f"{column} = given.{names[len(keys) + 1 + i]}" for i, column in enumerate(step.writes))
        same = " AND ".join(f"{column} = given.{name}" for column, name in zip(step.key, names, strict=False))
        digest = f"md5(ROW({', '.join(step.reads)})::text) = given.{names[len(keys)]}"
        fixed = (f"UPDATE ONLY {qualified(step.table)} SET {sets} FROM (VALUES ", same, digest, step.pending)
        head, same, digest, pending = (text.replace("%", "%%") for text in fixed)
        each = ", ".join([f"({row})"] * len(rows))
        sql = f"{head}{each}) AS given ({', '.join(names)}) WHERE {same} AND {digest} AND ({pending})"
        return sql, (tuple(value for given in rows for value in given),)

    @property
    def source(self) -> str:
        """The rows of the table, as a FROM clause takes them."""
        return f"ONLY {qualified(self.step.table)}"

    def texts(self) -> str:
        """What a row is known by, as texts, column by column."""
        return self._texts()

    def estimate(self) -> str:
        """Question for about how many rows the table has: as many on each page as there were when it was analyzed."""
        name = f"pg_catalog.to_regclass({literal(qualified(self.step.table))})"
        pages = "pg_catalog.pg_relation_size(oid) / current_setting('block_size')::int8"
        rows = f"CASE WHEN relpages > 0 THEN reltuples / relpages * ({pages}) ELSE reltuples END"
        return f"SELECT greatest({rows}, 0)::int8 FROM pg_catalog.pg_class WHERE oid = {name}"

    def left(self) -> str:
        """Question whether rows are still to do."""
        return f"SELECT EXISTS (SELECT FROM ONLY {qualified(self.step.table)} WHERE {self.step.pending})"

    def one_left(self) -> str:
        """Question for the key of a row that is still to do."""
        return f"{self._row(self.step.pending)} LIMIT 1"

    def still_left(self, key: Sequence[str]) -> str:
        """Question for the key of a row, where it is still to do."""
        return self._row(f"{self._bound(key, '=')} AND ({self.step.pending})")

    @property
    def _names(self) -> tuple[str, ...]:
        """What a row is known by; an address is good enough to try a row again, and moves with an UPDATE."""
        return self.step.key or ("ctid",)

    def _texts(self) -> str:
        return ", ".join(f"{column}::text" for column in self._names)

    def _bound(self, values: Sequence[str], operator: str) -> str:
        # The server casts the text back to the type of the column it is compared with.
        constants = ", ".join(literal(value) for value in values)
        return f"({', '.join(self._names)}) {operator} ({constants})"

    def _update(self, where: str) -> str:
        # `pending` may fail as well: the rows it is asked about are always narrowed down, too.
        if self.step.copy:
            head, tail = self.step.copy
            # Locked, a row is copied as it is by then, and cannot go before its copy is there.
            rows = f"FROM ONLY {qualified(self.step.table)} WHERE {where} AND ({self.step.pending})"
            return f"{head} {rows} FOR NO KEY UPDATE {tail}"
        return (
            f"UPDATE ONLY {qualified(self.step.table)} SET {self.step.assignments}"
            f" WHERE {where} AND ({self.step.pending})"
        )

    def _row(self, where: str) -> str:
        return f"SELECT {self._texts()} FROM ONLY {qualified(self.step.table)} WHERE {where}"

    def again(self, key: Sequence[str]) -> str:
        """Update one row, unless somebody else has brought it to the target shape."""
        return self._update(self._bound(key, "="))

    def named(self, key: Sequence[str]) -> str:
        """Question for the key of a row: no row where it is gone."""
        return self._row(self._bound(key, "="))


@dataclass(frozen=True, slots=True)
class PageWalk(Walk):
    """Windows of heap pages, `stripes` passes over each.

    Args:
        ranges: the server scans TID ranges (PostgreSQL 14 and later); before, the
            row addresses of a window are listed one by one, which any version looks up directly.
    """

    stripes: int
    ranges: bool

    def end(self) -> str:
        """Question for the number of pages the table has: the end of the walk."""
        regclass = f"{literal(qualified(self.step.table))}::regclass"
        return f"SELECT pg_catalog.pg_relation_size({regclass}) / current_setting('block_size')::int8"

    @property
    def file(self) -> str:
        """What is another number once the rows were written anew, to other pages."""
        return f"pg_catalog.pg_relation_filenode({literal(qualified(self.step.table))}::regclass)::int8"

    def inside(self, first: int, last: int) -> str:
        """Condition of the rows of some pages."""
        return self._where(first, last, 0)

    def claim(self, span: PageSpan) -> str:
        return self._claim(self._where(*span))

    def batch(self, span: PageSpan) -> str:
        """Update one stripe of some pages, or of some lines of one page."""
        return self._update(self._where(*span))

    def row(self, span: PageSpan) -> str:
        """Question for the key of the row of a span that cannot be halved."""
        return self._row(self._where(*span))

    def halves(self, span: PageSpan) -> list[list[int]]:
        """Two spans that make up one; none where it is a single line."""
        first, last, stripe, *lines = span
        if last - first > 1:
            middle = (first + last) // 2
            return [[first, middle, stripe], [middle, last, stripe]]
        low, high = lines or (1, LINES_END)
        middle = (low + high) // 2
        return [[first, last, stripe, low, middle], [first, last, stripe, middle, high]] if middle > low else []

    def _where(self, first: int, last: int, stripe: int, low: int = 0, high: int = 0) -> str:
        if self.ranges:
            end = f"({first},{high})" if high else f"({last},0)"
            rows = f"ctid >= '({first},{low})'::tid AND ctid < '{end}'::tid"
        else:
            lines = (low, high - 1) if high else (1, LINE_POINTERS_PER_PAGE)
            rows = (
                "ctid = ANY (ARRAY(SELECT ('(' || page || ',' || line || ')')::tid"
                f" FROM pg_catalog.generate_series({first}::int8, {last - 1}::int8) AS page,"
                f" pg_catalog.generate_series({lines[0]}, {lines[1]}) AS line))"
            )
        if self.stripes == 1:
            return rows
        if self.step.stripe:
            # `&` of a negative number is what a modulus should be, and `%` is not.
            return f"{rows} AND ({self.step.stripe} & {self.stripes - 1}) = {stripe}"
        line = "(ctid::text::point)[1]::int4"
        return f"{rows} AND ({line} & {self.stripes - 1}) = {stripe}"


@dataclass(frozen=True, slots=True)
class KeyWalk(Walk):
    """Ranges of the key in its order; for servers without TID range scans."""

    def _after(self, after: Sequence[str]) -> str:
        return self._bound(after, ">") if after else "true"

    def end(self) -> str:
        """Question for the greatest key: the end of the walk."""
        # Qualified, because ORDER BY prefers the texts of the output, which sort otherwise.
        descending = ", ".join(f"walked.{column} DESC" for column in self.step.key)
        return f"SELECT {self._texts()} FROM ONLY {qualified(self.step.table)} AS walked ORDER BY {descending} LIMIT 1"

    def next(self, after: Sequence[str], last: Sequence[str], rows: int) -> str:
        """Question for the key at which a batch of `rows` rows ends; no row where it ends at `last`."""
        ascending = ", ".join(f"walked.{column}" for column in self.step.key)
        return (
            f"SELECT {self._texts()} FROM ONLY {qualified(self.step.table)} AS walked"
            f" WHERE {self._after(after)} AND {self._bound(last, '<')}"
            f" ORDER BY {ascending} OFFSET {rows - 1} LIMIT 1"
        )

    def whole(self, key: Sequence[str]) -> int | None:
        """A key as a number, where all keys are whole numbers in that order; None: nobody knows."""
        return None

    def inside(self, after: Sequence[str], upto: Sequence[str] | None) -> str:
        """Condition of the rows behind a key (empty: from the first) up to and with another (None: to the last)."""
        return f"{self._after(after)} AND {self._bound(upto, '<=')}" if upto is not None else self._after(after)

    def claim(self, span: KeySpan) -> str:
        return self._claim(self.inside(*span) if span[0] != span[1] else self._bound(span[1], "="))

    def batch(self, span: KeySpan) -> str:
        """Update the rows behind a key up to and with another."""
        after, upto = span
        if after == upto:
            return self.again(upto)
        return self._update(f"{self._after(after)} AND {self._bound(upto, '<=')}")

    def given(self, span: KeySpan) -> str:
        after, upto = span
        if after == upto:
            return self.given_again(upto)
        return self._given(f"{self._after(after)} AND {self._bound(upto, '<=')}")

    def row(self, span: KeySpan) -> str:
        """Question for the key of the last row of a span: the only one, where it cannot be halved."""
        return self.named(span[1])

    def middle(self, span: KeySpan) -> str:
        """Question for the key that halves a span; no row where its last row is the only one."""
        after, upto = span
        inside = f"{self._after(after)} AND {self._bound(upto, '<')}"
        table, ascending = qualified(self.step.table), ", ".join(f"walked.{column}" for column in self.step.key)
        return (
            f"SELECT {self._texts()} FROM ONLY {table} AS walked WHERE {inside} ORDER BY {ascending}"
            f" OFFSET (SELECT (count(*) - 1) / 2 FROM ONLY {table} WHERE {inside}) LIMIT 1"
        )


def walk_for(step: Fill, server: Server, stripes: int) -> PageWalk | KeyWalk:
    """The best walk a server can do: page ranges, else the key, else listed row addresses."""
    if step.function:
        return KeyWalk(step)
    if server.version >= TID_RANGE_SINCE:
        # Rows that are only copied stay where they are.
        return PageWalk(step, 1 if step.copy else stripes, ranges=True)
    if step.key:
        return KeyWalk(step)
    return PageWalk(step, 1, ranges=False)
