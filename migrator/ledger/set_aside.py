"""Rows that a backfill could not change: recorded by key, until they are settled."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select

from migrator.ledger import dialect, tables
from migrator.ledger.records import AsideRecord
from phases.effects import Failure, Key

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from phases.model import TableName

aside = tables.set_aside


def written(key: Key) -> str:
    return json.dumps(list(key), ensure_ascii=False)


def add(connection: Connection, step_id: int, table: TableName, key: Key, failure: Failure) -> None:
    """Record a row; one that is recorded already gets the newest reason."""
    settle(connection, step_id, key)
    values: dict[str, Any] = {
        "step_id": step_id,
        "table_name": str(table),
        "row_key": written(key),
        "sqlstate": failure.sqlstate,
        "message": failure.message,
    }
    connection.execute(insert(aside), values)


def settle(connection: Connection, step_id: int, key: Key) -> None:
    """Take a row off the record."""
    connection.execute(delete(aside).where(aside.c.step_id == step_id, aside.c.row_key == written(key)))


def count(connection: Connection, step_id: int) -> int:
    wanted = select(func.count()).select_from(aside).where(aside.c.step_id == step_id)
    return int(connection.execute(wanted).scalar_one())


def of_step(connection: Connection, step_id: int) -> list[AsideRecord]:
    """Rows a step has set aside, oldest first."""
    return [record for records in found(connection, aside.c.step_id == step_id).values() for record in records]


def by_revision(connection: Connection) -> dict[str, list[AsideRecord]]:
    """Rows set aside and not settled, by revision. Writes nothing, and finds nothing in an older ledger."""
    if not dialect.table_exists(connection, aside.name):
        return {}
    return found(connection)


def found(connection: Connection, *conditions: Any) -> dict[str, list[AsideRecord]]:
    columns = [aside.c[name] for name in ("table_name", "row_key", "sqlstate", "message", "at")]
    wanted = select(tables.steps.c.revision, tables.steps.c.name, *columns)
    wanted = wanted.join(tables.steps, tables.steps.c.id == aside.c.step_id).where(*conditions).order_by(aside.c.id)
    records: dict[str, list[AsideRecord]] = defaultdict(list)
    for revision, step, table, key, *rest in connection.execute(wanted):
        records[revision].append(AsideRecord(revision, step, table, tuple(json.loads(key)), *rest))
    return dict(records)
