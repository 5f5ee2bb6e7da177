"""The verbs of `migrator` as functions that return frozen values.

The command line is a thin caller of this module. Functions that only look open
no runner lock and write nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.auditing import Audit as Audit
from migrator.auditing import audit_accept as audit_accept
from migrator.auditing import audit_export as audit_export
from migrator.auditing import audit_verify as audit_verify
from migrator.build_checks import Checked as Checked
from migrator.build_checks import deploy_check as deploy_check
from migrator.consuming import consumer_add as consumer_add
from migrator.consuming import consumer_retire as consumer_retire
from migrator.consuming import consumers as consumers
from migrator.contracting import Override as Override
from migrator.contracting import abort_guard, contract_guard, judge_gate, purge_guard
from migrator.controlling import Asked as Asked
from migrator.controlling import pause as pause
from migrator.controlling import resume as resume
from migrator.controlling import throttle as throttle
from migrator.deploying import Build as Build
from migrator.deploying import Lived as Lived
from migrator.deploying import deploy_finish as deploy_finish
from migrator.deploying import deploy_record as deploy_record
from migrator.deploying import deploy_start as deploy_start
from migrator.deploying import deploy_stop as deploy_stop
from migrator.deploying import deployments as deployments
from migrator.errors import NotYet, UsageError
from migrator.estimating import PlanEstimate, estimated, refuse_shortage
from migrator.events import NotChecked, Observer, ignore
from migrator.execution import Execution, Outcome
from migrator.importing import Imported as Imported
from migrator.importing import deploy_import as deploy_import
from migrator.importing import import_job as import_job
from migrator.imports.reported import Given as Given
from migrator.notices import noticed
from migrator.observing import Look as Look
from migrator.observing import Observed as Observed
from migrator.observing import observe as observe
from migrator.permitting import override_approve as override_approve
from migrator.permitting import override_request as override_request
from migrator.permitting import overrides as overrides
from migrator.planning import Plan, finished
from migrator.repairing import Verified as Verified
from migrator.repairing import verify as verify
from migrator.rolling_out import Rollout as Rollout
from migrator.rolling_out import rollout_ask as rollout_ask
from migrator.rolling_out import rollout_files as rollout_files
from migrator.rolling_out import rollout_go_on as rollout_go_on
from migrator.rolling_out import rollout_run as rollout_run
from migrator.rolling_out import rollout_status as rollout_status
from migrator.runs import (
    execution,
    load_graph,
    looking,
    open_ledger,
    planned,
    recorded,
    running,
)
from migrator.status import Status as Status
from migrator.status import rows_aside as rows_aside
from migrator.status import status as status
from phases.gate_facts import Verdict
from phases.model import Phase

if TYPE_CHECKING:
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

BEFORE_CONTRACT = (Phase.EXPAND, Phase.MIGRATE)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run did: its steps in order, and the state each revision is in by now.

    `not_checked`: questions about existing rows that took too long, and which step finds the answer.
    """

    outcomes: tuple[Outcome, ...]
    states: Mapping[str, str]
    not_checked: tuple[NotChecked, ...] = ()


def plan(settings: Settings, to: str | None = None, *, strict: bool = True) -> Plan:
    """Say what would be done, in which steps, under which locks.

    Args:
        to: plan no further than this revision.
        strict: False puts down why a pending revision cannot be planned, and goes on.

    Raises:
        PlanRefused, RevisionError: naming file and line.
    """
    graph = load_graph(settings)
    with looking(settings, "plan") as session:
        return noticed(session, planned(session, graph, graph.resolve(to) if to else None, strict=strict))


def estimate(settings: Settings, to: str | None = None) -> tuple[Plan, PlanEstimate]:
    """A plan, and what each step that is still to do costs on this database.

    Args:
        to: plan no further than this revision.

    Raises:
        PlanRefused, RevisionError: naming file and line.
    """
    graph = load_graph(settings)
    with looking(settings, "plan") as session:
        found = noticed(session, planned(session, graph, graph.resolve(to) if to else None))
        return found, estimated(session, settings, found)


def apply(
    settings: Settings,
    *,
    phase: Phase | None = None,
    to: str | None = None,
    override: Override | None = None,
    observer: Observer = ignore,
) -> Applied:
    """Run what may run.

    Without `phase`, every pending revision is expanded and migrated. A contract
    and a purge are only run when asked for by name.

    Args:
        phase: run only this phase.
        to: go no further than this revision; for contract and purge: this one alone.
        override: contract before the gate opens, or purge before the retention is over.

    Raises:
        PlanRefused: an operation cannot be done safely, or `free_disk` is too little.
        NotYet: the gate is closed, or the retention is not over.
        MigratorError: what stopped the run; the next one continues.
    """
    graph = load_graph(settings)
    target = graph.resolve(to) if to else None
    with running(settings, "apply") as session:
        work = execution(settings, session, graph, observer)
        finishing = phase in (Phase.CONTRACT, Phase.PURGE)
        found = planned(session, graph, target, strict=not finishing)  # what is refused leaves no trace
        if settings.free_disk is not None:
            refuse_shortage(estimated(session, settings, found, BEFORE_CONTRACT if phase is None else (phase,)))
        open_ledger(session, graph)
        if finishing and phase is not None:
            _finish(settings, work, graph, phase, target, override, found)
        else:
            _advance(work, graph, target, BEFORE_CONTRACT if phase is None else (phase,), found)
        states = {name: record.state for name, record in recorded(session, graph).revisions.items()}
        return Applied(tuple(work.outcomes), states, tuple(work.not_checked))


def retry(settings: Settings, revision: str, *, observer: Observer = ignore) -> Applied:
    """Try the rows that a backfill has set aside once more; where none is left, finish the migrate phase.

    Raises:
        UsageError: the revision has no migrate phase under way.
        RowsSetAside: some rows fail still.
    """
    graph = load_graph(settings)
    name = graph.resolve(revision)
    with running(settings, "retry") as session:
        work = execution(settings, session, graph, observer)
        planned(session, graph, name, strict=False)  # an edited revision is refused here
        open_ledger(session, graph)
        refuse_half_undone(work, name)
        state = state_of(work, name) or "not started"
        if state == "migrating":
            work.run_phase(name, Phase.MIGRATE)
        elif state != "migrated":  # where a run may have been killed right after its last commit
            raise UsageError(f"revision {name} is {state}: it has set no rows aside", next_step="migrator status")
        return Applied(tuple(work.outcomes), {name: "migrated"})


def _advance(
    work: Execution, graph: RevisionGraph, to: str | None, phases: tuple[Phase, ...], found: Plan | None
) -> None:
    """Expand and migrate, one revision after another, each planned on what is really there.

    Args:
        found: the plan as long as nothing was run.
    """
    states = {
        (Phase.EXPAND, None): True,
        (Phase.EXPAND, "expanding"): True,
        (Phase.MIGRATE, "expanded"): True,
        (Phase.MIGRATE, "migrating"): True,
    }
    for name in [item.revision for item in (found or planned(work.session, graph, to)).revisions]:
        refuse_half_undone(work, name)
        for phase in phases:
            state = state_of(work, name)
            if not states.get((phase, state)):
                continue
            if state is None:
                plan = found or planned(work.session, graph, name)
                work.begin(graph[name], next(item for item in plan.revisions if item.revision == name))
            found = None
            work.run_phase(name, phase, last=phase is phases[-1])


def state_of(work: Execution, revision: str) -> str | None:
    from migrator.ledger import store

    with work.session.transaction() as connection:
        record = store.revision(connection, revision)
    return record.state if record else None


def refuse_half_undone(work: Execution, revision: str) -> None:
    """Refuse to go forward where an undo was interrupted."""
    state = state_of(work, revision)
    verbs = {"aborting": "abort", "restoring": "restore"}
    if state in verbs:
        raise UsageError(
            f"revision {revision} is {state}: an interrupted undo has to be finished first",
            next_step=f"migrator {verbs[state]} {revision}",
        )


def _finish(
    settings: Settings,
    work: Execution,
    graph: RevisionGraph,
    phase: Phase,
    to: str | None,
    override: Override | None,
    found: Plan,
) -> None:
    """Contract or purge: the named revision, or every one whose time has come."""
    ready = ("migrated", "contracting") if phase is Phase.CONTRACT else ("contracted", "purging")
    unfinished = found.revisions
    chosen = [item for item in unfinished if item.state in ready and to in (None, item.revision)]
    if not chosen and any(item.revision == to for item in unfinished):
        refuse_too_early(work, str(to), phase)
    closed: list[NotYet] = []
    for item in chosen:
        refuse_half_undone(work, item.revision)
        make = contract_guard if phase is Phase.CONTRACT else purge_guard
        guard = make(settings, graph, item.revision, override)
        try:
            if phase is Phase.CONTRACT and item.state == "migrated":
                look_again(settings, work, graph, item.revision, override)
            work.run_phase(item.revision, phase, guard)
        except NotYet as not_yet:
            if to is not None:
                raise
            closed.append(not_yet)
    if closed and len(closed) == len(chosen):
        raise closed[0]


def look_again(
    settings: Settings, work: Execution, graph: RevisionGraph, revision: str, override: Override | None
) -> None:
    """Where the gate lets the contract through, compare every row once more: whoever writes past the triggers
    may have come after migrate, and what is different then would be lost. Then wait for the replicas.

    Raises:
        DriftFound: somebody changed what the contract relies on.
        VerificationFailed: rows differ; the contract has not begun.
        NotYet: a replica has not replayed what came before; the contract has not begun.
    """
    from migrator.ledger import verifications

    with work.session.transaction() as connection:
        passes = override is not None or judge_gate(connection, settings, graph, revision).open
        if passes:
            work.drift.refuse(connection, revision)
    if passes:
        work.verify(revision, verifications.CONTRACT)
        work.catch_up(revision, f"the contract of {revision}")


def refuse_too_early(work: Execution, revision: str, phase: Phase) -> None:
    """Refuse a phase whose turn has not come; one that is over is nothing to do.

    A run that was killed right after its last commit is run again, too.
    """
    refuse_half_undone(work, revision)
    state = state_of(work, revision) or "not started"
    before = ("not started", "expanding", "expanded", "migrating")
    if state in before or (phase is Phase.PURGE and state in ("migrated", "contracting")):
        earlier = "migrator apply" if state in before else f"migrator apply --phase contract --to {revision}"
        aside = len(rows_aside(work.session).get(revision, ()))
        if aside:
            state += f", and {aside} of its rows {'is' if aside == 1 else 'are'} set aside"
            earlier = f"mend them, then: migrator retry {revision}"
        raise UsageError(f"revision {revision} is {state}: it is too early to {phase} it", next_step=earlier)


def abort(settings: Settings, revision: str, *, discard: bool = False, observer: Observer = ignore) -> Applied:
    """Take the expand and migrate phases of a revision back.

    Raises:
        UsageError: a later revision builds on it, its contract has begun, or data would be lost.
        NotYet: a build that uses the new shape is live.
    """
    graph = load_graph(settings)
    name = graph.resolve(revision)
    with running(settings, "abort") as session:
        open_ledger(session, graph)
        work = execution(settings, session, graph, observer)
        later = [
            r for r in recorded(session, graph).revisions if r != name and r in graph and name in graph.ancestors(r)
        ]
        if later:
            raise UsageError(f"revision {later[-1]} builds on {name}", next_step=f"first: migrator abort {later[-1]}")
        work.abort(name, discard=discard, guard=abort_guard(graph, name))
        return Applied(tuple(work.outcomes), {})


def restore(settings: Settings, revision: str, *, observer: Observer = ignore) -> Applied:
    """Take the contract of a revision back.

    Raises:
        UsageError: it is not that far, or it was purged.
        NotYet: a replica has not replayed what came before; nothing was done.
    """
    graph = load_graph(settings)
    name = graph.resolve(revision)
    with running(settings, "restore") as session:
        open_ledger(session, graph)
        work = execution(settings, session, graph, observer)
        if state_of(work, name) in ("contracting", "contracted"):
            work.catch_up(name, f"the restore of {name}")
        work.restore(name)
        return Applied(tuple(work.outcomes), {name: "migrated"})


def gate(settings: Settings, revision: str | None = None) -> Mapping[str, Verdict]:
    """Judge the contract gate of one revision, or of every migrated one. Writes nothing."""
    graph = load_graph(settings)
    with looking(settings, "gate") as session:
        memory = recorded(session, graph)
        waiting = [n for n, r in memory.revisions.items() if r.state == "migrated" and not finished(r, memory.steps[n])]
        names = [graph.resolve(revision)] if revision else waiting
        if revision and names[0] not in memory.revisions:
            raise UsageError(f"revision {names[0]} has not been started", next_step="migrator plan")
        with session.transaction() as connection:
            return {name: judge_gate(connection, settings, graph, name) for name in names}
