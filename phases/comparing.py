"""The SQL of comparing a table chunk by chunk: by heap pages or along the key, row by row or by hashes.

Where both shapes are in one table a chunk is one scan that looks at each row, which is exact, and less work than to
hash it twice. Where they are in two tables with one key, a chunk is a stretch of the key in both: as many rows with
the same sum of 64-bit hashes say the same. Only a chunk that differs is looked at row by row, which also has the last
word where two values are the same in more than one form. A sum depends on no order, so the two tables need not sort
alike; and unlike XOR it does not take two equal rows for none.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from phases.catalog import Server
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.dialects.walks import key_walk, reading_walk
from phases.effects import Query
from phases.model import TableName, Verify
from phases.sql import COMPARED, qualified

SAMPLE = 5
UNSAID = 10**24
"""Further from zero than all hashes of a chunk."""
State = dict[str, Any]
Asking = Generator[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of the table: the condition of its rows, and the state once it has been compared."""

    inside: tuple[Any, Any]
    after: State


@dataclass(frozen=True, slots=True)
class Twin:
    """The other of two tables with one key; `phases.model.Verify` says what it is made of."""

    walk: KeyWalk
    own: str
    own_given: str
    other: str
    other_given: str

    @classmethod
    def of(cls, step: Verify, server: Server) -> Twin:
        schema, name, own, own_given, other, other_given, *key = step.twin
        return cls(key_walk(step, server, TableName(schema, name), tuple(key)), own, own_given, other, other_given)


@dataclass(frozen=True, slots=True)
class Pages:
    """Chunks of heap pages."""

    step: Verify
    walk: PageWalk
    first: int = 120
    least: int = 16
    most: int = 8192
    unit: str = "pages"

    def begin(self) -> Asking:
        end = int((yield Query(self.walk.end(), anywhere=True))[0][0])
        return {"page": 0, "end": end, "total": end, "size": self.first, "rows": 0}

    def over(self, state: State) -> bool:
        return bool(state["page"] >= max(1, state["end"]))

    def next(self, state: State) -> Asking:
        yield from ()
        upto = min(state["page"] + state["size"], max(1, state["end"]))
        return Chunk((state["page"], upto), {**state, "page": upto})

    def done(self, state: State) -> int:
        return min(int(state["page"]), int(state["total"]))

    def units(self, chunk: Chunk) -> int:
        return int(chunk.inside[1]) - int(chunk.inside[0])

    def question(self, chunk: Chunk) -> str:
        """Question for rows, rows that differ (or 0 and more), and what tells where the rows lie."""
        return exact(self.step, self.walk, chunk, self.walk.file)

    def exact(self, chunk: Chunk) -> str:
        return self.question(chunk)

    def keys(self, chunk: Chunk) -> str:
        return keys(self.step, self.walk, chunk)


@dataclass(frozen=True, slots=True)
class Stretches:
    """Chunks along the key; the last one has no end, so what came behind it is in it."""

    step: Verify
    walk: KeyWalk
    twin: Twin | None = None
    first: int = 2000
    least: int = 100
    most: int = 100_000
    unit: str = "rows"

    def begin(self) -> Asking:
        found = yield Query(self.walk.end(), anywhere=True)
        total = int((yield Query(self.walk.estimate()))[0][0])
        last = list(found[0]) if found else None
        return {"after": [], "last": last, "total": total, "size": self.first, "rows": 0}

    def over(self, state: State) -> bool:
        return state["after"] is None

    def next(self, state: State) -> Asking:
        found = []
        if state["last"] is not None and state["after"] != state["last"]:
            found = yield Query(self.walk.next(state["after"], state["last"], state["size"]), anywhere=True)
        upto = list(found[0]) if found else None
        return Chunk((state["after"], upto), {**state, "after": upto})

    def done(self, state: State) -> int:
        return min(int(state["rows"]), int(state["total"]))

    def units(self, chunk: Chunk) -> int:
        return int(chunk.after["size"])

    def question(self, chunk: Chunk) -> str:
        return hashed(self.walk, self.twin, chunk) if self.twin else self.exact(chunk)

    def exact(self, chunk: Chunk) -> str:
        return exact(self.step, self.walk, chunk, "0")

    def keys(self, chunk: Chunk) -> str:
        return keys(self.step, self.walk, chunk)


Chunks = Pages | Stretches


def chunks_for(step: Verify, server: Server) -> Chunks:
    """How a table is best compared: along the key where another has the same, else as it lies."""
    if step.twin:
        return Stretches(step, key_walk(step, server, step.table, step.key), Twin.of(step, server))
    walk = reading_walk(step, server)
    return Pages(step, walk) if isinstance(walk, PageWalk) else Stretches(step, walk)


def exact(step: Verify, walk: PageWalk | KeyWalk, chunk: Chunk, file: str) -> str:
    """Question for rows, rows that differ, and where they lie."""
    wrong = f"coalesce(sum(CASE WHEN ({step.mismatch}) THEN 1 ELSE 0 END), 0)"
    return f"SELECT count(*), {wrong}, {file} AS {COMPARED} FROM {walk.source} WHERE {walk.inside(*chunk.inside)}"


def keys(step: Verify, walk: PageWalk | KeyWalk, chunk: Chunk) -> str:
    """Question for keys of some rows that differ."""
    where = f"{walk.inside(*chunk.inside)} AND ({step.mismatch})"
    found = f"SELECT {walk.texts()} FROM {walk.source} WHERE {where} LIMIT {SAMPLE}"
    return f"SELECT * FROM ({found}) {COMPARED}"


def hashed(walk: KeyWalk, twin: Twin, chunk: Chunk) -> str:
    """Question for rows, whether the two tables differ, and 0; both are read in one snapshot."""
    own, other = walk.inside(*chunk.inside), twin.walk.inside(*chunk.inside)
    table = qualified(twin.walk.step.table)  # with its partitions
    return (
        "SELECT own.rows_, CASE WHEN own.given_ = other.given_ AND (own.given_ = 0 OR own.sum_ = other.sum_)"
        " THEN 0 ELSE 1 END,"
        f" 0 AS {COMPARED} FROM"
        f" (SELECT count(*) AS rows_, {summed(twin.own, twin.own_given, -UNSAID)} FROM {walk.source} WHERE {own}) own,"
        f" (SELECT {summed(twin.other, twin.other_given, UNSAID)} FROM {table} WHERE {other}) other"
    )


def summed(digest: str, given: str, unsaid: int) -> str:
    """How many rows say something, and the sum of what they say.

    Args:
        unsaid: stands for a row that is too long to be said, so that no two such rows are taken for the same.
    """
    said = f"CASE WHEN {given} THEN coalesce({digest}, {unsaid}) END"
    return f"count(CASE WHEN {given} THEN 1 END) AS given_, sum({said}) AS sum_"
