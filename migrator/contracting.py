"""Who may contract or purge now, asked in the transaction that begins it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from migrator import overriding
from migrator.deployments import lineage, live_builds
from migrator.errors import NotYet, UsageError
from migrator.evidencing import required
from migrator.flagging import flag_readings, on_new_shape
from migrator.gathering import gate_facts
from migrator.ledger import store
from migrator.ledger.dialect import hold_deployments
from migrator.observing import readings
from phases.gate import judge
from phases.gate_facts import Policy, Verdict
from phases.gate_sessions import builds, tools

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import OverrideRecord
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

Guard = Callable[["Connection"], None]


@dataclass(frozen=True, slots=True)
class Override:
    """A reason for not waiting for the gate or the retention; kept in the ledger.

    Args:
        reason: why; empty: the override that was asked for before, and approved.
        code: kind of the reason, one of `phases.overrides.CODES`.
    """

    reason: str
    code: str = "other"


def policy(settings: Settings) -> Policy:
    """How much the gate has to know, as the settings say."""
    return Policy(settings.gate_hours, settings.policy == "strict", settings.clean_deployments)


def judge_gate(connection: Connection, settings: Settings, graph: RevisionGraph, revision: str) -> Verdict:
    """Judge the contract gate of a revision from records, what is seen, and the database's clock. Writes nothing."""
    facts = gate_facts(connection, revision, lineage(connection, graph))
    looks = readings(connection, settings, revision, builds(facts), tools(facts.consumers))
    asked = required(connection, settings)
    evidence = (*facts.evidence, *looks, *flag_readings(connection, revision))
    return judge(replace(facts, evidence=evidence, required=asked), policy(settings))


def contract_guard(settings: Settings, graph: RevisionGraph, revision: str, override: Override | None) -> Guard:
    """Refuse a contract while the gate is closed, unless it is overridden with a reason.

    Deployments take the same lock shared: none can start between the verdict and the state that makes the floor
    refuse it. What the gate was opened by, or who has overridden it, commits with that state.
    """

    def guard(connection: Connection) -> None:
        hold_deployments(connection, exclusive=True)
        verdict = judge_gate(connection, settings, graph, revision)
        if verdict.open:
            said = {condition.name: condition.evidence for condition in verdict.conditions}
            store.record_event(connection, "gate open", revision=revision, detail={"evidence": said})
            return
        if override is None:
            raise closed(revision, verdict)
        overriding.use(connection, permitted(connection, settings, revision, override, verdict), verdict, revision)

    return guard


def permitted(
    connection: Connection, settings: Settings, revision: str, override: Override, verdict: Verdict
) -> OverrideRecord:
    """The override that is meant: asked for before, or at once where nobody has to approve it.

    Raises:
        NotYet: somebody has to approve it first, or nobody can override what is in the way.
        UsageError: none was asked for.
    """
    request = f'migrator override request {revision} --reason "…"'
    if not override.reason:
        found = overriding.pending(connection, revision)
        if found is None:
            raise UsageError(f"no override of {revision} was asked for", next_step=request)
        return found
    needed = settings.override_approvals
    if needed:
        raise NotYet(f"an override takes approvals here: {needed} of somebody else", next_step=request)
    given = {"reason": override.reason, "code": override.code}
    return overriding.ask(connection, revision, verdict, needed=0, **given)


def closed(revision: str, verdict: Verdict) -> NotYet:
    failing = verdict.failing
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
        live = live_builds(connection, revision, lineage(connection, graph))
        if live:
            found = ", ".join(f"{d.application} {d.version} in {d.environment}" for d in live)
            raise NotYet(
                f"the new shape of {revision} is in use: {found}",
                next_step="deploy a build that does not use it, and record it: migrator deploy record",
                builds=[d.version for d in live],
            )
        if flags := on_new_shape(connection, revision):
            found = ", ".join(f"flag {each.flag} of {each.application} in {each.environment}" for each in flags)
            raise NotYet(
                f"users have variants that need the new shape of {revision}: {found}",
                next_step=f"migrator rollout run --strategy toggle --variant {flags[0].toggle['legacy']}",
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
        if not override.reason:
            raise UsageError("an override of the retention needs a reason", next_step='--override --reason "…"')
        values = {"revision": revision, "reason": override.reason, "code": override.code, "actor": store.actor()}
        overriding.add(connection, {**values, "used_at": now}, "retention overridden", [f"kept until {due}"])

    del graph
    return guard
