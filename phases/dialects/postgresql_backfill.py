"""The SQL of walking a PostgreSQL table: by heap pages, or by key.

Pages need no key and see every row. Inside a window of pages the rows are taken
in stripes: the first pass has to move its rows elsewhere, but by the next one
the pages have been pruned and new versions stay where they are (HOT), which
halves WAL and keeps the table from doubling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phases.catalog import Server
from phases.model import Fill
from phases.sql import literal, qualified

TID_RANGE_SINCE = (14, 0)
LINE_POINTERS_PER_PAGE = 291
"""Most rows a page of 8 kB can hold (`MaxHeapTuplesPerPage`)."""


@dataclass(frozen=True, slots=True)
class PageWalk:
    """Windows of heap pages, `stripes` passes over each.

    Args:
        ranges: the server scans TID ranges (PostgreSQL 14 and later); before, the
            row addresses of a window are listed one by one, which any version looks up directly.
    """

    step: Fill
    stripes: int
    ranges: bool

    def end(self) -> str:
        """Question for the number of pages the table has: the end of the walk."""
        regclass = f"{literal(qualified(self.step.table))}::regclass"
        return f"SELECT pg_catalog.pg_relation_size({regclass}) / current_setting('block_size')::int8"

    def batch(self, first: int, last: int, stripe: int) -> str:
        """Update one stripe of the pages from `first` up to but without `last`."""
        table = qualified(self.step.table)
        return (
            f"UPDATE ONLY {table} SET {self.step.assignments}"
            f" WHERE {self._where(first, last, stripe)} AND ({self.step.pending})"
        )

    def _where(self, first: int, last: int, stripe: int) -> str:
        if self.ranges:
            pages = f"ctid >= '({first},0)'::tid AND ctid < '({last},0)'::tid"
        else:
            pages = (
                "ctid = ANY (ARRAY(SELECT ('(' || page || ',' || line || ')')::tid"
                f" FROM pg_catalog.generate_series({first}::int8, {last - 1}::int8) AS page,"
                f" pg_catalog.generate_series(1, {LINE_POINTERS_PER_PAGE}) AS line))"
            )
        if self.stripes == 1:
            return pages
        if self.step.stripe:
            # `&` of a negative number is what a modulus should be, and `%` is not.
            return f"{pages} AND ({self.step.stripe} & {self.stripes - 1}) = {stripe}"
        line = "(ctid::text::point)[1]::int4"
        return f"{pages} AND ({line} & {self.stripes - 1}) = {stripe}"

    def left(self) -> str:
        """Question whether rows are still to do."""
        return f"SELECT EXISTS (SELECT FROM ONLY {qualified(self.step.table)} WHERE {self.step.pending})"


@dataclass(frozen=True, slots=True)
class KeyWalk:
    """Ranges of the key in its order; for servers without TID range scans."""

    step: Fill

    @property
    def _key(self) -> str:
        return ", ".join(self.step.key)

    def _texts(self) -> str:
        return ", ".join(f"{column}::text" for column in self.step.key)

    def _bound(self, values: Sequence[str], operator: str) -> str:
        # The server casts the text back to the type of the column it is compared with.
        constants = ", ".join(literal(value) for value in values)
        return f"({self._key}) {operator} ({constants})"

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

    def batch(self, after: Sequence[str], upto: Sequence[str]) -> str:
        """Update the rows behind `after` up to and with `upto`."""
        return (
            f"UPDATE ONLY {qualified(self.step.table)} SET {self.step.assignments}"
            f" WHERE {self._after(after)} AND {self._bound(upto, '<=')} AND ({self.step.pending})"
        )

    def left(self) -> str:
        """Question whether rows are still to do."""
        return f"SELECT EXISTS (SELECT FROM ONLY {qualified(self.step.table)} WHERE {self.step.pending})"


def walk_for(step: Fill, server: Server, stripes: int) -> PageWalk | KeyWalk:
    """The best walk a server can do: page ranges, else the key, else listed row addresses."""
    if server.version >= TID_RANGE_SINCE:
        return PageWalk(step, stripes, ranges=True)
    if step.key:
        return KeyWalk(step)
    return PageWalk(step, 1, ranges=False)
