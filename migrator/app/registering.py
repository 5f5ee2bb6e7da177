"""A build says which one it is: to the server, to the contract gate, and to whoever asks whether it may serve.

Its connections have a name, it does not start where it may not run, it says again and again that it is there, and
its readiness follows what it needs: never that the database is at the newest revision.
"""

from __future__ import annotations

import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from migrator.app.binds import ask, ask_async, engine_of, is_async
from migrator.app.observing import BUILD_MAY_RUN, HEARTBEATS, logger, observer
from migrator.app.tagging import session_name, tag
from migrator.app.ticking import ticker_of
from migrator.errors import ConnectionFailed, MigratorError, NotYet, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

    from migrator.app.binds import Bind
    from migrator.judging import Checked

Policy = Literal["refuse", "warn"]
TTL = 5.0
"""Seconds for which readiness is not looked at again."""
LEAST_HEARTBEAT = 1.0


class Readiness(NamedTuple):
    """Whether a build may serve, and why not, or what is to be said all the same."""

    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """A build that has said which one it is.

    Args:
        name: of its sessions, as the server has it.
        shape: newest revision it uses; None: as recorded for that version.
        policy: `refuse`: it does not run where it may not, or where that cannot be known; `warn`: that is logged.
        heartbeat: seconds from one to the next; None: there is none.
    """

    app: str
    version: str
    name: str
    shape: str | None
    policy: Policy
    heartbeat: float | None


def register(
    engine: Engine,
    *,
    app: str,
    version: str,
    shape: str | None = None,
    policy: Policy = "refuse",
    heartbeat: float | None = None,
    instance: str = "",
    tag: bool = True,
) -> Registered:
    """Say which build this is. Call it once, before the engine opens its first connection.

    Args:
        engine: a sync engine on psycopg, psycopg2 or pymysql.
        app: as it is recorded: `migrator deploy start --app`.
        version: likewise. Together they may have 51 bytes, and are never cut.
        shape: newest revision that this build uses, where no deployment was recorded that says so.
        policy: `refuse`: raise where the build may not run, or where that cannot be known; `warn`: log it.
        heartbeat: seconds after which it is said again in the ledger that this build is there; None: it is not said.
        instance: tells instances apart, such as the name of the host; cut where there is no room.
        tag: False: the connections have their names already, or the driver cannot give them one.

    Raises:
        NotYet: this build may not run: it is below the floor or above the ceiling. Policy `refuse` only.
        ConnectionFailed, DatabaseError: the database does not say whether it may. Policy `refuse` only.
        UsageError: a name that cannot be read out of a session again, a driver that cannot give one, an async engine.
    """
    if is_async(engine_of(engine)):
        raise UsageError("the engine is async", next_step="await register_async(…)")
    made = begin(engine, app, version, shape, policy, heartbeat, instance, tag)
    try:
        answer = ask(engine_of(engine), made.look)
    except Exception as problem:
        made.unanswered(problem)
    else:
        made.answered(answer)
    return made.registered


async def register_async(
    engine: AsyncEngine,
    *,
    app: str,
    version: str,
    shape: str | None = None,
    policy: Policy = "refuse",
    heartbeat: float | None = None,
    instance: str = "",
    tag: bool = True,
) -> Registered:
    """The same for an async engine, on psycopg, asyncpg or aiomysql."""
    made = begin(engine, app, version, shape, policy, heartbeat, instance, tag)
    try:
        answer = await ask_async(made.engine, made.look)
    except Exception as problem:
        made.unanswered(problem)
    else:
        made.answered(answer)
    return made.registered


def begin(
    bind: Bind,
    app: str,
    version: str,
    shape: str | None,
    policy: Policy,
    heartbeat: float | None,
    instance: str,
    tagged: bool,
) -> Registration:
    """What can be done without asking the database."""
    from migrator.ledger.dialect import WRITERS

    if policy not in ("refuse", "warn"):
        raise UsageError(f"{policy!r} is no policy", next_step='policy="refuse", or "warn"')
    if heartbeat is not None and not heartbeat >= LEAST_HEARTBEAT:
        raise UsageError(f"a heartbeat of {heartbeat:g} s is too fast", next_step="heartbeat=30.0, or None for none")
    engine, name = engine_of(bind), session_name(app, version, instance)
    if engine.dialect.name not in WRITERS:
        raise UsageError(f"{engine.dialect.name} is not supported", next_step=f"one of {', '.join(WRITERS)}")
    if tagged:
        tag(engine, name)
    made = Registration(engine, Registered(app, version, name, shape, policy, heartbeat))
    _registrations[engine.dialect] = made
    return made


class Registration:
    """A registered build, and what was found last of whether it may run."""

    def __init__(self, engine: Engine, registered: Registered) -> None:
        self._engine = weakref.ref(engine)
        self.registered = registered
        self.looked_at = float("-inf")
        self.readiness = Readiness(False, "nobody has looked yet")

    @property
    def engine(self) -> Engine:
        engine = self._engine()
        if engine is None:
            raise UsageError("the engine is gone")
        return engine

    def look(self, connection: Connection) -> Checked | None:
        """Whether the build may run; None where the database has no ledger, so that nothing keeps it from running."""
        from migrator.builds import DECLARED, NOT_DECLARED, Build, Going, Shape
        from migrator.database import mapped_errors
        from migrator.deployments import ground_without_files
        from migrator.judging import judged
        from migrator.ledger import schema

        build = self.registered
        shape = NOT_DECLARED if build.shape is None else Shape(build.shape, build.shape, DECLARED)
        going = Going(Build(build.app, build.version), shape)
        with mapped_errors():
            if schema.installed(connection) is None:
                return None
            return judged(connection, going, lambda found: ground_without_files(connection, found))

    def answered(self, found: Checked | None) -> None:
        """Take what a look has found.

        Raises:
            NotYet: the build may not run. Policy `refuse` only.
        """
        refusal = None if found is None or found.allowed else refused(found)
        self.keep(refusal)
        if refusal is not None and self.registered.policy == "refuse":
            raise refusal
        self.start()

    def unanswered(self, problem: Exception) -> None:
        """Take why a look has found nothing.

        Raises:
            MigratorError: policy `refuse` only.
        """
        said = as_error(problem)
        self.keep(said)
        if self.registered.policy == "refuse":
            raise said from problem
        self.start()

    def start(self) -> None:
        """Let the heart of a build beat that may run."""
        build = self.registered
        if build.heartbeat is not None:
            ticker = ticker_of(self.engine)
            ticker.add("heartbeat", Heartbeat(build.app, build.version, build.heartbeat))
            ticker.start()

    def keep(self, problem: MigratorError | None) -> None:
        """Keep it for whoever asks for readiness."""
        reason, before = problem.message if problem is not None else "", self.readiness
        lost = isinstance(problem, ConnectionFailed)
        ok = problem is None or (self.registered.policy == "warn" and not lost)
        self.looked_at, self.readiness = time.monotonic(), Readiness(ok, reason)
        build = {"app": self.registered.app, "version": self.registered.version}
        observer().gauge(BUILD_MAY_RUN, float(problem is None), **build)
        if problem is not None and reason != before.reason:
            logger.warning("%s %s: %s", *build.values(), reason, extra={**build, "reason": reason})


def refused(found: Checked) -> NotYet:
    """Why a build may not run, said to who starts it."""
    from migrator.builds import UNKNOWN

    unknown = found.shape_source == UNKNOWN
    build = f"--app {found.application} --version {found.version}"
    next_step = f"migrator deploy start {build}; or register(…, shape=REVISION)" if unknown else found.next_step
    return NotYet(
        found.message,
        next_step=next_step,
        missing=list(found.missing),
        gone=list(found.gone),
        newest_safe=found.newest_safe,
        newest_safe_version=found.newest_safe_version,
    )


def as_error(problem: Exception) -> MigratorError:
    """What a look has raised, as an error of ours."""
    from sqlalchemy.exc import DBAPIError, TimeoutError

    from migrator.database import first_line, mapped
    from migrator.errors import NotSupportedHere

    if isinstance(problem, DBAPIError):
        problem = mapped(problem)
    if isinstance(problem, NotSupportedHere):
        return NotSupportedHere(problem.message, next_step="let the role read the ledger: see the page of register")
    if isinstance(problem, MigratorError):
        return problem
    if isinstance(problem, OSError | TimeoutError):
        return ConnectionFailed(f"the database does not answer: {first_line(problem)}")
    raise problem


def readiness(engine: Engine, *, ttl: float = TTL) -> Readiness:
    """Say whether a registered build may serve: the database answers, and the build may run on it as it is by now.

    It is never asked whether the database is at the newest revision, so a build that was rolled back is ready.

    Args:
        ttl: seconds for which the answer before is as good.

    Raises:
        UsageError: the engine was not registered, or is async.
    """
    if is_async(engine_of(engine)):
        raise UsageError("the engine is async", next_step="await readiness_async(…)")
    made = registration_of(engine)
    if time.monotonic() - made.looked_at > ttl:
        try:
            found = ask(made.engine, made.look)
        except Exception as problem:
            made.keep(as_error(problem))
        else:
            made.keep(None if found is None or found.allowed else refused(found))
    return made.readiness


async def readiness_async(engine: AsyncEngine, *, ttl: float = TTL) -> Readiness:
    """The same for an async engine."""
    made = registration_of(engine)
    if time.monotonic() - made.looked_at > ttl:
        try:
            found = await ask_async(made.engine, made.look)
        except Exception as problem:
            made.keep(as_error(problem))
        else:
            made.keep(None if found is None or found.allowed else refused(found))
    return made.readiness


def registration_of(bind: Bind) -> Registration:
    found = _registrations.get(engine_of(bind).dialect)
    if found is None:
        raise UsageError("this engine was not registered", next_step="register(engine, app=…, version=…)")
    return found


class Heartbeat:
    """Says in the ledger that a build is there, as if `migrator observe` had seen it."""

    def __init__(self, app: str, version: str, every: float) -> None:
        self.app, self.version, self.every = app, version, every
        self.failing = False

    def run(self, connection: Connection) -> None:
        from migrator.ledger import observed, schema
        from phases.observed import SERVER

        if (schema.installed(connection) or 0) >= observed.SINCE:
            observed.heard(connection, SERVER, f"{self.app}/{self.version}", self.every)
        self.failing = False
        observer().count(HEARTBEATS, outcome="done")

    def failed(self, problem: Exception) -> None:
        from migrator.database import first_line

        said = first_line(getattr(problem, "orig", None) or problem) or type(problem).__name__
        build = {"app": self.app, "version": self.version, "reason": said}
        if not self.failing:
            logger.warning("no heartbeat of %s %s: %s", self.app, self.version, said, extra=build)
        self.failing = True
        observer().count(HEARTBEATS, outcome="failed")


_registrations: weakref.WeakKeyDictionary[object, Registration] = weakref.WeakKeyDictionary()
