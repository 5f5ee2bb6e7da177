"""Rows of deployments and consumers; each change of one goes into the audit log as it then is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from migrator.ledger import audit, schema, store
from migrator.ledger.records import ConsumerRecord, DeploymentRecord
from migrator.ledger.tables import WIDENED, consumers, deployments

if TYPE_CHECKING:
    from sqlalchemy import Connection

COLUMNS = [deployments.c[field.name] for field in fields(DeploymentRecord)]
FIRST = [column for column in COLUMNS if column.name not in WIDENED[audit.SINCE][deployments].split()]
"""Those that every version of the ledger has."""
FINISHED = ("succeeded", "failed", "rolled_back")


def all_deployments(connection: Connection) -> list[DeploymentRecord]:
    """Every deployment, oldest first; of a ledger of an older version, too."""
    columns = COLUMNS if (schema.installed(connection) or 0) >= audit.SINCE else FIRST
    rows = connection.execute(select(*columns).order_by(deployments.c.started_at, deployments.c.id))
    return [DeploymentRecord(**row) for row in rows.mappings()]


def by_key(connection: Connection, key: str | None) -> DeploymentRecord | None:
    if key is None:
        return None
    row = connection.execute(select(*COLUMNS).where(deployments.c.idempotency_key == key)).first()
    return DeploymentRecord(*row) if row else None


def by_id(connection: Connection, deployment: int) -> DeploymentRecord | None:
    row = connection.execute(select(*COLUMNS).where(deployments.c.id == deployment)).first()
    return DeploymentRecord(*row) if row else None


def add(connection: Connection, values: Mapping[str, Any], kind: str) -> DeploymentRecord:
    """Record a deployment, with an event of this kind."""
    (made,) = connection.execute(insert(deployments).values(values)).inserted_primary_key or (None,)
    return told(connection, int(made or 0), kind)


def change(connection: Connection, deployment: int, values: Mapping[str, Any], kind: str) -> DeploymentRecord:
    connection.execute(update(deployments).where(deployments.c.id == deployment).values(values))
    return told(connection, deployment, kind)


def told(connection: Connection, deployment: int, kind: str) -> DeploymentRecord:
    record = DeploymentRecord(*connection.execute(select(*COLUMNS).where(deployments.c.id == deployment)).one())
    detail = {"application": record.application, "version": record.version}
    store.record_event(connection, kind, detail=detail, rows=[(deployments, {"id": deployment})])
    return record


def all_consumers(connection: Connection) -> list[ConsumerRecord]:
    """Every consumer that was registered, retired ones too; none in a ledger of an older version."""
    if (schema.installed(connection) or 0) < audit.SINCE:
        return []
    order = (consumers.c.application, consumers.c.environment, consumers.c.region)
    wanted = select(*(consumers.c[field.name] for field in fields(ConsumerRecord))).order_by(*order)
    return [ConsumerRecord(*row) for row in connection.execute(wanted)]


def put_consumer(
    connection: Connection, key: Mapping[str, str], values: Mapping[str, Any], kind: str
) -> ConsumerRecord:
    """Register a consumer, or change what is known of it."""
    same = [consumers.c[name] == value for name, value in key.items()]
    if connection.execute(select(consumers.c.kind).where(*same)).first() is None:
        connection.execute(insert(consumers).values({**key, **values}))
    else:
        connection.execute(update(consumers).where(*same).values(values))
    store.record_event(connection, kind, detail=dict(key), rows=[(consumers, key)])
    wanted = select(*(consumers.c[field.name] for field in fields(ConsumerRecord))).where(*same)
    return ConsumerRecord(*connection.execute(wanted).one())
