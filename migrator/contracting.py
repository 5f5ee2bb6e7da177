"""Who may contract or purge now, asked in the transaction that begins it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from migrator.deployments import gate_facts, live_builds
from migrator.errors import NotYet
from migrator.ledger import store
from migrator.ledger.dialect import hold_deployments
from phases.gate import Verdict, judge

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

Guard = Callable[["Connection"], None]


@dataclass(frozen=True, slots=True)
class Override:
    """A reason for not waiting for the gate or the retention; kept in the ledger."""

    reason: str


def judge_gate(connection: Connection, settings: Settings, graph: RevisionGraph, revision: str) -> Verdict:
    """Judge the contract gate of a revision from records and the database's clock."""
    facts = gate_facts(connection, revision, graph.all_ancestors())
    return judge(facts, hours=settings.gate_hours)


def contract_guard(settings: Settings, graph: RevisionGraph, revision: str, override: Override | None) -> Guard:
    """Refuse a contract while the gate is closed, unless it is overridden with a reason.

    Deployments take the same lock shared: none can start between the verdict and
    the state that makes the floor refuse it.
    """

    def guard(connection: Connection) -> None:
        hold_deployments(connection, exclusive=True)
        verdict = judge_gate(connection, settings, graph, revision)
        if verdict.open:
            return
        if override is None:
            raise closed(revision, verdict)
        blocking = [condition.name for condition in verdict.conditions if not condition.holds]
        store.add_override(connection, revision, override.reason)
        store.record_event(
            connection,
            "gate overridden",
            revision=revision,
            detail={"reason": override.reason, "conditions": blocking},
        )

    return guard


def closed(revision: str, verdict: Verdict) -> NotYet:
    failing = [condition for condition in verdict.conditions if not condition.holds]
    until = f" until {verdict.opens_at:%Y-%m-%d %H:%M:%S %Z}" if verdict.opens_at else ""
    lines = "".join(f"\n  {condition.name}: {condition.evidence}" for condition in failing)
    return NotYet(
        f"the contract gate of {revision} is closed{until}{lines}",
        next_step=f"migrator gate {revision}",
        opens_at=verdict.opens_at.isoformat() if verdict.opens_at else None,
        conditions=[condition.name for condition in failing],
    )


def abort_guard(graph: RevisionGraph, revision: str) -> Guard:
    """Refuse an abort while a build that uses the new shape is live: its next statement would fail."""

    def guard(connection: Connection) -> None:
        hold_deployments(connection, exclusive=True)
        live = live_builds(connection, revision, graph.all_ancestors())
        if live:
            found = ", ".join(f"{d.application} {d.version} in {d.environment}" for d in live)
            raise NotYet(
                f"the new shape of {revision} is in use: {found}",
                next_step="deploy a build that does not use it, and record it: migrator deploy record",
                builds=[d.version for d in live],
            )

    return guard


def purge_guard(settings: Settings, graph: RevisionGraph, revision: str, override: Override | None) -> Guard:
    """Refuse a purge before the retention is over, unless it is overridden with a reason."""

    def guard(connection: Connection) -> None:
        record = store.revision(connection, revision)
        now = store.clock(connection)
        if record is None or record.state != "contracted":
            return
        due = record.updated_at + timedelta(seconds=settings.retention)
        if now >= due:
            return
        if override is None:
            raise NotYet(
                f"what {revision} removed is kept until {due:%Y-%m-%d %H:%M:%S %Z}",
                next_step=f"wait, or purge now for good: migrator apply --phase purge --to {revision}"
                ' --override --reason "…"',
                opens_at=due.isoformat(),
            )
        store.add_override(connection, revision, override.reason)
        store.record_event(connection, "retention overridden", revision=revision, detail={"reason": override.reason})

    del graph
    return guard
