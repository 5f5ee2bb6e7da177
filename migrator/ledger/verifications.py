"""Up to where rows have been found equal, by a comparison that is not over yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, and_, delete, exists, false, insert, select, update

from migrator.ledger import schema, store, tables
from migrator.ledger.types import NOW

if TYPE_CHECKING:
    from sqlalchemy import Connection

SINCE = 5
"""Version of the ledger that has this table first."""
STEP, COMMAND, CONTRACT = "step", "verify", "contract"
"""Who compares: a step of a phase, `migrator verify`, and what comes before a contract."""
GOOD_FOR = timedelta(hours=1)
"""How long after its last chunk a comparison goes on where it was; a step, which is compared again before the contract,
at any time."""
HEARD = timedelta(minutes=1)

table = tables.verifications


def kept(connection: Connection) -> bool:
    """Whether there is a place to keep it."""
    version = schema.installed(connection)
    return version is not None and version >= SINCE


def get(connection: Connection, step_id: int, purpose: str) -> Mapping[str, Any] | None:
    """Where to go on; None: at the beginning."""
    wanted = select(table.c.cursor, table.c.updated_at).where(table.c.step_id == step_id, table.c.purpose == purpose)
    found = connection.execute(wanted).first()
    if found is None or (purpose != STEP and store.clock(connection) - found.updated_at > GOOD_FOR):
        return None
    cursor: Mapping[str, Any] = found.cursor
    return cursor


def put(connection: Connection, step_id: int, purpose: str, cursor: Mapping[str, Any]) -> None:
    values = {"cursor": dict(cursor), "updated_at": NOW}
    mine = (table.c.step_id == step_id, table.c.purpose == purpose)
    if not connection.execute(update(table).where(*mine).values(values)).rowcount:
        connection.execute(insert(table).values({"step_id": step_id, "purpose": purpose, **values}))


def forget(connection: Connection, step_id: int, purpose: str) -> None:
    connection.execute(delete(table).where(table.c.step_id == step_id, table.c.purpose == purpose))


def under_way(connection: Connection, step_id: Any, said: Any) -> ColumnElement[bool]:
    """Whether rows of a step are being compared: by somebody who `said` a moment ago how far that is."""
    if not kept(connection):
        return false()
    return and_(exists().where(table.c.step_id == step_id), said > store.clock(connection) - HEARD)
