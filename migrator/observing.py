"""Looks at who is connected and which statements were run; what they find is kept in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from migrator import poolers
from migrator.database import Session, connect, mapped_errors, require_writable, rows_of
from migrator.dialects import family
from migrator.dialects.statistics import Connected, Ran
from migrator.errors import DatabaseError, MigratorError
from migrator.ledger import observed as kept
from migrator.ledger import schema, store
from migrator.ledger.dialect import hold_deployments
from migrator.old_names import OldName, old_names, waiting_names
from migrator.statement_uses import using, words
from phases.observation import GAP, Statements, counted_again, seen_again
from phases.observed import SERVER, Counts, by_source, sessions_reading, show, statements_readings
from phases.sessions import without_instance

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.settings import Settings
    from phases.gate_facts import Reading
    from phases.sessions import Builds

FORGOTTEN_AFTER = timedelta(days=30)
"""How long it is kept who was seen, and when somebody looked; longer where the gate asks for more."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one look has found on one source.

    Args:
        source: `server`, `replica HOST` or `pooler HOST`.
        sessions: sessions of others, by name and role.
        statements: how many statements use what, by what a contract takes away.
        missing: what could not be seen, each with what lets it be.
    """

    source: str
    sessions: Mapping[tuple[str, str], int]
    statements: Mapping[str, int]
    missing: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """A look at everything. `things`: what contracts under way will take away."""

    at: datetime
    things: tuple[str, ...]
    looks: tuple[Look, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """What a source has answered. `ran` is None of a source that runs no statements."""

    source: str
    dialect: str
    connected: Connected
    ran: Ran | None


def observe(settings: Settings) -> Observed:
    """Look once at every source that is known, and keep what was found.

    Raises:
        MigratorError: the database does not answer. A replica or pooler that does not is said in the answer.
    """
    with connect(settings.require_url(), "observe") as session:
        require_writable(session)
        with session.transaction() as connection:
            schema.install(connection)
        return look(settings, session)


def look(settings: Settings, session: Session, *, only_here: bool = False) -> Observed:
    """The same with a session that is open, of a database with a ledger.

    Args:
        only_here: look at this server alone.
    """
    with session.transaction() as connection:
        now = store.clock(connection)
        names = all_names(waiting_names(connection))
    samples = [sample(SERVER, session, names)]
    if not only_here:
        samples += [of_replica(url, names) for url in settings.replicas or ()]
        samples += [of_pooler(url, session.facts.database) for url in settings.poolers]
    with session.transaction() as connection:
        hold_deployments(connection, exclusive=True)
        keep(connection, samples, names, now, settings)
    return Observed(now, tuple(map(str, names)), tuple(found(each, names) for each in samples))


def glance(settings: Settings, session: Session) -> None:
    """A look on the way, at this server alone; whatever becomes of it must not stop anybody."""
    with suppress(MigratorError):
        look(settings, session, only_here=True)


def all_names(by_revision: Mapping[str, Sequence[OldName]]) -> list[OldName]:
    return list(dict.fromkeys(name for names in by_revision.values() for name in names))


def sample(source: str, session: Session, names: Sequence[OldName]) -> Sample:
    statistics, server = session.family.statistics, session.server.family

    def connected() -> Connected:
        return statistics.connected(session.query)

    def ran() -> Ran:
        return statistics.ran(session.query, words(names)) if names else Ran()

    return Sample(source, server, told(connected, statistics.grant), told_ran(ran, statistics.grant))


def told(ask: Callable[[], Connected], grant: str) -> Connected:
    try:
        return ask()
    except DatabaseError as problem:
        return Connected(missing=problem.message, remedy=grant)


def told_ran(ask: Callable[[], Ran], grant: str) -> Ran:
    try:
        return ask()
    except DatabaseError as problem:
        return Ran(missing=problem.message, remedy=grant)


def of_replica(url: str, names: Sequence[OldName]) -> Sample:
    source = f"replica {place(url)}"
    try:
        with connect(url, "observe") as session:
            return sample(source, session, names)
    except MigratorError as problem:
        silent = Connected(missing=problem.message, remedy=problem.next_step or "")
        return Sample(source, "", silent, Ran(missing=f"{source} does not answer") if names else None)


def of_pooler(url: str, database: str) -> Sample:
    source = f"pooler {place(url)}"
    try:
        return Sample(source, "", Connected(poolers.clients(url, database)), None)
    except MigratorError as problem:
        remedy = "the URL of its admin console, database pgbouncer, and a user of stats_users"
        return Sample(source, "", Connected(missing=problem.message, remedy=remedy), None)


def place(url: str) -> str:
    """Where a URL leads, without who goes there."""
    from sqlalchemy import make_url

    from migrator.setting_values import normalise_url

    target = make_url(normalise_url(url))
    return f"{target.host or 'localhost'}:{target.port}" if target.port else str(target.host or "localhost")


def sources(settings: Settings) -> list[str]:
    """Every source that has to be looked at."""
    return [
        SERVER,
        *(f"replica {place(url)}" for url in settings.replicas or ()),
        *(f"pooler {place(url)}" for url in settings.poolers),
    ]


def keep(
    connection: Connection, samples: Iterable[Sample], names: Sequence[OldName], now: datetime, settings: Settings
) -> None:
    """Keep what was found, unless somebody who began later has kept it already."""
    stretches = kept.stretches(connection)
    known = kept.statements(connection)
    for each in samples:
        newest = next((item for item in reversed(stretches) if item.source == each.source), None)
        if (newest is None or newest.until < now) and not each.connected.missing:
            kept.keep_stretch(connection, seen_again(newest, now, each.source))
        kept.see(connection, each.source, {(short(c.name), c.role) for c in each.connected.clients}, now)
        if each.ran is None or each.ran.missing:
            continue
        for name in names:
            before = known.get((each.source, str(name)), Statements())
            if before.coverage is None or before.coverage.looked_at < now:
                after = counted_again(before, using(each.ran, name, each.dialect), each.ran.counters, now)
                kept.keep_statements(connection, each.source, str(name), after)
    kept.forget(connection, now - max(FORGOTTEN_AFTER, timedelta(hours=2 * settings.gate_hours)))
    kept.forget_things(connection, [str(name) for name in names])


def short(name: str) -> str:
    """A name as it is kept, without the instance."""
    return without_instance(name).strip()[:200]


def found(each: Sample, names: Sequence[OldName]) -> Look:
    sessions: dict[tuple[str, str], int] = {}
    for client in each.connected.clients:
        key = short(client.name), client.role
        sessions[key] = sessions.get(key, 0) + 1
    ran = each.ran or Ran()
    counts = {str(name): len(using(ran, name, each.dialect)) for name in names} if each.ran and not ran.missing else {}
    reasons = [(each.connected.missing, each.connected.remedy), (ran.missing or ran.partly, ran.remedy)]
    missing = [(reason, remedy) for reason, remedy in reasons if reason]
    return Look(each.source, sessions, counts, tuple(missing))


def readings(
    connection: Connection, settings: Settings, revision: str, builds: Builds, tools: Sequence[str] = ()
) -> tuple[Reading, ...]:
    """What is known, for the gate of a revision, of who was connected and which statements were run. Writes nothing.

    The server's counters are read as they are; of replicas and poolers it is known what the last look has found.

    Args:
        builds: by application and version, whether a build survives the contract.
        tools: names of sessions that are of no build.
    """
    now = store.clock(connection)
    if (schema.installed(connection) or 0) < kept.SINCE:
        return ()
    watched = by_source(sources(settings), kept.stretches(connection), kept.sightings(connection))
    seen = sessions_reading(watched, builds, now, settings.gate_hours, tools)
    counts = counted(connection, settings, old_names(connection, revision), now)
    record = store.revision(connection, revision)
    # Before that it was backfilled: whoever ran statements then, we did, too.
    begin = record.released_at if record else None
    return (seen, *statements_readings(counts, now, settings.gate_hours, begin))


def counted(connection: Connection, settings: Settings, names: Sequence[OldName], now: datetime) -> list[Counts]:
    """What is known of statements, for each name and source."""
    known = kept.statements(connection)
    kind = family(connection.dialect.name).statistics

    def rows(sql: str) -> list[tuple[object, ...]]:
        return rows_of(connection, sql)

    def ask() -> Ran:
        with mapped_errors(), connection.begin_nested():
            return kind.ran(rows, words(names))

    here = told_ran(ask, kind.grant) if names else Ran()
    answer = []
    for name in names:
        before = known.get((SERVER, str(name)), Statements())
        if here.missing:
            answer.append(Counts(SERVER, str(name), before, here.missing, here.remedy))
        else:
            uses = using(here, name, connection.dialect.name)
            after = counted_again(before, uses, here.counters, now)
            answer.append(Counts(SERVER, str(name), after, here.partly, here.remedy))
        for source in sources(settings):
            if source.startswith("replica "):
                answer.append(elsewhere(source, str(name), known.get((source, str(name)), Statements()), now))
    return answer


def elsewhere(source: str, thing: str, known: Statements, now: datetime) -> Counts:
    """What the last look at another server has found; that it is long ago is a reason of its own."""
    at = known.coverage.looked_at if known.coverage else None
    missing = ""
    if at is None or now - at > GAP:
        missing = f"{source} was " + (f"last looked at {show(at)}" if at else "never looked at")
    return Counts(source, thing, known, missing, "migrator observe --every 1m" if missing else "")
