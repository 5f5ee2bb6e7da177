"""A transaction in two round trips: on a network each further one is time in which a batch only holds its locks."""

from __future__ import annotations

from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any

from migrator.database import mapped

if TYPE_CHECKING:
    from migrator.database import Session


class AtOnce:
    """One transaction of a session, by psycopg: several statements are sent as one text.

    It is rolled back where it is left before `commit`.

    Args:
        session: of PostgreSQL; no transaction is open on it.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.suffix = session.family.statistics.suffix
        self.raw: Any = session.connection.connection.driver_connection

    def __enter__(self) -> AtOnce:
        self.raw.autocommit = True  # psycopg would send a BEGIN of its own, and wait for its answer
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: object, trace: TracebackType | None) -> None:
        with suppress(Exception):  # the server is gone, and the transaction with it
            self.raw.rollback()
            self.raw.autocommit = False

    def run(self, *statements: str) -> int:
        """Begin, and run statements as they are; returns the rows that the last one touched.

        Raises:
            DatabaseError: of one of them, as any other way of running it would raise it.
        """
        return self._send("BEGIN ISOLATION LEVEL READ COMMITTED", *statements)

    def commit(self, *statements: str) -> None:
        """Run statements, and commit.

        Raises:
            DatabaseError: nothing is committed, or the connection is lost and nobody knows.
        """
        self._send(*statements, "COMMIT")

    def _send(self, *statements: str) -> int:
        from psycopg import Error
        from sqlalchemy.exc import DBAPIError

        text = ";\n".join(statement + self.suffix for statement in statements)
        try:
            with self.raw.cursor() as cursor:
                cursor.execute(text, prepare=False)
                while cursor.nextset():
                    pass
                return int(cursor.rowcount)
        except Error as problem:
            if self.raw.closed:
                self.session.connection.invalidate(problem)  # as SQLAlchemy does, whose own statement this was not
            raise mapped(DBAPIError(None, None, problem)) from problem
