"""The one module that opens connections.

A `Session` is one server session with the limits a migration needs. It runs
transactions, single statements outside transactions, and questions; and it
turns what the driver raises into errors of `migrator.errors`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from os import getpid
from typing import TYPE_CHECKING, Any

from migrator.dialects import postgresql
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError, NotSupportedHere, RunnerBusy
from migrator.settings import mask, normalise_url
from phases.catalog import Server

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

CONNECT_TIMEOUT = 10
POOLER_PROBES = 3

LOCK_NOT_AVAILABLE = "55P03"
DEADLOCK = "40P01"
INSUFFICIENT_PRIVILEGE = "42501"
QUERY_CANCELLED = "57014"
READ_ONLY = "25006"


class LockTimeout(DatabaseError):
    """A lock was not granted within the lock timeout."""


class Deadlocked(DatabaseError):
    """The server ended a deadlock by failing our statement."""


def create_engine(url: str, application_name: str) -> Engine:
    """Make an engine that keeps no connection open and never prints row values.

    Raises:
        ConnectionFailed: the driver for this kind of database is not installed.
        SettingsError: the URL is malformed.
    """
    import sqlalchemy

    target = sqlalchemy.make_url(normalise_url(url))
    arguments: dict[str, Any] = {"connect_timeout": CONNECT_TIMEOUT}
    if target.get_backend_name() == "postgresql":
        # A pooler may hand our prepared statements to another session.
        arguments |= {"application_name": application_name[:63], "prepare_threshold": None}
    try:
        return sqlalchemy.create_engine(
            target,
            poolclass=sqlalchemy.pool.NullPool,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            connect_args=arguments,
        )
    except ModuleNotFoundError as missing:
        raise ConnectionFailed(
            f"the driver {missing.name} is not installed",
            next_step='pip install "expand-contract-migrator[postgres]"',
        ) from None


def application_name(verb: str) -> str:
    """How our sessions show up in `pg_stat_activity`: verb, host and process."""
    return f"migrator {verb} {socket.gethostname()}:{getpid()}"


def sqlstate(problem: DBAPIError) -> str | None:
    return getattr(problem.orig, "sqlstate", None)


def first_line(problem: BaseException) -> str:
    return mask(str(problem).strip().split("\n")[0])


def mapped(problem: DBAPIError) -> DatabaseError:
    """The error of ours that says what a driver error means."""
    state = sqlstate(problem)
    message = first_line(problem.orig or problem)
    if state == LOCK_NOT_AVAILABLE:
        return LockTimeout(message, sqlstate=state)
    if state == DEADLOCK:
        return Deadlocked(message, sqlstate=state)
    if state == INSUFFICIENT_PRIVILEGE:
        return NotSupportedHere(
            f"the role may not do this: {message}",
            next_step="connect as the owner of the tables, or run: migrator doctor",
            sqlstate=state,
        )
    if state == READ_ONLY:
        return NotSupportedHere(f"the session is read-only: {message}", sqlstate=state)
    if state == QUERY_CANCELLED:
        return Cancelled(message, next_step="run the same command again; it continues where it stopped", sqlstate=state)
    if problem.connection_invalidated or state is None or state[:2] in ("08", "57"):
        return ConnectionFailed(
            f"the connection to the server was lost: {message}",
            next_step="run the same command again when the server is back; it continues where it stopped",
            sqlstate=state,
        )
    return DatabaseError(message, sqlstate=state)


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn driver errors into ours."""
    from sqlalchemy.exc import DBAPIError

    try:
        yield
    except DBAPIError as problem:
        raise mapped(problem) from problem


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself and of the session."""

    server: Server
    in_recovery: bool
    read_only: bool
    user: str
    database: str
    deadlock_ms: int


class Session:
    """One server session.

    Args:
        connection: an open SQLAlchemy connection with no transaction begun.
        facts: what the server said when it was opened.
    """

    def __init__(self, connection: Connection, facts: ServerFacts) -> None:
        self.connection = connection
        self.facts = facts

    @property
    def server(self) -> Server:
        return self.facts.server

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any exception."""
        with mapped_errors(), self.connection.begin():
            yield self.connection

    def execute(self, sql: str) -> int:
        """Run one statement in the open transaction; return the rows it touched."""
        return run(self.connection, sql)

    def query(self, sql: str, *, seconds: float | None = None) -> list[tuple[Any, ...]]:
        """Ask something in a transaction of its own.

        Args:
            seconds: how long the answer may take, waiting for locks included; as long as it takes where not given.

        Raises:
            Cancelled: it took longer.
        """
        with self.transaction() as connection:
            if seconds is not None:
                run(connection, postgresql.statement_timeout(max(1, int(seconds * 1000))))
            return rows_of(connection, sql)

    def alone(self, sql: str) -> None:
        """Run one statement outside any transaction, waiting for locks as long as it takes."""
        with mapped_errors():
            self.connection.execution_options(isolation_level="AUTOCOMMIT")
            try:
                run(self.connection, sql)
            finally:
                with suppress(Exception):
                    self.connection.rollback()
                    self.connection.execution_options(isolation_level="READ COMMITTED")

    def close(self) -> None:
        with suppress(Exception):
            self.connection.close()


def run(connection: Connection, sql: str) -> int:
    """Run SQL text as it is: a `%` in a name is no placeholder."""
    result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
    return result.rowcount if not result.returns_rows else 0


def rows_of(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """The answer to a question in the open transaction."""
    result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
    return [tuple(row) for row in result]


@contextmanager
def connect(url: str, verb: str) -> Iterator[Session]:
    """Open a session for one command.

    Raises:
        ConnectionFailed: no connection could be made; the message never has the password.
        NotSupportedHere: the server is of a version or kind that is not supported.
    """
    engine = create_engine(url, application_name(verb))
    session = Session(*_open(engine))
    try:
        yield session
    finally:
        session.close()
        engine.dispose()


def _open(engine: Engine) -> tuple[Connection, ServerFacts]:
    from sqlalchemy.exc import DBAPIError

    shown = engine.url.render_as_string(hide_password=True)
    if engine.url.get_backend_name() != "postgresql":
        raise NotSupportedHere(
            f"migrations run on PostgreSQL; {shown} is of another kind",
            next_step="give the URL of a PostgreSQL database",
        )
    try:
        connection = engine.connect()
    except DBAPIError as problem:
        raise ConnectionFailed(
            f"cannot connect to {shown}: {first_line(problem.orig or problem)}",
            next_step="check the URL, and that the server is up; then run: migrator doctor",
        ) from None
    with mapped_errors():
        facts = _facts(connection)
        for statement in postgresql.session_statements(facts.server.version):
            run(connection, statement)
        connection.commit()
    return connection, facts


def _facts(connection: Connection) -> ServerFacts:
    number, in_recovery, read_only, user, database, deadlock_ms = connection.exec_driver_sql(postgresql.FACTS).one()
    version = (number // 10000, number % 10000)
    if version < (12, 0):
        raise NotSupportedHere(f"PostgreSQL {version[0]} is too old; 12 is the oldest supported")
    return ServerFacts(Server("postgresql", version), in_recovery, read_only, user, database, deadlock_ms)


def require_writable(session: Session) -> None:
    """Refuse replicas and read-only sessions before anything is planned.

    Raises:
        NotSupportedHere: naming which of the two it is.
    """
    if session.facts.in_recovery:
        raise NotSupportedHere("this server is a read-only replica", next_step="give the URL of the primary server")
    if session.facts.read_only:
        raise NotSupportedHere(
            "transactions of this role are read-only here",
            next_step="unset default_transaction_read_only for the role or database",
        )


def refuse_shared_backend(url: str, session: Session) -> None:
    """Refuse poolers that give one server session to several clients.

    The runner lock and the session's limits live in a server session; two
    clients that see the same one at the same time prove a transaction-mode pooler.

    Raises:
        NotSupportedHere: with the remedy.
    """
    engine = create_engine(url, application_name("pooler probe"))
    try:
        for _ in range(POOLER_PROBES):
            mine = session.query(postgresql.BACKEND_PID)[0][0]
            with mapped_errors(), engine.connect() as other:
                theirs = other.exec_driver_sql(postgresql.BACKEND_PID).scalar_one()
            if mine == theirs:
                raise NotSupportedHere(
                    "the connection goes through a pooler in transaction mode, which would share the"
                    " runner's session with other clients",
                    next_step="give the URL of the server itself, or of a pool in session mode",
                )
    finally:
        engine.dispose()


def take_runner_lock(session: Session, attempts: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)) -> None:
    """Take the lock that only one runner may hold; it lives as long as the session.

    Args:
        attempts: seconds to wait before each further try. The server needs a
            moment to notice that a killed runner is gone.

    Raises:
        RunnerBusy: naming the session that holds it.
    """
    import time

    for wait in (*attempts, None):
        if session.query(postgresql.TRY_RUNNER_LOCK)[0][0]:
            return
        if wait is not None:
            time.sleep(wait)
    owner = runner_owner(session)
    raise RunnerBusy(
        f"another runner is at work: {owner}" if owner else "another runner was at work a moment ago",
        next_step="wait for it, or look at it with: migrator status",
        owner=owner,
    )


def runner_owner(session: Session) -> str | None:
    """Name the session that holds the runner lock; None where nobody does."""
    for pid, name, user, since in session.query(postgresql.RUNNER_OWNER):
        return f'"{name}" (pid {pid}, role {user}, since {since:%Y-%m-%d %H:%M:%S %Z})'
    return None
