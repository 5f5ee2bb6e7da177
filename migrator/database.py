"""The one module that opens connections.

A `Session` is one server session with the limits a migration needs. It runs
transactions, single statements outside transactions, and questions; and it
turns what the driver raises into errors of `migrator.errors`.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from os import getpid
from typing import TYPE_CHECKING, Any

from migrator.dialects import family
from migrator.dialects.base import Facts, Trouble
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError, NotSupportedHere
from migrator.setting_values import mask, normalise_url
from migrator.teaching import teach
from phases.catalog import Server

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

    from migrator.dialects.base import Family

CONNECT_TIMEOUT = 10
POOLER_PROBES = 3
"""Other connections of which one would have the runner's session, behind a pooler that hands it round; one will do …"""
UNPOOLED_PROBES = 1
"""… where the server itself has told the runner's connection which session it has."""
DRIVERS = {"psycopg": "postgresql", "pymysql": "mysql"}
"""The family of servers that a driver speaks to, by the module of its errors."""


class LockTimeout(DatabaseError):
    """A lock was not granted within the lock timeout."""


class Deadlocked(DatabaseError):
    """The server ended a deadlock by failing our statement."""


class NotInPlace(DatabaseError):
    """The server cannot do a statement in the way that it demands."""


RETRIED: dict[Trouble, type[DatabaseError]] = {
    Trouble.LOCK_TIMEOUT: LockTimeout,
    Trouble.DEADLOCK: Deadlocked,
    Trouble.NOT_IN_PLACE: NotInPlace,
}


@lru_cache(maxsize=16)
def create_engine(url: str, application_name: str) -> Engine:
    """Make an engine that keeps no connection open and never prints row values.

    Those who ask again get the same one: it has compiled its statements, and knows the server.

    Raises:
        ConnectionFailed: the driver for this kind of database is not installed.
        SettingsError: the URL is malformed.
    """
    import sqlalchemy

    target = sqlalchemy.make_url(normalise_url(url))
    kind = family(target.get_backend_name())
    arguments = {"connect_timeout": CONNECT_TIMEOUT, **kind.arguments(application_name, target.query)}
    try:
        made = sqlalchemy.create_engine(
            target,
            poolclass=sqlalchemy.pool.NullPool,
            isolation_level="READ COMMITTED",
            hide_parameters=True,
            connect_args=arguments,
        )
    except ModuleNotFoundError as missing:
        raise ConnectionFailed(
            f"the driver {missing.name} is not installed",
            next_step=f'pip install "expand-contract-migrator[{kind.packages}]"',
        ) from None
    teach(made, kind)
    return made


def application_name(verb: str) -> str:
    """How our sessions show up on the server: verb, host and process."""
    return f"migrator {verb} {socket.gethostname()}:{getpid()}"


def family_of(problem: DBAPIError) -> Family:
    """The family of servers that an error came from."""
    return family(DRIVERS.get(type(problem.orig).__module__.partition(".")[0], "postgresql"))


def first_line(problem: BaseException) -> str:
    return mask(str(problem).strip().split("\n")[0])


def mapped(problem: DBAPIError) -> DatabaseError:
    """The error of ours that says what a driver error means."""
    kind = family_of(problem)
    state = kind.code(problem.orig or problem)
    trouble, message = kind.trouble(state), first_line(problem.orig or problem)
    if trouble in RETRIED:
        return RETRIED[trouble](message, sqlstate=state)
    if trouble is Trouble.NOT_ALLOWED:
        return NotSupportedHere(
            f"the role may not do this: {message}",
            next_step="connect as the owner of the tables, or run: migrator doctor",
            sqlstate=state,
        )
    if trouble is Trouble.READ_ONLY:
        return NotSupportedHere(f"the session is read-only: {message}", sqlstate=state)
    if trouble is Trouble.CANCELLED:
        return Cancelled(message, next_step="run the same command again; it continues where it stopped", sqlstate=state)
    if problem.connection_invalidated or trouble is Trouble.LOST:
        return lost(f": {message}", state)
    return DatabaseError(message, sqlstate=state)


def lost(why: str = "", state: str | None = None) -> ConnectionFailed:
    """The error that says that the connection is lost."""
    return ConnectionFailed(
        f"the connection to the server was lost{why}",
        next_step="run the same command again when the server is back; it continues where it stopped",
        sqlstate=state,
    )


@contextmanager
def mapped_errors() -> Iterator[None]:
    """Turn driver errors into ours."""
    from sqlalchemy.exc import DBAPIError, PendingRollbackError

    try:
        yield
    except DBAPIError as problem:
        raise mapped(problem) from problem
    except PendingRollbackError as problem:  # it was lost by the statement before
        raise lost() from problem


class Session:
    """One server session.

    Args:
        connection: an open SQLAlchemy connection with no transaction begun.
        facts: what the server said when it was opened.
    """

    def __init__(self, connection: Connection, facts: Facts) -> None:
        self._connection = connection
        self.facts = facts
        self.family = family(facts.server.family)
        self.engine = connection.engine

    def reopen(self) -> None:
        """Begin anew after the connection was lost; locks and settings of the session are gone.

        Raises:
            ConnectionFailed: nobody answers.
        """
        self.close()
        self._connection, self.facts = _open(self.engine)

    @property
    def connection(self) -> Connection:
        """What statements are run on.

        Raises:
            ConnectionFailed: it was lost, whoever was told so. SQLAlchemy would open another one without a word, which
                has neither the runner's lock nor the limits of the session.
        """
        if self._connection.invalidated:
            raise lost()
        return self._connection

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
        limit = self.family.answer_within(max(1, int(seconds * 1000))) if seconds is not None else ()
        try:
            with self.transaction() as connection:
                for statement in limit:
                    run(connection, statement)
                return rows_of(connection, sql)
        finally:
            for statement in self.family.answered() if limit else ():
                with suppress(Exception), self.transaction() as connection:
                    run(connection, statement)

    def backend(self) -> int:
        """The number that the server has given this session."""
        return int(self.query(self.family.questions["backend"])[0][0])

    @contextmanager
    def autocommitting(self) -> Iterator[Connection]:
        """Outside any transaction: each statement commits by itself, waiting for locks as long as the session does."""
        with mapped_errors():
            self._begin_autocommit()
            try:
                yield self.connection
            finally:
                with suppress(Exception):
                    self.connection.rollback()
                    self.connection.execution_options(isolation_level="READ COMMITTED")

    def _begin_autocommit(self) -> None:
        from sqlalchemy.exc import DBAPIError

        connection = self.connection
        try:
            connection.execution_options(isolation_level="AUTOCOMMIT")
        except connection.dialect.loaded_dbapi.Error as problem:  # this statement SQLAlchemy leaves to the driver
            connection.invalidate(problem)
            raise DBAPIError("", None, problem, connection_invalidated=True) from problem

    def alone(self, sql: str, before: Sequence[str] = ()) -> None:
        """Run one statement outside any transaction, behind others that set limits for it."""
        with self.autocommitting() as connection:
            for statement in (*before, sql):
                run(connection, statement)

    def close(self) -> None:
        with suppress(Exception):
            self._connection.close()


def run(connection: Connection, sql: str) -> int:
    """Run SQL text as it is: a `%` in a name is no placeholder."""
    result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
    return result.rowcount if not result.returns_rows else 0


def run_each(connection: Connection, sql: str, parameters: Sequence[tuple[Any, ...]]) -> int:
    """Run SQL once for each list of parameters, or as it is where there is none; returns the rows it touched."""
    if not parameters:
        return run(connection, sql)
    options = connection.execution_options(no_parameters=False)
    return sum(max(0, options.exec_driver_sql(sql, given).rowcount) for given in parameters)


def rows_of(connection: Connection, sql: str) -> list[tuple[Any, ...]]:
    """The answer to a question in the open transaction."""
    result = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
    return [tuple(row) for row in result]


def console(url: str, questions: Sequence[str]) -> list[list[dict[str, Any]]]:
    """The answers of a pooler's console, which takes nothing that a server would be told first.

    Raises:
        ConnectionFailed: it does not answer.
        DatabaseError: it refuses a question.
    """
    from sqlalchemy.exc import DBAPIError

    engine = create_engine(url, application_name("observe"))
    arguments, options = engine.dialect.create_connect_args(engine.url)
    shown = engine.url.render_as_string(hide_password=True)
    try:
        raw = engine.dialect.connect(*arguments, **options)
    except Exception as problem:
        raise ConnectionFailed(f"cannot connect to {shown}: {first_line(problem)}") from None
    try:
        raw.autocommit = True
        return [asked(raw, question) for question in questions]
    except engine.dialect.loaded_dbapi.Error as problem:
        raise mapped(DBAPIError("", None, problem)) from None
    finally:
        raw.close()


def asked(raw: Any, question: str) -> list[dict[str, Any]]:
    cursor = raw.cursor()
    cursor.execute(question)
    names = [column[0] for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def connect(url: str, verb: str) -> Iterator[Session]:
    """Open a session for one command.

    Raises:
        ConnectionFailed: no connection could be made; the message never has the password.
        NotSupportedHere: the server is of a version or kind that is not supported.
    """
    session = Session(*_open(create_engine(url, application_name(verb))))
    try:
        yield session
    finally:
        session.close()


def _open(engine: Engine) -> tuple[Connection, Facts]:
    from sqlalchemy.exc import DBAPIError

    shown = engine.url.render_as_string(hide_password=True)
    try:
        connection = engine.connect()
    except DBAPIError as problem:
        raise ConnectionFailed(
            f"cannot connect to {shown}: {first_line(problem.orig or problem)}",
            next_step="check the URL, and that the server is up; then run: migrator doctor",
        ) from None
    with mapped_errors():
        kind = family(engine.url.get_backend_name())
        facts = kind.facts(lambda sql: rows_of(connection, sql))
        for statement in kind.session_statements(facts.server):
            run(connection, statement)
        connection.commit()
    return connection, facts


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
    direct = session.family.announced(session.connection.connection.driver_connection) == session.backend()
    for _ in range(UNPOOLED_PROBES if direct else POOLER_PROBES):
        mine = session.backend()
        with mapped_errors(), engine.connect() as other:
            theirs = other.exec_driver_sql(session.family.questions["backend"]).scalar_one()
        if mine == theirs:
            raise NotSupportedHere(
                "the connection goes through a pooler in transaction mode, which would share the"
                " runner's session with other clients",
                next_step="give the URL of the server itself, or of a pool in session mode",
            )
