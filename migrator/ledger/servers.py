"""Which server the ledger is on: one that was copied holds rows elsewhere than a cursor says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select, true

from migrator.ledger import dialect, schema, store, tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import StepRecord

KIND = "server"
"""Kind of the event that says which server a run found."""


@dataclass(frozen=True, slots=True)
class Identity:
    """A cluster by its system identifier. The timeline is another one after a replica was promoted."""

    system: str
    timeline: int


@dataclass(frozen=True, slots=True)
class Host:
    """Where the ledger is.

    `history`: its first event, which a replica has, too. `system`: a cluster, with all its replicas, where that can be
    known. `server`: one of them, for people.
    """

    history: str
    system: str
    server: str


def host(connection: Connection) -> Host | None:
    """Where the ledger is; None where there is none, or one without events."""
    if schema.installed(connection) is None:
        return None
    events = tables.events.c
    first = connection.execute(select(events.id, events.at, events.actor).order_by(events.id).limit(1)).first()
    if first is None:
        return None
    found = identity(connection)
    system = found.system if found else ""
    server = f"timeline {found.timeline}" if found else dialect.server(connection)
    return Host(f"{first.id} {first.at.isoformat()} {first.actor}", system, server)


def missing(connection: Connection, record: StepRecord, steps: frozenset[int], rows: int) -> str:
    """What the ledger has not got of what was committed, for people; empty: it has all.

    Args:
        record: the step that was under way.
        steps: that were done.
        rows: of the step under way that were changed.
    """
    here = {each.id: each.state for each in store.steps(connection, record.revision)}
    undone = sum(1 for each in steps if here.get(each, "done") != "done")
    done = store.rows_of_step(connection, record.id)
    said = [f"{undone} {'step' if undone == 1 else 'steps'}"] if undone else []
    said += [f"{rows - done} rows of {record.name}"] if done < rows else []
    return f"{' and '.join(said)} that were committed are not there, and are done again" if said else ""


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
