"""The verbs about the audit log: was anything changed by hand, and what happened when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrator.errors import UsageError
from migrator.runs import looking

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.settings import Settings


@dataclass(frozen=True, slots=True)
class Audit:
    """What was found.

    Args:
        findings: what somebody changed by hand, each in one sentence.
        events: how many the chain has.
        head: hash of the last one; empty where there is no chain.
        accepted: findings that somebody has accepted since, with who and why.
    """

    findings: tuple[str, ...]
    events: int
    head: str
    accepted: tuple[Mapping[str, Any], ...] = ()


def audit_verify(settings: Settings, *, head: str | None = None) -> Audit:
    """Compare records with the audit log, and the log with its chain. Writes nothing.

    Args:
        head: hash of an event that was exported before; it has to be in the chain still.
    """
    with looking(settings, "audit") as session, session.transaction() as connection:
        return looked(connection, head)


def looked(connection: Connection, head: str | None = None) -> Audit:
    from migrator.ledger import audit, schema

    if (schema.installed(connection) or 0) < audit.SINCE:
        return Audit((f"there is no chain that has {head}",) if head else (), 0, "")
    found, events = audit.findings(connection), audit.everything(connection)
    if head is not None and head not in [event["hash"] for event in events]:
        found.append(f"the chain does not have {head}: events were removed, or written anew")
    accepted = [
        {"at": event["at"], "actor": event["actor"], **dict(event["detail"])}
        for event in events
        if event["kind"] == audit.ACCEPTED
    ]
    kept = [{name: value for name, value in item.items() if name != "rows"} for item in accepted]
    return Audit(tuple(found), *audit.head(connection), tuple(kept))


def audit_export(settings: Settings) -> tuple[Mapping[str, Any], ...]:
    """Every event, oldest first, with its hash. Writes nothing."""
    from migrator.ledger import audit, schema, store

    with looking(settings, "audit") as session, session.transaction() as connection:
        version = schema.installed(connection)
        if version is None:
            return ()
        if version < audit.SINCE:
            return tuple(
                {name: getattr(event, name) for name in ("id", *audit.SHARED)}
                for event in reversed(store.events(connection, limit=10**9))
            )
        return tuple(audit.everything(connection))


def audit_accept(settings: Settings, reason: str) -> Audit:
    """Take records and log as they are, once somebody has looked at what was found; that stays in the log.

    Raises:
        UsageError: nothing was found, or no reason is given.
    """
    from migrator.deploying import recording
    from migrator.deployments import hold
    from migrator.ledger import audit

    if not reason.strip():
        raise UsageError("findings are accepted with a reason", next_step='--reason "…"')
    with recording(settings) as session, session.transaction() as connection:
        hold(connection)
        found = audit.findings(connection)
        if not found:
            raise UsageError("nothing was changed by hand, so there is nothing to accept")
        audit.take_over(connection, audit.ACCEPTED, {"reason": reason.strip(), "findings": found})
        return looked(connection)
