"""The verbs of `migrator` as functions that return frozen values.

The command line is a thin caller of this module. Functions that only look open
no runner lock and write nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from migrator.database import Session, connect, refuse_shared_backend, require_writable, take_runner_lock
from migrator.errors import NotYet, UsageError
from migrator.events import Observer, ignore
from migrator.execution import Execution, Outcome
from migrator.performance import LockPolicy, Performer
from migrator.planning import Plan, Recorded, RevisionPlan, build_plan, dialect_for, finished
from phases.backfill import Pacing
from phases.gate import Verdict
from phases.model import Phase

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import DeploymentRecord, EventRecord
    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings

BEFORE_CONTRACT = (Phase.EXPAND, Phase.MIGRATE)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a run did: its steps in order, and the state each revision is in by now."""

    outcomes: tuple[Outcome, ...]
    states: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Override:
    """A reason for not waiting for the gate or the retention; kept in the ledger."""

    reason: str


def load_graph(settings: Settings) -> RevisionGraph:
    """Read the revision files.

    Raises:
        RevisionError: a file or the graph is wrong.
    """
    from migrator.revisions import RevisionGraph

    return RevisionGraph.load(settings)


@contextmanager
def looking(settings: Settings, verb: str) -> Iterator[Session]:
    """A session that only reads."""
    with connect(settings.require_url(), verb) as session:
        yield session


@contextmanager
def running(settings: Settings, verb: str) -> Iterator[Session]:
    """A session that holds the runner lock.

    Raises:
        NotSupportedHere: a replica, a read-only role or a transaction-mode pooler.
        RunnerBusy: another runner is at work.
    """
    with connect(settings.require_url(), verb) as session:
        require_writable(session)
        refuse_shared_backend(settings.require_url(), session)
        take_runner_lock(session)
        yield session


def install_ledger(session: Session) -> None:
    """Create the ledger where there is none."""
    from migrator.ledger import schema

    with session.transaction() as connection:
        schema.install(connection)


def recorded(session: Session) -> Recorded:
    """What the database remembers. Writes nothing, not even where there is no ledger."""
    from migrator.alembic_support import stamped
    from migrator.ledger import schema, store

    with session.transaction() as connection:
        heads = frozenset(stamped(connection))
        if schema.installed(connection) is None:
            return Recorded(heads, {}, {})
        revisions = store.revisions(connection)
        steps = store.all_steps(connection)
        return Recorded(heads, revisions, {name: steps.get(name, ()) for name in revisions})


def planned(session: Session, graph: RevisionGraph, to: str | None, *, strict: bool = True) -> Plan:
    from migrator.introspection import read_catalog, volatility_reader

    memory = recorded(session)
    with session.transaction() as connection:
        catalog = read_catalog(connection)
        dialect = dialect_for(session.server, volatility_reader(connection))
        return build_plan(graph, catalog, dialect, memory, to, strict=strict)


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
        return planned(session, graph, graph.resolve(to) if to else None, strict=strict)


def execution(settings: Settings, session: Session, graph: RevisionGraph, observer: Observer) -> Execution:
    """An execution as the settings say, stamping Alembic's table where a revision may be released."""
    policy = LockPolicy(
        timeout_ms=settings.lock_timeout_ms,
        attempts=settings.lock_retries,
        give_up_after=settings.lock_give_up,
    )
    pacing = Pacing(target_seconds=settings.batch_target)
    performer = Performer(session, policy, pacing, observer)

    def on_state(connection: Connection, revision: str, state: str) -> None:
        from migrator.release import follow

        follow(connection, graph, revision, state)

    return Execution(performer, on_state)


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
        NotYet: the gate is closed, or the retention is not over.
        MigratorError: what stopped the run; the next one continues.
    """
    graph = load_graph(settings)
    target = graph.resolve(to) if to else None
    with running(settings, "apply") as session:
        work = execution(settings, session, graph, observer)
        finishing = phase in (Phase.CONTRACT, Phase.PURGE)
        planned(session, graph, target, strict=not finishing)  # what is refused leaves no trace in the database
        install_ledger(session)
        if finishing and phase is not None:
            _finish(settings, work, graph, phase, target, override)
        else:
            _advance(work, graph, target, BEFORE_CONTRACT if phase is None else (phase,))
        states = {name: record.state for name, record in recorded(session).revisions.items()}
        return Applied(tuple(work.outcomes), states)


def _advance(work: Execution, graph: RevisionGraph, to: str | None, phases: tuple[Phase, ...]) -> None:
    """Expand and migrate, one revision after another, each planned on what is really there."""
    states = {
        (Phase.EXPAND, None): True,
        (Phase.EXPAND, "expanding"): True,
        (Phase.MIGRATE, "expanded"): True,
        (Phase.MIGRATE, "migrating"): True,
    }
    for name in [item.revision for item in planned(work.session, graph, to).revisions]:
        refuse_half_undone(work, name)
        for phase in phases:
            state = state_of(work, name)
            if not states.get((phase, state)):
                continue
            if state is None:
                item = next(i for i in planned(work.session, graph, name).revisions if i.revision == name)
                work.begin(graph[name], item)
            work.run_phase(name, phase)


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
) -> None:
    """Contract or purge: the named revision, or every one whose time has come."""
    from migrator.contracting import contract_guard, purge_guard

    ready = ("migrated", "contracting") if phase is Phase.CONTRACT else ("contracted", "purging")
    unfinished = planned(work.session, graph, to, strict=False).revisions
    chosen = [item for item in unfinished if item.state in ready and to in (None, item.revision)]
    if not chosen and any(item.revision == to for item in unfinished):
        refuse_too_early(work, str(to), phase)
    closed: list[NotYet] = []
    for item in chosen:
        refuse_half_undone(work, item.revision)
        make = contract_guard if phase is Phase.CONTRACT else purge_guard
        guard = make(settings, graph, item.revision, override)
        try:
            work.run_phase(item.revision, phase, guard)
        except NotYet as not_yet:
            if to is not None:
                raise
            closed.append(not_yet)
    if closed and len(closed) == len(chosen):
        raise closed[0]


def refuse_too_early(work: Execution, revision: str, phase: Phase) -> None:
    """Refuse a phase whose turn has not come; one that is over is nothing to do.

    A run that was killed right after its last commit is run again, too.
    """
    refuse_half_undone(work, revision)
    state = state_of(work, revision) or "not started"
    before = ("not started", "expanding", "expanded", "migrating")
    if state in before or (phase is Phase.PURGE and state in ("migrated", "contracting")):
        earlier = "migrator apply" if state in before else f"migrator apply --phase contract --to {revision}"
        raise UsageError(f"revision {revision} is {state}: it is too early to {phase} it", next_step=earlier)


def abort(settings: Settings, revision: str, *, discard: bool = False, observer: Observer = ignore) -> Applied:
    """Take the expand and migrate phases of a revision back.

    Raises:
        UsageError: a later revision builds on it, its contract has begun, or data would be lost.
    """
    graph = load_graph(settings)
    name = graph.resolve(revision)
    with running(settings, "abort") as session:
        install_ledger(session)
        work = execution(settings, session, graph, observer)
        later = [r for r in recorded(session).revisions if r != name and r in graph and name in graph.ancestors(r)]
        if later:
            raise UsageError(f"revision {later[-1]} builds on {name}", next_step=f"first: migrator abort {later[-1]}")
        work.abort(name, discard=discard)
        return Applied(tuple(work.outcomes), {})


def restore(settings: Settings, revision: str, *, observer: Observer = ignore) -> Applied:
    """Take the contract of a revision back.

    Raises:
        UsageError: it is not that far, or it was purged.
    """
    graph = load_graph(settings)
    name = graph.resolve(revision)
    with running(settings, "restore") as session:
        install_ledger(session)
        work = execution(settings, session, graph, observer)
        work.restore(name)
        return Applied(tuple(work.outcomes), {name: "migrated"})


@dataclass(frozen=True, slots=True)
class Verified:
    """Rows compared by a verification that found no difference."""

    revision: str
    rows: int


def verify(settings: Settings, revision: str | None = None, *, observer: Observer = ignore) -> tuple[Verified, ...]:
    """Compare old and new shape of every migrated revision, or of one.

    Raises:
        VerificationFailed: rows differ; names some of them.
    """
    graph = load_graph(settings)
    with looking(settings, "verify") as session:
        work = execution(settings, session, graph, observer)
        memory = recorded(session).revisions
        wanted = [graph.resolve(revision)] if revision else list(memory)
        migrated = [name for name in wanted if name in memory and memory[name].state == "migrated"]
        if revision and not migrated:
            raise UsageError(f"revision {wanted[0]} is not between migrate and contract", next_step="migrator status")
        return tuple(Verified(name, work.verify(name)) for name in migrated)


@dataclass(frozen=True, slots=True)
class Status:
    """Where every started or pending revision stands. `rows`: backfilled so far, by revision."""

    revisions: tuple[RevisionPlan, ...]
    heads: frozenset[str]
    runner: str | None
    clock: datetime
    rows: Mapping[str, int]
    events: tuple[EventRecord, ...]


def status(settings: Settings, *, events: int = 0) -> Status:
    """Look at the ledger and the revision files.

    Args:
        events: how many entries of the audit log to read, newest first.
    """
    from migrator.database import runner_owner
    from migrator.ledger import schema, store

    graph = load_graph(settings)
    with looking(settings, "status") as session:
        found = planned(session, graph, None, strict=False)
        rows: dict[str, int] = {}
        log: tuple[EventRecord, ...] = ()
        with session.transaction() as connection:
            if schema.installed(connection) is not None:
                rows = store.rows_done(connection)
                log = tuple(store.events(connection, events)) if events else ()
        return Status(found.revisions, recorded(session).heads, runner_owner(session), clock(session), rows, log)


def clock(session: Session) -> datetime:
    """The database's clock: the only one that decides anything."""
    rows = session.query("SELECT clock_timestamp()")
    moment: datetime = rows[0][0]
    return moment


def gate(settings: Settings, revision: str | None = None) -> Mapping[str, Verdict]:
    """Judge the contract gate of one revision, or of every migrated one. Writes nothing."""
    from migrator.contracting import judge_gate

    graph = load_graph(settings)
    with looking(settings, "gate") as session:
        memory = recorded(session)
        waiting = [n for n, r in memory.revisions.items() if r.state == "migrated" and not finished(r, memory.steps[n])]
        names = [graph.resolve(revision)] if revision else waiting
        if revision and names[0] not in memory.revisions:
            raise UsageError(f"revision {names[0]} has not been started", next_step="migrator plan")
        with session.transaction() as connection:
            return {name: judge_gate(connection, settings, graph, name) for name in names}


@dataclass(frozen=True, slots=True)
class Build:
    """A build that is deployed somewhere.

    Args:
        shape: newest revision whose new shape it uses; None: the head of this checkout; `none`: none.
        survives: newest revision whose contract it survives; None: the same as `shape`.
        key: the same key is recorded once.
    """

    application: str
    version: str
    environment: str = "production"
    shape: str | None = None
    survives: str | None = None
    strategy: str = "rolling"
    key: str | None = None
    commit: str | None = None


def shape_of(graph: RevisionGraph, given: str | None) -> str | None:
    """The revision a build names, or the one head of the checkout.

    Raises:
        RevisionError: no such revision.
        UsageError: the checkout has several heads, so one has to be named.
    """
    if given == "none":
        return None
    if given is not None:
        return graph.resolve(given)
    if len(graph.heads) > 1:
        raise UsageError(
            f"this checkout has several heads: {', '.join(graph.heads)}",
            next_step="name one: --shape REVISION",
        )
    return graph.heads[0] if graph.heads else None


@contextmanager
def recording(settings: Settings) -> Iterator[Session]:
    """A session that writes deployment records: beside a runner, so without its lock."""
    with connect(settings.require_url(), "deploy") as session:
        require_writable(session)
        install_ledger(session)
        yield session


def deploy_start(settings: Settings, build: Build) -> DeploymentRecord:
    """Record that a deployment begins.

    Raises:
        NotYet: the build reads a shape that is not there yet, or uses one that is gone.
    """
    graph = load_graph(settings)
    with recording(settings) as session, session.transaction() as connection:
        return _start(connection, graph, build)


def _start(connection: Connection, graph: RevisionGraph, build: Build) -> DeploymentRecord:
    from migrator.alembic_support import stamped
    from migrator.deployments import start_deployment
    from migrator.planning import stamped_revisions

    uses = shape_of(graph, build.shape)
    return start_deployment(
        connection,
        application=build.application,
        version=build.version,
        environment=build.environment,
        strategy=build.strategy,
        uses=uses,
        survives=shape_of(graph, build.survives) if build.survives else uses,
        ancestors=graph.all_ancestors(),
        applied=stamped_revisions(graph, frozenset(stamped(connection))),
        key=build.key,
        commit=build.commit,
    )


def deploy_record(settings: Settings, build: Build) -> DeploymentRecord:
    """Record a deployment that is done, in one go.

    Raises:
        NotYet: the build may not run now.
    """
    from migrator.deployments import finish_deployment

    graph = load_graph(settings)
    with recording(settings) as session, session.transaction() as connection:
        started = _start(connection, graph, build)
        return finish_deployment(connection, started.id, "succeeded")


def deploy_finish(
    settings: Settings, application: str, environment: str, version: str | None, status: str
) -> DeploymentRecord:
    """Record how the running deployment of an application ended.

    Raises:
        UsageError: none is running.
    """
    from migrator.deployments import finish_deployment, running_deployment

    with recording(settings) as session, session.transaction() as connection:
        running = running_deployment(connection, application, environment, version)
        return finish_deployment(connection, running.id, status)


def deployments(settings: Settings) -> tuple[DeploymentRecord, ...]:
    """Every recorded deployment, oldest first. Writes nothing."""
    from migrator.deployments import all_deployments
    from migrator.ledger import schema

    with looking(settings, "deploy") as session, session.transaction() as connection:
        if schema.installed(connection) is None:
            return ()
        return tuple(all_deployments(connection))
