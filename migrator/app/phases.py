"""How far a revision is, for code that runs while it moves: one cheap question, remembered for a few seconds.

What is remembered never steps back because a look failed, or was at a replica that is behind: every answer carries
the place in the ledger's audit log that it was read at, and one of an earlier place is not taken. It does step back
where the ledger says, later than before, that a revision was aborted or restored.

`known_phase` never does I/O, so it may be asked inside events and on an event loop. Whoever may do I/O keeps what it
knows fresh: `phase_of`, `phase_of_async`, or `migrator.app.follow` in the background.
"""

from __future__ import annotations

import enum
import threading
import time
import weakref
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from migrator.app.binds import ask, ask_async, engine_of, is_async
from migrator.app.observing import PHASE, PHASE_LOOKS, Observer, logger, observer
from migrator.app.ticking import ticker_of
from migrator.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from migrator.app.binds import Bind

TTL = 5.0
"""Seconds for which an answer is taken without asking again."""
MOMENT = 1.0
"""Seconds in which no answer grows stale."""


class Phase(enum.IntEnum):
    """How far a revision is, as an application may rely on it; later ones are greater."""

    ABSENT = 0
    """Nothing of the new shape may be relied on: not begun, being expanded, or being taken back."""
    EXPANDED = 1
    """The new shape may be written. Rows from before may lack it."""
    MIGRATED = 2
    """The new shape may be read: it was verified, or nothing had to be filled. The old one is there, too."""
    CONTRACTING = 3
    """The old shape goes, or comes back: it may not be relied on."""
    CONTRACTED = 4
    """The old shape is gone."""


PHASES: Mapping[str, Phase] = {
    "expanding": Phase.ABSENT,
    "expanded": Phase.EXPANDED,
    "migrating": Phase.EXPANDED,
    "migrated": Phase.MIGRATED,
    "contracting": Phase.CONTRACTING,
    "restoring": Phase.CONTRACTING,
    "contracted": Phase.CONTRACTED,
    "purging": Phase.CONTRACTED,
    "purged": Phase.CONTRACTED,
    "aborting": Phase.ABSENT,
}
"""By the state in the ledger."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a revision.

    Args:
        state: as the ledger has it; `none`: it does not know the revision; `stamped`: Alembic ran it all at once.
        stale: the answer is older than it may be, because the last look failed or was at a server that is behind.
        reason: why it is stale.
        position: place in the audit log that it was read at; -1: nobody has looked yet.
    """

    revision: str
    phase: Phase
    state: str = "none"
    stale: bool = False
    reason: str = ""
    position: int = -1


def phase_of(revision: str, bind: Bind, *, ttl: float = TTL, assume: Phase = Phase.ABSENT) -> Known:
    """Say how far a revision is; asks the ledger where the last answer is too old, by a connection of its own.

    Args:
        revision: its full name.
        bind: a sync engine, connection or session.
        ttl: seconds that an answer may be old.
        assume: what holds of a revision that the ledger does not know, or while nobody could look. For databases
            that were made from models, or by `alembic upgrade`: `Phase.CONTRACTED`.

    Raises:
        UsageError: the engine is async. Nothing else is raised: what a look says is in `Known.reason`.
    """
    known = phases_of(bind)
    if known.due(revision, ttl):
        known.look()
    return known.of(revision, ttl, assume)


async def phase_of_async(revision: str, bind: Bind, *, ttl: float = TTL, assume: Phase = Phase.ABSENT) -> Known:
    """The same for an async engine, connection or session."""
    known = phases_of(bind)
    if known.due(revision, ttl):
        await known.look_async()
    return known.of(revision, ttl, assume)


def known_phase(revision: str, bind: Bind, *, ttl: float = TTL, assume: Phase = Phase.ABSENT) -> Known:
    """The same without I/O, for events and attributes: what was known last. Stale where nobody keeps it fresh.

    The revision is looked at from here on by whoever looks (`follow`).
    """
    known = phases_of(bind)
    known.want(revision)
    return known.of(revision, ttl, assume)


class Phases:
    """What is known of the revisions that somebody has asked for, by one engine. Made by `phases_of`."""

    def __init__(self, engine: Engine) -> None:
        self.every = TTL
        self._engine = weakref.ref(engine)
        self._known: dict[str, Known] = {}
        self._position = -1
        self._wanted: frozenset[str] = frozenset()
        self._tried: frozenset[str] = frozenset()
        self._looked_at = self._tried_at = float("-inf")
        self._reason = "nobody has looked yet"
        self._ledger_seen = False
        self._changing = threading.Lock()
        self._looking = threading.Lock()

    def want(self, *revisions: str) -> None:
        """Look at these, too, from the next look on."""
        if not self._wanted.issuperset(revisions):
            with self._changing:
                self._wanted = self._wanted.union(revisions)

    def due(self, revision: str, ttl: float) -> bool:
        """Whether somebody has to look. After one that failed nobody has to before the time is over."""
        self.want(revision)
        return revision not in self._tried or time.monotonic() - self._tried_at > ttl

    def of(self, revision: str, ttl: float = TTL, assume: Phase = Phase.ABSENT) -> Known:
        """What is known. No I/O, no lock."""
        found, age = self._known.get(revision), time.monotonic() - self._looked_at
        if found is None:
            return Known(revision, assume, stale=True, reason=self._reason or "nobody has looked yet")
        if found.state == "none" and found.phase is not assume:
            found = replace(found, phase=assume)
        if self._reason or age > max(2 * ttl, MOMENT):
            return replace(found, stale=True, reason=self._reason or f"nobody has looked for {age:.0f} s")
        return found

    def look(self) -> None:
        """Ask the ledger. Never raises; while another thread is at it, waits for it only where nothing is known.

        Raises:
            UsageError: the engine is async.
        """
        engine = self._engine()
        if engine is None:
            return
        if is_async(engine):
            raise UsageError("the engine is async", next_step="await phase_of_async(…), or look_async()")
        if not self._looking.acquire(blocking=not self._wanted.issubset(self._known)):
            return
        self._tried = self._wanted
        try:
            ask(engine, self.run)
        except Exception as problem:
            self.failed(problem)
        finally:
            self._looking.release()

    async def look_async(self) -> None:
        """The same on an event loop."""
        engine = self._engine()
        if engine is None:
            return
        self._tried = self._wanted
        try:
            await ask_async(engine, self.run)
        except Exception as problem:
            self.failed(problem)

    def of_engine(self, engine: Engine) -> Phases:
        """The same, asked by this engine where the one that it was made for is gone."""
        if self._engine() is None:
            self._engine = weakref.ref(engine)
        return self

    def run(self, connection: Connection) -> None:
        """Look by a connection that somebody gives."""
        self._tried = self._wanted
        self.take(self._ask(connection))

    def _ask(self, connection: Connection) -> dict[str, Known]:
        from migrator.ledger.dialect import table_exists
        from migrator.ledger.tables import revisions

        wanted = sorted(self._wanted)
        if not self._ledger_seen and not table_exists(connection, revisions.name):
            return stamped(connection, {name: Known(name, Phase.ABSENT, position=0) for name in wanted})
        self._ledger_seen = True
        return stamped(connection, recorded(connection, wanted))

    def take(self, found: Mapping[str, Known]) -> None:
        """Keep what a look has found, unless it was at an earlier place in the log than one before."""
        position = max((known.position for known in found.values()), default=self._position)
        with self._changing:
            self._tried_at = time.monotonic()
            if position < self._position:
                self._reason = "the last look was at a server that is behind"
                observer().count(PHASE_LOOKS, outcome="behind")
                return
            changed = [new for name, new in found.items() if name not in self._known or differ(new, self._known[name])]
            self._known, self._position = {**self._known, **found}, position
            self._looked_at, self._reason = self._tried_at, ""
        observer().count(PHASE_LOOKS, outcome="answered")
        tell(changed)

    def failed(self, problem: Exception) -> None:
        """Keep what is known, and why it is stale."""
        from migrator.database import first_line

        said = first_line(getattr(problem, "orig", None) or problem) or type(problem).__name__
        if not self._reason or self._looked_at == float("-inf"):
            logger.warning("the phase of revisions cannot be looked at: %s", said, extra={"reason": said})
        with self._changing:
            self._tried_at, self._reason = time.monotonic(), said
        observer().count(PHASE_LOOKS, outcome="failed")


def recorded(connection: Connection, wanted: Iterable[str]) -> dict[str, Known]:
    """What the ledger says of revisions, and where its log is at that moment: one statement."""
    from sqlalchemy import and_, func, select, true

    from migrator.ledger.tables import events, revisions

    names = list(wanted)
    log = select(func.coalesce(func.max(events.c.id), 0).label("position")).subquery("log")
    columns = (log.c.position, revisions.c.id, revisions.c.state, revisions.c.additive)
    question = select(*columns).select_from(log.outerjoin(revisions, and_(true(), revisions.c.id.in_(names))))
    position, found = 0, {}
    for position, name, state, additive in connection.execute(question):
        if name is not None:
            found[name] = Known(name, reached(state, additive), state, position=int(position))
    return {name: found.get(name, Known(name, Phase.ABSENT, position=int(position))) for name in names}


def reached(state: str, additive: bool = False) -> Phase:
    """The phase of a state; the shape of an additive revision may be read as soon as it is expanded."""
    return Phase.MIGRATED if additive and state == "expanded" else PHASES.get(state, Phase.ABSENT)


def stamped(connection: Connection, found: dict[str, Known]) -> dict[str, Known]:
    """The same, where Alembic has run a revision all at once and its version table names it."""
    from sqlalchemy import inspect, text

    unknown = [name for name, known in found.items() if known.state == "none"]
    if not unknown or not inspect(connection).has_table("alembic_version"):
        return found
    heads = set(connection.execute(text("SELECT version_num FROM alembic_version")).scalars())
    return {
        name: replace(known, phase=Phase.CONTRACTED, state="stamped") if name in heads and name in unknown else known
        for name, known in found.items()
    }


def differ(one: Known, other: Known) -> bool:
    return (one.phase, one.state) != (other.phase, other.state)


def tell(changed: Iterable[Known], to: Observer | None = None) -> None:
    """Say in which phase revisions are, in the log and to an observer."""
    for known in changed:
        said = {"migration": known.revision, "phase": known.phase.name.lower(), "state": known.state}
        logger.info("revision %s is %s", known.revision, said["phase"], extra=said)
        for phase in Phase:
            (to or observer()).gauge(
                PHASE, float(phase is known.phase), migration=known.revision, phase=phase.name.lower()
            )


def follow(bind: Bind, *revisions: str, every: float = TTL) -> None:
    """Keep fresh in the background what `known_phase` says of revisions, from the next connection on.

    Of a sync engine the first look is taken at once.

    Args:
        bind: an engine, or a session of it; sync or async.
        every: seconds from one look to the next.

    Raises:
        UsageError: there is no engine behind it.
    """
    engine, known = engine_of(bind), phases_of(bind)
    known.every = every
    known.want(*revisions)
    ticker_of(engine).add("phases", known)
    if not is_async(engine):
        known.look()


_phases: weakref.WeakKeyDictionary[object, Phases] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def phases_of(bind: Bind) -> Phases:
    """What an engine knows; engines with other execution options know the same.

    Raises:
        UsageError: there is no engine behind it.
    """
    engine = engine_of(bind)
    # Engines with options share the dialect, and nothing else that lives as long.
    found = _phases.get(engine.dialect)
    if found is None:
        with _making:
            found = _phases.setdefault(engine.dialect, Phases(engine))
    return found.of_engine(engine)
