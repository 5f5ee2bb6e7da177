"""Sessions, and what a run needs to know: the ground the verbs stand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from migrator.binlog import shorten
from migrator.crew import Crew
from migrator.database import Session, connect, refuse_shared_backend, require_writable
from migrator.events import Observer, ignore
from migrator.execution import Execution
from migrator.functions import Functions, function_of
from migrator.governing import Governor
from migrator.locking import LockPolicy
from migrator.performance import Performer
from migrator.planning import Plan, Recorded, RevisionPlan, build_plan, dialect_for
from migrator.pressure import Pressure
from migrator.reconnecting import Reconnecting
from migrator.replication import Watch
from migrator.runner_lock import take_runner_lock
from phases.backfill import Pacing
from phases.model import Fill
from phases.pressure import Limits
from phases.staffing import MOST

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.revisions import RevisionGraph
    from migrator.settings import Settings


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


def open_ledger(session: Session, graph: RevisionGraph) -> None:
    """The ledger of a runner: there, and of the server that it is on."""
    from migrator.alembic_support import version_context
    from migrator.ledger import servers

    install_ledger(session)
    if session.family.commits_ddl:
        # Created together with the first stamp, it would commit the change of state without it.
        with session.transaction() as connection:
            version_context(connection, graph)._ensure_version_table()
    with session.transaction() as connection:
        servers.recognise(connection)


def recorded(session: Session, graph: RevisionGraph) -> Recorded:
    """What the database remembers. Writes nothing, not even where there is no ledger."""
    with session.transaction() as connection:
        return remembered(connection, graph)


def remembered(connection: Connection, graph: RevisionGraph | None = None) -> Recorded:
    """The same, in the caller's transaction; Alembic's heads are right only with the graph."""
    from migrator.alembic_support import stamped
    from migrator.ledger import schema, store

    heads = frozenset(stamped(connection, graph))
    if schema.installed(connection) is None:
        return Recorded(heads, {}, {})
    revisions = store.revisions(connection)
    steps = store.all_steps(connection)
    return Recorded(heads, revisions, {name: steps.get(name, ()) for name in revisions})


def planned(session: Session, graph: RevisionGraph, to: str | None, *, strict: bool = True) -> Plan:
    from migrator.classical import adopter
    from migrator.introspection import read_catalog, volatility_reader
    from migrator.planning import stamped_revisions

    memory = recorded(session, graph)
    with session.transaction() as connection:
        catalog = read_catalog(connection)
        dialect = dialect_for(session.server, volatility_reader(connection))
        adopt = adopter(graph, stamped_revisions(graph, memory.heads) | memory.revisions.keys())
        return build_plan(graph, catalog, dialect, memory, adopt, to, strict=strict)


def execution(settings: Settings, session: Session, graph: RevisionGraph, observer: Observer) -> Execution:
    """An execution as the settings say, stamping Alembic's table where a revision may be released."""
    from migrator.drift import Drift

    def prepare() -> None:
        shorten(session, settings.binlog_row_image, observer)

    prepare()
    policy = LockPolicy(
        timeout_ms=settings.lock_timeout_ms,
        attempts=settings.lock_retries,
        give_up_after=settings.lock_give_up,
    )
    pacing = Pacing(
        target_seconds=settings.batch_target,
        patience_seconds=settings.lock_give_up,
        set_aside_limit=settings.set_aside_limit,
        workers=settings.workers or MOST,
    )
    watch = Watch(session, settings.replica_lag, observer, urls=settings.replicas)
    pressing = Pressure(session, limits(settings), observer, url=settings.require_url())
    watched = "" if settings.max_latency == 0 else settings.require_url()
    governor = Governor(session, watched, settings.max_latency, observer)
    functions = Functions(lambda revision, name: function_of(graph[revision].migration, name))
    unprepared = settings.unprepared_applications
    performer = Performer(
        session,
        policy,
        pacing,
        watch,
        pressing,
        governor,
        observer,
        unprepared=unprepared,
        functions=functions,
        crew=Crew(lambda: worker(settings), settings.workers),
    )

    def on_state(connection: Connection, revision: str, state: str) -> None:
        from migrator.release import follow

        follow(connection, graph, revision, state)

    drift = Drift(graph, session.server)
    reconnecting = Reconnecting(session, settings.reconnect, prepare, observer)
    return Execution(performer, on_state, drift, reconnecting, precheck_seconds=settings.precheck_timeout)


@contextmanager
def worker(settings: Settings) -> Iterator[Session]:
    """A session for one of several workers at a backfill."""
    with connect(settings.require_url(), "worker") as session:
        shorten(session, settings.binlog_row_image, ignore)  # the runner has said where it may not
        yield session


def limits(settings: Settings) -> Limits:
    """What may pile up before batches pause."""
    return Limits(
        settings.archive_backlog,
        settings.slot_backlog,
        settings.dead_rows,
        settings.history_length,
        settings.disk_reserve,
        settings.long_transaction,
    )


def lagging(settings: Settings, session: Session) -> str:
    """Why batches would pause at this moment, or what is not known of that."""
    if not settings.replica_lag or session.facts.in_recovery:
        return ""
    verdict = Watch(session, settings.replica_lag, urls=settings.replicas).look()
    return verdict.reason or verdict.unknown


def pressure(settings: Settings, session: Session, plans: Sequence[RevisionPlan]) -> tuple[str, ...]:
    """Why batches of the backfills under way would pause at this moment, or what is not known of that."""
    if session.facts.in_recovery:
        return ()
    steps = [step.step for item in plans if item.state != "pending" for step in item.remaining]
    tables = dict.fromkeys(step.table for step in steps if isinstance(step, Fill))
    watch = Pressure(session, limits(settings))
    verdicts = [watch.look(table)[0] for table in tables]
    return tuple(dict.fromkeys(said for each in verdicts for said in (each.reason, each.unknown) if said))


def clock(session: Session) -> datetime:
    """The database's clock: the only one that decides anything."""
    moment: datetime = session.query(session.family.questions["clock"])[0][0]
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
