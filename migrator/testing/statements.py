"""The statements of one version of an application, run as it runs them: again and again, on connections it keeps."""

from __future__ import annotations

import inspect
import itertools
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from migrator.database import family_of, first_line
from migrator.dialects import family
from migrator.errors import UsageError
from migrator.setting_values import mask

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NUMBER = re.compile(r"(?<![:\w\\]):n\b")
"""In SQL: the number of a round, which no other round has."""

numbers = itertools.count(1_000_001)
"""Of rounds: above the keys that tests give their rows, and within an integer."""

REST = 0.03
"""Seconds between two rounds of a version that is at work while the schema changes."""


class Unchecked:
    """In place of a result: whatever a statement gives is in order."""

    def __repr__(self) -> str:
        return "…"


ANYTHING = Unchecked()


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that a version of the application does, and what has to come of it.

    Args:
        run: SQL in which `:n` stands for the number of the round, or a function. A function is given an SQLAlchemy
            `Session`, or a `Connection` where its first argument is called `connection` or annotated so, and the
            number of the round where it takes a second argument.
        gives: the rows that a query has to give, as a list of tuples; or the one value of its one row; or
            a function that makes either of the number of the round. What a function returns is compared as it is.
        name: for messages; the SQL itself, or the name of the function, where not given.
    """

    run: str | Callable[..., Any]
    gives: Any = ANYTHING
    name: str = ""

    def __str__(self) -> str:
        if self.name or not isinstance(self.run, str):
            return self.name or f"{getattr(self.run, '__name__', repr(self.run))}()"
        return " ".join(self.run.split())


def statements(given: Any) -> tuple[Statement, ...]:
    """What a version does, from how it may be written: one thing or a list; pairs have what has to come of it.

    Raises:
        UsageError: it is none of these.
    """
    if isinstance(given, str | Statement) or callable(given):
        given = [given]
    if not isinstance(given, Sequence):
        raise UsageError(
            f"{given!r} is no statement", next_step='["INSERT …", ("SELECT …", 3), function, Statement(…)]'
        )
    return tuple(map(statement, given))


def statement(given: Any) -> Statement:
    if isinstance(given, Statement):
        return given
    if isinstance(given, tuple) and len(given) == 2:
        return Statement(given[0], given[1])
    if isinstance(given, str) or callable(given):
        return Statement(given)
    raise UsageError(f"{given!r} is no statement", next_step='write it as ("SELECT …", 3), with what has to come of it')


@dataclass(frozen=True, slots=True)
class Failure:
    """What came of a statement that failed.

    Args:
        statement: its place, from 0.
        code: the server's name for it; `result` where the statement gave something else than it has to.
        said: in words.
    """

    statement: int
    code: str
    said: str


class WrongResult(AssertionError):
    """A statement gave something else than it has to."""


def plain_engine(url: str) -> Engine:
    """An engine as an application makes it, with everything left to SQLAlchemy and the driver."""
    import sqlalchemy

    return sqlalchemy.create_engine(url)


class Client:
    """One connection of a version, kept as a pool would keep it.

    Args:
        patience_ms: how long the server lets a statement wait for a lock.
    """

    def __init__(self, engine: Engine, does: Sequence[Statement], patience_ms: int) -> None:
        self.engine, self.does = engine, does
        self.patience = family(engine.dialect.name).patience(patience_ms)
        self.connection: Connection | None = None

    def round(self) -> Failure | None:
        """Run every statement once, each in a transaction of its own, up to one that fails.

        What comes after it may rely on it.
        """
        number = next(numbers)
        for place, does in enumerate(self.does):
            try:
                self._run(does, number)
            except Exception as problem:
                self._recover()
                return failure(place, problem)
        return None

    def _run(self, does: Statement, number: int) -> None:
        connection = self._connected()
        if isinstance(does.run, str):
            found = run_sql(connection, does.run, number)
        else:
            found = run_function(connection, does.run, number)
        connection.commit()
        compare(does, found, number)

    def _connected(self) -> Connection:
        if self.connection is None:
            self.connection = self.engine.connect()
            for limit in self.patience:
                self.connection.exec_driver_sql(limit)
            self.connection.commit()
        return self.connection

    def _recover(self) -> None:
        """Go on after an error as a pool does: with the same connection, unless it was lost."""
        if self.connection is None:
            return
        if self.connection.invalidated or self.connection.closed:
            self.close()
        elif self.connection.in_transaction():
            self.connection.rollback()

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


def run_sql(connection: Connection, sql: str, number: int) -> list[tuple[Any, ...]] | None:
    from sqlalchemy import text

    result = connection.execute(text(sql), {"n": number} if NUMBER.search(sql) else {})
    return [tuple(row) for row in result] if result.returns_rows else None


def run_function(connection: Connection, function: Callable[..., Any], number: int) -> Any:
    """Call a function of the application with what it takes; what it does is committed, if not by itself."""
    from sqlalchemy.orm import Session

    wanted = list(inspect.signature(function).parameters.values())
    more = (number,) if len(wanted) > 1 else ()
    if wanted and takes_connection(wanted[0]):
        return function(connection, *more)
    with Session(bind=connection) as session:
        found = function(*((session, *more) if wanted else ()))
        session.commit()
        return found


def takes_connection(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    named = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return named.rpartition(".")[2] == "Connection" or (
        annotation is inspect.Parameter.empty and parameter.name in ("connection", "conn")
    )


def compare(does: Statement, found: Any, number: int) -> None:
    """Raises:
    WrongResult: it is not what it has to be.
    """
    if does.gives is ANYTHING:
        return
    wanted = does.gives(number) if callable(does.gives) else does.gives
    if isinstance(does.run, str) and not isinstance(wanted, list):
        found = found[0][0] if found and len(found) == 1 and len(found[0]) == 1 else found
    if isinstance(wanted, list) and isinstance(found, list):
        wanted = [tuple(row) if isinstance(row, list | tuple) else row for row in wanted]
    if found != wanted:
        raise WrongResult(f"it gives {found!r}, and has to give {wanted!r}")


def failure(place: int, problem: Exception) -> Failure:
    from sqlalchemy.exc import DBAPIError

    if isinstance(problem, WrongResult):
        return Failure(place, "result", str(problem))
    if isinstance(problem, DBAPIError):
        orig = problem.orig or problem
        code = family_of(problem).code(orig) or ""
        return Failure(place, code, f"{type(orig).__name__}: {first_line(orig)}" + (f" ({code})" if code else ""))
    kind = "assertion" if isinstance(problem, AssertionError) else "error"
    return Failure(place, kind, mask(f"{type(problem).__name__}: {problem}".strip().partition("\n")[0]))


class Traffic(threading.Thread):
    """A version at work while the schema changes: rounds, one after another, until it is stopped."""

    def __init__(self, client: Client, watch: Callable[[Callable[[], Failure | None]], None]) -> None:
        super().__init__(daemon=True)
        self.client, self.watch = client, watch
        self.stopping = threading.Event()
        self.rounds = 0

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self.watch(self.client.round)
                self.rounds += 1
                self.stopping.wait(REST)
        finally:
            self.client.close()

    def stop(self) -> None:
        self.stopping.set()
        self.join()
