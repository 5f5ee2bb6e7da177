"""The verbs about consumers: who uses the database, and has to be heard of before a contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.deploying import recording
from migrator.errors import NotYet, UsageError
from migrator.runs import looking

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import ConsumerRecord
    from migrator.settings import Settings

KINDS = ("application", "worker", "cron", "reader", "tool")


def consumer_add(
    settings: Settings,
    application: str,
    *,
    environment: str = "production",
    region: str = "",
    kind: str = "application",
    owner: str = "",
) -> ConsumerRecord:
    """Register a consumer, or change what is known of it; one that was retired is there again.

    Raises:
        UsageError: no name, or no such kind.
    """
    from migrator.deployments import hold
    from migrator.ledger import deployed, store

    if not application.strip():
        raise UsageError("--app is empty", next_step="migrator consumer add --app NAME")
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r}", next_step=f"one of: {', '.join(KINDS)}")
    key = {"application": application, "environment": environment, "region": region}
    again = {"retired_at": None, "retired_by": None, "retired_because": None}
    values = {"kind": kind, "owner": owner, "registered_by": store.actor(), **again}
    with recording(settings) as session, session.transaction() as connection:
        hold(connection)
        return deployed.put_consumer(connection, key, values, "consumer added")


def consumer_retire(
    settings: Settings, application: str, *, environment: str = "production", region: str = "", reason: str
) -> ConsumerRecord:
    """Record that a consumer is gone for good. What it had counts as live until this moment.

    Raises:
        UsageError: nobody of this name is known, or no reason is given.
        NotYet: sessions of it are connected.
    """
    from migrator.deployments import hold
    from migrator.ledger import deployed, store
    from migrator.ledger.types import NOW

    if not reason.strip():
        raise UsageError("a consumer is retired with a reason", next_step='--reason "…"')
    key = {"application": application, "environment": environment, "region": region}
    with recording(settings) as session, session.transaction() as connection:
        hold(connection)
        consumers = deployed.all_consumers(connection)
        records = deployed.all_deployments(connection)
        places = [(c.application, c.environment, c.region) for c in consumers if c.retired_at is None]
        places += [(d.application, d.environment, d.region) for d in records]
        if tuple(key.values()) not in places:
            raise UsageError(
                f"{application} is not known in {environment}{'/' if region else ''}{region}",
                next_step="migrator consumer list",
            )
        refuse_connected(
            connection, application, alone=len({place for place in places if place[0] == application}) == 1
        )
        known = next((c for c in consumers if (c.application, c.environment, c.region) == tuple(key.values())), None)
        fresh = {"kind": "application", "owner": "", "registered_by": store.actor()} if known is None else {}
        gone = {"retired_at": NOW, "retired_by": store.actor(), "retired_because": reason}
        return deployed.put_consumer(connection, key, {**fresh, **gone}, "consumer retired")


def refuse_connected(connection: Connection, application: str, *, alone: bool) -> None:
    """Refuse to retire who is there. Of one with several places no session says which it is of."""
    from migrator.dialects import family
    from migrator.gathering import connected
    from phases.sessions import build_of

    found, _ = connected(connection, family(connection.dialect.name))
    there = [session for session in found or () if build_of(session.name, {application: {}})[0] is not None]
    if alone and there:
        raise NotYet(
            f"{application} is connected: {', '.join(map(str, there[:5]))}",
            next_step="stop it first",
            sessions=[session.pid for session in there],
        )


def consumers(settings: Settings) -> tuple[ConsumerRecord, ...]:
    """Every registered consumer, retired ones too. Writes nothing."""
    from migrator.ledger import deployed

    with looking(settings, "consumer") as session, session.transaction() as connection:
        return tuple(deployed.all_consumers(connection))
