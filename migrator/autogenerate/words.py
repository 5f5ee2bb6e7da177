"""The words of the server that two schemas are compared on: types, constants, expressions.

What is written goes into a revision, so names are quoted as in standard SQL on every server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from linters.expressions import PostgresExpressions
from phases.catalog import Server
from phases.dialects import mysql_statements
from phases.sql import Expressions, identifier
from phases.sql import literal as standard

POSTGRESQL = Server("postgresql", (17, 0))
SERVER: ContextVar[Server] = ContextVar("server", default=POSTGRESQL)
OWN: Mapping[str, tuple[str, ...]] = {
    "postgresql": ("postgresql_",),
    "mysql": ("mysql_",),
    "mariadb": ("mysql_", "mariadb_"),
}
"""How options of SQLAlchemy begin that a server sees."""


@contextmanager
def of(server: Server) -> Iterator[None]:
    """Speak as a server for as long as a comparison takes."""
    token = SERVER.set(server)
    try:
        yield
    finally:
        SERVER.reset(token)


def server() -> Server:
    return SERVER.get()


def is_postgresql() -> bool:
    return SERVER.get().family == "postgresql"


def dialect() -> Any:
    """SQLAlchemy's dialect of the server; names in double quotes, and no % doubled."""
    from sqlalchemy.dialects import mysql, postgresql

    if is_postgresql():
        return postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]
    made: Any = mysql.dialect(paramstyle="named")
    made.identifier_preparer = made.preparer(made, server_ansiquotes=True)
    return made


def literal(text: str) -> str:
    """Quote a string constant."""
    return standard(text) if is_postgresql() else mysql_statements.literal(text)


def expressions() -> Expressions:
    if is_postgresql():
        return PostgresExpressions()
    from linters.mysql.expressions import MySQLExpressions

    found = server()
    return MySQLExpressions(found.family, found.version)


def own_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options of the models that the server sees, and that say anything."""
    given = {name: value for name, value in options.items() if value is not None and value is not False}
    return {name: v for name, v in given.items() if v != {} and (own(name) or not foreign(name))}


def own(name: str) -> bool:
    return name.startswith(OWN[server().family])


def foreign(name: str) -> bool:
    """Whether an option is for servers of another kind."""
    return name.startswith(("postgresql_", "mysql_", "mariadb_", "sqlite_", "oracle_", "mssql_")) and not own(name)


def commented(table: str, column: str, text: str | None) -> str:
    """Statement that gives a column, or a table where none is named, a comment; empty where there is no short one."""
    if is_postgresql():
        what = f"COLUMN {table}.{identifier(column)}" if column else f"TABLE {table}"
        return f"COMMENT ON {what} IS {'NULL' if text is None else literal(text)}"
    return "" if column else f"ALTER TABLE {table} COMMENT = {literal(text or '')}"
