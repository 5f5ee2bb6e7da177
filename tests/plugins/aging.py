"""Let time pass for the records of a database: as if everything had been recorded earlier, audit log and all.

No user can do this: it goes around the trigger that keeps the log, and writes its chain anew.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, select, text, update

from migrator.database import connect
from migrator.ledger import audit, tables
from migrator.ledger.mysql import APPEND_ONLY, PREFIX

MOMENTS = (
    tables.deployments,
    tables.consumers,
    tables.overrides,
    tables.approvals,
    tables.looks,
    tables.sightings,
    tables.uses,
)


def age(url: str, hours: float) -> None:
    """Make every record so many hours older; younger where it is below zero."""
    with connect(url, "age") as session:
        unguarded(session.connection, session.family.commits_ddl)
        with session.transaction() as connection:
            for table in MOMENTS:
                shift(connection, table, hours)
            rechain(connection, hours)
        guarded(session.connection, session.family.commits_ddl)


def shift(connection: Connection, table: Table, hours: float) -> None:
    for row in connection.execute(select(table)).mappings().all():
        older = {name: value - timedelta(hours=hours) for name, value in row.items() if isinstance(value, datetime)}
        same = [column == row[column.name] for column in table.primary_key]
        connection.execute(update(table).where(*same).values(older))


def rechain(connection: Connection, hours: float) -> None:
    found = audit.everything(connection)
    last = audit.digest([event for event in found if event["hash"] is None])
    for event in found:
        if event["hash"] is None:
            continue
        moved = {**event, "at": event["at"] - timedelta(hours=hours), "detail": shifted(event["detail"], hours)}
        last = audit.hashed(last, moved)
        values = {"at": moved["at"], "detail": moved["detail"], "hash": last}
        connection.execute(update(tables.events).where(tables.events.c.id == event["id"]).values(values))
    connection.execute(update(tables.chain).values(hash=last))


def shifted(detail: dict[str, Any] | None, hours: float) -> dict[str, Any] | None:
    if not detail or not isinstance(detail.get("rows"), list):
        return {**detail, "at": earlier(detail["at"], hours)} if detail and "at" in detail else detail
    return {**detail, "rows": [{**item, "row": moved(item["row"], hours)} for item in detail["rows"]]}


def moved(row: dict[str, Any], hours: float) -> dict[str, Any]:
    return {
        name: earlier(value, hours) if name.endswith("_at") or name == "at" else value for name, value in row.items()
    }


def earlier(value: str | None, hours: float) -> str | None:
    return None if value is None else audit.plain(datetime.fromisoformat(value) - timedelta(hours=hours))


def unguarded(connection: Connection, prefixed: bool) -> None:
    guard = f"DROP TRIGGER {PREFIX}events_update" if prefixed else "ALTER TABLE migrator.events DISABLE TRIGGER USER"
    with connection.begin():
        connection.execute(text(guard))


def guarded(connection: Connection, prefixed: bool) -> None:
    again = APPEND_ONLY.format(name=f"{PREFIX}events_update", event="UPDATE", prefix=PREFIX)
    with connection.begin():
        connection.execute(text(again if prefixed else "ALTER TABLE migrator.events ENABLE TRIGGER USER"))
