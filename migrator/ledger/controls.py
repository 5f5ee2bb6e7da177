"""What people ask of the backfills under way, and what a runner says of the one that it is at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select

from migrator.ledger import tables, verifications
from migrator.ledger.records import ProgressRecord
from phases.pacing import Control, strictest

if TYPE_CHECKING:
    from sqlalchemy import Connection

EVERYTHING = ""
"""The scope of what is asked of every backfill of the database."""

SINCE = 4
"""Version of the ledger that has these tables first."""

asked = tables.controls
told = tables.progress
COLUMNS = [asked.c[name] for name in ("paused", "rows_per_second", "max_latency", "said")]
TOLD = [
    told.c[name]
    for name in (
        "done total unit rows_per_second seconds_left seconds_left_least seconds_left_most limits reason updated_at"
    ).split()
]


def get(connection: Connection, scope: str) -> Control:
    """What is asked of one revision, or of everything."""
    row = connection.execute(select(*COLUMNS).where(asked.c.scope == scope)).first()
    return Control(*row) if row else Control()


def put(connection: Connection, scope: str, control: Control) -> None:
    """Ask for something; what asks for nothing leaves no row."""
    connection.execute(delete(asked).where(asked.c.scope == scope))
    if replace(control, said="") != Control():
        values = {name: getattr(control, name) for name in ("paused", "rows_per_second", "max_latency", "said")}
        connection.execute(insert(asked), {"scope": scope, **values})


def of(connection: Connection, revision: str) -> Control:
    """What holds for a revision: what is asked of it, and of everything."""
    rows = connection.execute(select(*COLUMNS).where(asked.c.scope.in_([EVERYTHING, revision])))
    return strictest([Control(*row) for row in rows])


def all_of(connection: Connection) -> dict[str, Control]:
    """Everything that is asked, by scope."""
    rows = connection.execute(select(asked.c.scope, *COLUMNS).order_by(asked.c.scope))
    return {row[0]: Control(*row[1:]) for row in rows}


def look(connection: Connection, version: int) -> tuple[dict[str, ProgressRecord], dict[str, Control]]:
    """How far runners are and what is asked of them; nothing of a ledger of an older `version`."""
    return (progress(connection), all_of(connection)) if version >= SINCE else ({}, {})


def tell(connection: Connection, step_id: int, values: Mapping[str, object]) -> None:
    """Say how far a step is."""
    connection.execute(delete(told).where(told.c.step_id == step_id))
    connection.execute(insert(told), {"step_id": step_id, **values})


def progress(connection: Connection) -> dict[str, ProgressRecord]:
    """How far the steps under way are, by revision; those that are done and compared once more among them."""
    steps = tables.steps
    again = verifications.under_way(connection, steps.c.id, told.c.updated_at)
    wanted = (
        select(steps.c.revision, steps.c.name, *TOLD)
        .join(steps, steps.c.id == told.c.step_id)
        .where(or_(steps.c.state == "running", again))
        .order_by(told.c.updated_at)
    )
    return {row[0]: ProgressRecord(*row) for row in connection.execute(wanted)}
