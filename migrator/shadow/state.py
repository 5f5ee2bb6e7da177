"""Tables and locks as a server's catalog shows them at one moment, and what has changed between two."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from linters.values import Mode

STATE = """
SELECT c.oid::int8, coalesce(i.indrelid, c.oid)::int8, s.nspname, c.relname, c.relkind::text, c.relfilenode::int8,
    CASE WHEN c.relkind IN ('r', 'm', 'i') THEN pg_relation_size(c.oid) ELSE 0 END,
    pg_stat_get_xact_tuples_returned(c.oid), pg_stat_get_xact_tuples_inserted(c.oid)
    + pg_stat_get_xact_tuples_updated(c.oid) + pg_stat_get_xact_tuples_deleted(c.oid)
FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid
WHERE c.relkind IN ('r', 'p', 'm', 'i', 'I', 'v') AND c.relpersistence <> 't'
  AND s.nspname !~ '^(pg_|information_schema)'"""
LOCKS = "SELECT relation::int8, mode FROM pg_locks WHERE pid = %s AND locktype = 'relation' AND relation IS NOT NULL"


@dataclass(frozen=True, slots=True)
class Table:
    """A relation at one moment. `table`: the one it belongs to."""

    oid: int
    table: int
    name: str
    kind: str
    file: int
    size: int
    read: int
    written: int


State = dict[int, Table]


def tables_of(rows: Iterable[Any]) -> State:
    """The rows of `STATE` by oid."""
    return {row[0]: Table(row[0], row[1], shown(row[2], row[3]), *row[4:]) for row in rows}


def both(shared: Sequence[Table], before: State, after: State) -> list[Table]:
    """Tables with rows that were there before and still are."""
    return [t for t in shared if t.kind in "rm" and t.oid in before and t.oid in after]


def rewritten(shared: Sequence[Table], before: State, after: State) -> tuple[str, ...]:
    """Tables with another file. One that is empty was truncated, and nothing written."""
    found = both(shared, before, after)
    return tuple(t.name for t in found if after[t.oid].file != before[t.oid].file and after[t.oid].size)


def built(shared: Sequence[Table], before: State, after: State) -> tuple[str, ...]:
    """Tables of which an index has a file that was not there."""
    files = {t.file for t in before.values()}
    found = {t.table for t in after.values() if t.kind == "i" and t.file not in files}
    kept = [t for t in both(shared, before, after) if after[t.oid].size or after[t.oid].file == before[t.oid].file]
    return tuple(t.name for t in kept if t.oid in found)


def written(shared: Sequence[Table], before: State, after: State) -> int:
    """Rows that were inserted, updated or deleted."""
    found = [t for t in both(shared, before, after) if t.kind == "r"]
    return sum(max(after[t.oid].written - before[t.oid].written, 0) for t in found)


def named(locks: dict[int, Mode], shared: Sequence[Table]) -> dict[str, Mode]:
    """Locks of tables, by their names."""
    return {t.name: locks[t.oid] for t in shared if t.kind in "rpm" and t.oid in locks}


def merge(locks: dict[int, Mode], rows: list[Any]) -> None:
    for oid, mode in strongest(rows).items():
        locks[oid] = max(mode, locks.get(oid, Mode.NONE))


def strongest(rows: Iterable[Any]) -> dict[int, Mode]:
    found: dict[int, Mode] = {}
    for oid, mode in rows:
        named = Mode[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", mode.removesuffix("Lock")).upper()]
        found[oid] = max(named, found.get(oid, Mode.NONE))
    return found


def shown(schema: str, name: str) -> str:
    return name if schema == "public" else f"{schema}.{name}"
