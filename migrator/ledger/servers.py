"""Which server the ledger is on: one that was copied holds rows elsewhere than a cursor says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, true

from migrator.ledger import dialect, store, tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

KIND = "server"
"""Kind of the event that says which server a run found."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A cluster by its system identifier. The timeline is another one after a replica was promoted."""

    system: str
    timeline: int


def identity(connection: Connection) -> Identity | None:
    """Ask which server this is; None where the role may not know, or it does not matter."""
    found = dialect.identity(connection)
    return Identity(*found) if found is not None else None


def known(connection: Connection) -> Identity | None:
    """The server that the last run found."""
    events = tables.events.c
    newest = select(events.detail).where(events.kind == KIND).order_by(events.id.desc()).limit(1)
    found = connection.execute(newest).scalar_one_or_none()
    return Identity(found["system"], found["timeline"]) if found else None


def recognise(connection: Connection) -> bool:
    """Keep which server this is, in the caller's transaction, which holds the runner lock.

    A promoted replica has every row where its primary had it. On another system, where the database was restored
    from a dump, backfills that are under way begin again: what is filled already costs them a look.

    Returns:
        Whether backfills have been set back.
    """
    here, before = identity(connection), known(connection)
    if here is None or here == before:
        return False
    moved = before is not None and before.system != here.system
    if moved:
        for table in (tables.backfills, tables.set_aside):
            running = select(true()).where(tables.steps.c.id == table.c.step_id, tables.steps.c.state != "done")
            connection.execute(delete(table).where(running.exists()))
        connection.execute(delete(tables.verifications))
    detail = {"system": here.system, "timeline": here.timeline, "backfills_again": moved}
    store.record_event(connection, KIND, detail=detail)
    return moved
