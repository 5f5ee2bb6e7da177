"""Connections of the demo's application: statements as users send them, in the words of each kind of server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Client(Protocol):
    """One connection, which commits by itself."""

    problem: type[Exception]
    """What a failed statement raises."""
    upsert: str
    """The end of an INSERT that changes the row that is there already."""

    def ask(self, sql: str, values: Sequence[object]) -> list[Any]: ...

    def do(self, sql: str, values: Sequence[object]) -> None: ...

    def insert(self, sql: str, values: Sequence[object]) -> int:
        """Run an INSERT of one row; returns its key."""
        ...

    def close(self) -> None: ...


class PostgreSQLClient:
    """psycopg as it comes."""

    upsert = "ON CONFLICT (email) DO UPDATE SET NAME = EXCLUDED.NAME"

    def __init__(self, connection: Any) -> None:
        import psycopg

        self.connection = connection
        self.problem: type[Exception] = psycopg.Error

    def ask(self, sql: str, values: Sequence[object]) -> list[Any]:
        return list(self.connection.execute(sql.encode(), values).fetchall())

    def do(self, sql: str, values: Sequence[object]) -> None:
        self.connection.execute(sql.encode(), values)

    def insert(self, sql: str, values: Sequence[object]) -> int:
        key: int = self.ask(f"{sql} RETURNING id", values)[0][0]
        return key

    def close(self) -> None:
        self.connection.close()


class MySQLClient:
    """PyMySQL as it comes."""

    upsert = "ON DUPLICATE KEY UPDATE NAME = VALUES(NAME)"

    def __init__(self, connection: Any) -> None:
        import pymysql

        self.connection = connection
        self.problem: type[Exception] = pymysql.MySQLError

    def ask(self, sql: str, values: Sequence[object]) -> list[Any]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            return list(cursor.fetchall())

    def do(self, sql: str, values: Sequence[object]) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)

    def insert(self, sql: str, values: Sequence[object]) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)
            key: int = cursor.lastrowid
            return key

    def close(self) -> None:
        self.connection.close()


def connected(url: str, name: str) -> Client:
    """Connect.

    Args:
        url: as SQLAlchemy takes it.
        name: of the application, which the server is told.
    """
    from sqlalchemy import make_url

    target = make_url(url)
    if target.get_backend_name() == "postgresql":
        import psycopg

        plain = target.set(drivername="postgresql").render_as_string(hide_password=False)
        return PostgreSQLClient(psycopg.connect(plain, autocommit=True, application_name=name))
    import pymysql

    session = pymysql.connect(
        unix_socket=target.query["unix_socket"],
        user=target.username,
        database=target.database,
        autocommit=True,
        program_name=name,
        ssl_disabled=True,
    )
    return MySQLClient(session)
