"""What applications have found when they read both shapes of a revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from migrator.errors import UsageError
from migrator.ledger import schema, tables
from migrator.ledger.types import NOW

if TYPE_CHECKING:
    from sqlalchemy import Connection

SINCE = 6
"""Version of the ledger that has this table first."""
KEYS = 20
"""Reads that differed, of which is kept what they asked."""

table = tables.shadow_reads


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """What comparing reads has found.

    Args:
        name: of the read.
        revision: it belongs to.
        compared: reads that were compared.
        mismatched: of these, how many differed.
        failed: how many more could not be compared, because the new read raised.
        keys: what some of those that differed or failed were asked with.
    """

    name: str
    revision: str
    compared: int = 0
    mismatched: int = 0
    failed: int = 0
    keys: tuple[str, ...] = ()


def record(connection: Connection, found: ShadowReport) -> None:
    """Add to what was found before; of the keys the last are kept.

    Raises:
        UsageError: there is no place for it.
    """
    version = schema.installed(connection)
    if version is None or version < SINCE:
        raise UsageError("the ledger has no place for shadow reads yet", next_step="migrator apply, once")
    mine = (table.c.name == found.name, table.c.revision == found.revision)
    before = connection.execute(select(table.c.samples).where(*mine).with_for_update()).scalar()
    kept = list(dict.fromkeys([*(before or []), *found.keys]))[-KEYS:]
    counts = {name: getattr(found, name) for name in ("compared", "mismatched", "failed")}
    if before is None:
        values = {"name": found.name, "revision": found.revision, "samples": kept, **counts}
        connection.execute(insert(table).values(values))
        return
    added = {name: table.c[name] + count for name, count in counts.items()}
    connection.execute(update(table).where(*mine).values({**added, "samples": kept, "recorded_at": NOW}))


def of_revision(connection: Connection, revision: str) -> tuple[ShadowReport, ...]:
    """What was recorded for a revision; nothing where the ledger has no place for it."""
    version = schema.installed(connection)
    if version is None or version < SINCE:
        return ()
    rows = connection.execute(select(table).where(table.c.revision == revision).order_by(table.c.name))
    return tuple(
        ShadowReport(
            row["name"], row["revision"], row["compared"], row["mismatched"], row["failed"], tuple(row["samples"])
        )
        for row in rows.mappings()
    )
