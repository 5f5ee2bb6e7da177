"""Read and write revisions, steps, cursors and events."""

from __future__ import annotations

import getpass
import json
import os
import socket
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, BigInteger, bindparam, delete, func, insert, select, update

from migrator.errors import UsageError
from migrator.ledger import audit, tables
from migrator.ledger.records import EventRecord, RevisionRecord, StepRecord
from migrator.ledger.tables import backfills
from migrator.ledger.types import NOW
from phases.encoding import decode, encode
from phases.model import Phase, Step
from phases.sql import literal

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row, Table

STEP_COLUMNS = [
    tables.steps.c[name]
    for name in (
        "id revision position phase name step undoes state attempts seconds lock_held_ms lock_waited_ms"
    ).split()
]
REVISION_COLUMNS = [
    tables.revisions.c[name]
    for name in ("id down_revisions digest message additive state released_at created_at updated_at").split()
]
SAVE_CURSOR = (
    update(backfills)
    .where(backfills.c.step_id == bindparam("of_step"), backfills.c.worker == bindparam("of_worker"))
    .values(
        cursor=bindparam("position", type_=JSON),
        rows_done=backfills.c.rows_done + bindparam("more", type_=BigInteger),
        updated_at=NOW,
    )
)


def actor() -> str:
    """Who is at work, for the audit log: `MIGRATOR_ACTOR`, or user and host."""
    named = os.environ.get("MIGRATOR_ACTOR")
    return named or f"{getpass.getuser()}@{socket.gethostname()}"


def clock(connection: Connection) -> datetime:
    """The server's clock, which moves inside a transaction."""
    moment: datetime = connection.execute(select(NOW)).scalar_one()
    return moment


def revision_record(row: Row[Any]) -> RevisionRecord:
    name, down_revisions, *rest = tuple(row)
    return RevisionRecord(name, tuple(down_revisions), *rest)


def revisions(connection: Connection) -> dict[str, RevisionRecord]:
    rows = connection.execute(select(*REVISION_COLUMNS).order_by(tables.revisions.c.created_at))
    return {row[0]: revision_record(row) for row in rows}


def revision(connection: Connection, name: str) -> RevisionRecord | None:
    row = connection.execute(select(*REVISION_COLUMNS).where(tables.revisions.c.id == name)).first()
    return revision_record(row) if row else None


def begin(
    connection: Connection,
    *,
    id: str,
    down_revisions: Sequence[str],
    digest: str,
    message: str,
    additive: bool,
    steps: Sequence[tuple[Phase, Step]],
) -> None:
    """Record a revision in state `expanding`, with every step of every phase still to do."""
    connection.execute(
        insert(tables.revisions),
        {
            "id": id,
            "down_revisions": list(down_revisions),
            "digest": digest,
            "message": message,
            "additive": additive,
            "previous_state": "none",
            "state": "expanding",
        },
    )
    add_steps(connection, id, [(phase, step, None) for phase, step in steps])


def add_steps(connection: Connection, revision: str, found: Sequence[tuple[Phase, Step, int | None]]) -> None:
    rows = [
        {
            "revision": revision,
            "position": position,
            "phase": phase.value,
            "name": step.name,
            "step": encode(step),
            "undoes": undoes,
        }
        for position, (phase, step, undoes) in enumerate(found)
    ]
    if rows:
        connection.execute(insert(tables.steps), rows)


def step_record(row: Row[Any]) -> StepRecord:
    step_id, revision, position, phase, name, data, *rest = tuple(row)
    try:
        step = decode(data)
    except ValueError as unknown:
        raise UsageError(
            f"step {name!r} of revision {revision} was written by a newer program: {unknown}",
            next_step="upgrade the program: pip install --upgrade expand-contract-migrator",
        ) from None
    return StepRecord(step_id, revision, position, Phase(phase), name, step, *rest)


def steps(connection: Connection, revision: str, *, phase: Phase | None = None) -> list[StepRecord]:
    """Steps of a revision in the order they run, without those that undo."""
    wanted = select(*STEP_COLUMNS).where(tables.steps.c.revision == revision, tables.steps.c.undoes.is_(None))
    if phase is not None:
        wanted = wanted.where(tables.steps.c.phase == phase.value)
    return [step_record(row) for row in connection.execute(wanted.order_by(tables.steps.c.position))]


def all_steps(connection: Connection) -> dict[str, list[StepRecord]]:
    """Steps of every revision that is not finished, without those that undo."""
    open_ones = select(tables.revisions.c.id).where(tables.revisions.c.state != "purged")
    wanted = select(*STEP_COLUMNS).where(tables.steps.c.undoes.is_(None), tables.steps.c.revision.in_(open_ones))
    found: dict[str, list[StepRecord]] = defaultdict(list)
    for row in connection.execute(wanted.order_by(tables.steps.c.revision, tables.steps.c.position)):
        found[row[1]].append(step_record(row))
    return found


def undo_steps(connection: Connection, revision: str) -> list[StepRecord]:
    """Steps that take others back, in the order they run."""
    wanted = select(*STEP_COLUMNS).where(tables.steps.c.revision == revision, tables.steps.c.undoes.is_not(None))
    return [step_record(row) for row in connection.execute(wanted.order_by(tables.steps.c.position))]


def add_undo(connection: Connection, revision: str, undo: Sequence[tuple[StepRecord, Step]]) -> None:
    add_steps(connection, revision, [(done.phase, step, done.id) for done, step in undo])


def remove_undo(connection: Connection, revision: str) -> None:
    connection.execute(
        delete(tables.steps).where(tables.steps.c.revision == revision, tables.steps.c.undoes.is_not(None))
    )


def start_step(connection: Connection, step_id: int) -> None:
    connection.execute(
        update(tables.steps)
        .where(tables.steps.c.id == step_id)
        .values(state="running", attempts=tables.steps.c.attempts + 1, started_at=NOW)
    )


def finish_step(
    connection: Connection, step_id: int, *, seconds: float, lock_held_ms: float | None, lock_waited_ms: float
) -> None:
    """Mark a step done; `lock_held_ms`: None where the server does not say when a lock is granted."""
    connection.execute(
        update(tables.steps)
        .where(tables.steps.c.id == step_id)
        .values(
            state="done",
            finished_at=NOW,
            seconds=seconds,
            lock_held_ms=lock_held_ms,
            lock_waited_ms=lock_waited_ms,
        )
    )
    connection.execute(delete(tables.verifications).where(tables.verifications.c.step_id == step_id))


def reset_step(connection: Connection, step_id: int) -> None:
    """Make a step one that is still to do, from its beginning."""
    for table in (backfills, tables.verifications):
        connection.execute(delete(table).where(table.c.step_id == step_id))
    fresh = {"state": "pending", "started_at": None, "finished_at": None, "seconds": None}
    connection.execute(update(tables.steps).where(tables.steps.c.id == step_id).values(fresh))


def cursor(connection: Connection, step_id: int) -> Mapping[str, Any] | None:
    """Where a step stands."""
    return cursors(connection, step_id).get(0)


def cursors(connection: Connection, step_id: int) -> dict[int, Mapping[str, Any]]:
    """Where a step (0) and each of its workers stand."""
    columns = (backfills.c.worker, backfills.c.cursor, backfills.c.rows_done)
    wanted = select(*columns).where(backfills.c.step_id == step_id).order_by(backfills.c.worker)
    # A batch saves the rows of those before it, and adds its own.
    return {
        worker: {**found, "rows": int(rows)} if "rows" in found else found
        for worker, found, rows in connection.execute(wanted)
    }


def assign(
    connection: Connection, step_id: int, position: Mapping[str, Any], shares: Sequence[Mapping[str, Any]]
) -> None:
    """Save where a step stands, and its workers, numbered from 1, in place of those that there were."""
    of_workers = (backfills.c.step_id == step_id, backfills.c.worker > 0)
    rows = connection.execute(select(func.sum(backfills.c.rows_done)).where(*of_workers)).scalar_one()
    connection.execute(delete(backfills).where(*of_workers))
    save_cursor(connection, step_id, position, rows=int(rows or 0))
    for worker, share in enumerate(shares, 1):
        save_cursor(connection, step_id, share, rows=0, worker=worker)


def rows_of_step(connection: Connection, step_id: int) -> int:
    """Rows that a backfill has changed so far."""
    wanted = select(func.coalesce(func.sum(backfills.c.rows_done), 0)).where(backfills.c.step_id == step_id)
    return int(connection.execute(wanted).scalar_one())


def rows_done(connection: Connection) -> dict[str, int]:
    """Rows that backfills have changed so far, by revision."""
    found = connection.execute(
        select(tables.steps.c.revision, func.sum(backfills.c.rows_done))
        .join(tables.steps, tables.steps.c.id == backfills.c.step_id)
        .group_by(tables.steps.c.revision)
    )
    return {revision: int(rows) for revision, rows in found}


def save_cursor(
    connection: Connection, step_id: int, position: Mapping[str, Any], *, rows: int, worker: int = 0
) -> None:
    """Save where a worker stands; `rows` is what this batch adds. This is on the path of every batch."""
    values = {"of_step": step_id, "of_worker": worker, "position": dict(position), "more": rows}
    # An upsert would lock the gap beside the row, which is the place of another worker's.
    if not connection.execute(SAVE_CURSOR, values).rowcount:
        fresh = {"step_id": step_id, "worker": worker, "cursor": dict(position), "rows_done": rows}
        connection.execute(insert(backfills), fresh)


def cursor_text(step_id: int, position: Mapping[str, Any], *, rows: int, worker: int) -> str:
    """The same as one statement of PostgreSQL, where no other way to save it takes fewer round trips."""
    return (
        f"INSERT INTO {backfills.fullname} AS saved (step_id, worker, cursor, rows_done)"
        f" VALUES ({step_id}, {worker}, {literal(json.dumps(dict(position)))}, {rows}) ON CONFLICT (step_id, worker)"
        " DO UPDATE SET cursor = EXCLUDED.cursor, rows_done = saved.rows_done + EXCLUDED.rows_done, updated_at = now()"
    )


def transition(connection: Connection, revision: str, state: str) -> None:
    """Change the state of a revision; the database refuses an illegal change."""
    connection.execute(
        update(tables.revisions)
        .where(tables.revisions.c.id == revision)
        .values(previous_state=tables.revisions.c.state, state=state, updated_at=NOW)
    )


def mark_released(connection: Connection, revision: str) -> None:
    connection.execute(update(tables.revisions).where(tables.revisions.c.id == revision).values(released_at=NOW))


def forget(connection: Connection, revision: str) -> None:
    """Remove a revision and its steps; its events stay."""
    # Those that take others back first: MySQL follows no more than so many rows from one to the next.
    remove_undo(connection, revision)
    connection.execute(delete(tables.steps).where(tables.steps.c.revision == revision))
    connection.execute(delete(tables.revisions).where(tables.revisions.c.id == revision))


def record_event(
    connection: Connection,
    kind: str,
    *,
    revision: str | None = None,
    step: str | None = None,
    detail: Mapping[str, Any] | None = None,
    rows: Sequence[tuple[Table, Mapping[str, Any]]] = (),
) -> None:
    """Add an entry to the audit log, at the end of its chain.

    Args:
        rows: tables and keys of records that were written with it; they are kept as they are.
    """
    kept = {**(detail or {}), "rows": audit.snapshots(connection, rows)} if rows else detail
    values = {"kind": kind, "revision": revision, "step": step, "actor": actor(), "detail": kept}
    audit.append(connection, {"at": clock(connection), **values})


def events(connection: Connection, limit: int = 50) -> list[EventRecord]:
    """The newest events, newest first."""
    columns = [tables.events.c[n] for n in ("id", "at", "kind", "revision", "step", "actor", "detail")]
    rows = connection.execute(select(*columns).order_by(tables.events.c.id.desc()).limit(limit))
    return [EventRecord(*row) for row in rows]
