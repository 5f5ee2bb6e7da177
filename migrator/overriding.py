"""Overrides: asked for, approved by somebody else where that is wanted, used once, in the contract's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from migrator.errors import NotYet, UsageError
from migrator.ledger import audit, store
from migrator.ledger.records import OverrideRecord
from migrator.ledger.tables import approvals, overrides
from migrator.ledger.types import NOW
from phases.overrides import CODES, LIFE, Permission, never, refusal

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from phases.gate_facts import Verdict

NAMES = "id revision reason actor created_at code blockers needed expires_at used_at".split()
COLUMNS = [overrides.c[name] for name in NAMES]


def made(connection: Connection, row: Row[Any]) -> OverrideRecord:
    values: dict[str, Any] = dict(zip(NAMES, row, strict=True))
    who = select(approvals.c.actor).where(approvals.c.override_id == values["id"]).order_by(approvals.c.at)
    values["blockers"] = tuple(values["blockers"] or ())
    return OverrideRecord(**values, approvers=tuple(connection.execute(who).scalars()))


def all_overrides(connection: Connection) -> list[OverrideRecord]:
    """Every override, oldest first."""
    return [made(connection, row) for row in connection.execute(select(*COLUMNS).order_by(overrides.c.id))]


def by_id(connection: Connection, number: int) -> OverrideRecord:
    """One override.

    Raises:
        UsageError: there is none of this number.
    """
    row = connection.execute(select(*COLUMNS).where(overrides.c.id == number)).first()
    if row is None:
        raise UsageError(f"there is no override {number}", next_step="migrator override list")
    return made(connection, row)


def pending(connection: Connection, revision: str) -> OverrideRecord | None:
    """The newest override of a revision that has not been used."""
    found = [item for item in all_overrides(connection) if item.revision == revision and item.expires_at is not None]
    return found[-1] if found and found[-1].used_at is None else None


def ask(
    connection: Connection, revision: str, verdict: Verdict, *, reason: str, code: str, needed: int
) -> OverrideRecord:
    """Record that somebody asks to contract before the gate opens, naming exactly what is in the way.

    Raises:
        NotYet: what is in the way cannot be overridden.
        UsageError: no such code, or nothing is in the way.
    """
    if code not in CODES:
        raise UsageError(f"there is no reason code {code!r}", next_step=f"one of: {', '.join(CODES)}")
    if never(verdict):
        raise impossible(revision, verdict)
    if verdict.open:
        raise UsageError(
            f"the gate of {revision} is open", next_step=f"migrator apply --phase contract --to {revision}"
        )
    now = store.clock(connection)
    values = {
        "revision": revision,
        "reason": reason,
        "actor": store.actor(),
        "created_at": now,
        "code": code,
        "blockers": [condition.name for condition in verdict.failing],
        "needed": needed,
        "expires_at": now + LIFE,
    }
    return add(connection, values, "override asked for", evidence(verdict))


def add(connection: Connection, values: dict[str, object], kind: str, said: Sequence[str]) -> OverrideRecord:
    (number,) = connection.execute(insert(overrides).values(values)).inserted_primary_key or (None,)
    detail = {"reason": values["reason"], "code": values.get("code", "other"), "evidence": list(said)}
    revision = str(values["revision"])
    store.record_event(connection, kind, revision=revision, detail=detail, rows=[(overrides, {"id": number})])
    return by_id(connection, int(number or 0))


def evidence(verdict: Verdict) -> list[str]:
    return [f"{condition.name}: {condition.evidence}" for condition in verdict.failing]


def approve(connection: Connection, number: int) -> OverrideRecord:
    """Record that somebody other than who asked approves. Saying it twice is no change.

    Raises:
        UsageError: there is no such override, it is used or over, or who asked for it approves it.
    """
    audit.hold(connection)
    record, who = by_id(connection, number), store.actor()
    if record.used_at is not None or record.expires_at is None or store.clock(connection) >= record.expires_at:
        raise UsageError(f"override {number} is used or over", next_step="ask again: migrator override request")
    if who == record.actor:
        raise UsageError(
            f"{who} has asked for it, so somebody else has to approve it",
            next_step=f"as somebody else: migrator override approve {number}; MIGRATOR_ACTOR says who",
        )
    if who in record.approvers:
        return record
    key = {"override_id": number, "actor": who}
    connection.execute(insert(approvals).values(key))
    rows = [(approvals, key)]
    store.record_event(connection, "override approved", revision=record.revision, detail={"id": number}, rows=rows)
    return by_id(connection, number)


def use(connection: Connection, record: OverrideRecord, verdict: Verdict, revision: str) -> None:
    """Let a contract through, in its transaction.

    Raises:
        NotYet: the override is over, used, not approved, or for other blockers.
    """
    audit.hold(connection)  # in the order of whoever approves
    found = by_id(connection, record.id)
    why = refusal(permission(found), verdict, revision, store.clock(connection))
    if why:
        raise NotYet(
            f"override {record.id} does not let the contract of {revision} through: {why}",
            next_step=f"migrator override approve {record.id}, or ask again: migrator override request {revision}",
            override=record.id,
            conditions=[condition.name for condition in verdict.failing],
        )
    connection.execute(update(overrides).where(overrides.c.id == record.id).values(used_at=NOW))
    detail = {
        "reason": found.reason,
        "code": found.code,
        "override": found.id,
        "conditions": [condition.name for condition in verdict.failing],
        "evidence": evidence(verdict),
    }
    rows = [(overrides, {"id": record.id})]
    store.record_event(connection, "gate overridden", revision=revision, detail=detail, rows=rows)


def permission(record: OverrideRecord) -> Permission:
    return Permission(
        record.revision,
        frozenset(record.blockers),
        record.actor,
        record.expires_at or record.created_at,
        record.used_at,
        record.approvers,
        record.needed,
    )


def impossible(revision: str, verdict: Verdict) -> NotYet:
    found = "".join(f"\n  {said}" for said in never(verdict))
    return NotYet(
        f"no override lets the contract of {revision} through:{found}",
        next_step=f"migrator gate {revision}",
        conditions=[condition.name for condition in verdict.failing if not condition.overridable],
    )
