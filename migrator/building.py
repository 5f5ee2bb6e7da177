"""Dialects of `phases`, put together with what reads their expressions and writes their types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from phases.catalog import Server, Volatility
from phases.errors import Refused

if TYPE_CHECKING:
    from phases.dialects.base import Dialect

Volatilities = Callable[[str], Volatility]
Types = Callable[[object], str]


def compiler_for(name: str) -> Types:
    """What writes SQLAlchemy types for a family of servers."""

    def write(type_: object) -> str:
        return compile_sqlalchemy_type(type_, name)

    return write


def compile_sqlalchemy_type(type_: object, name: str = "postgresql") -> str:
    """Write an SQLAlchemy type as a server does.

    Args:
        name: of SQLAlchemy's dialect for it.

    Raises:
        Refused: it is neither text nor an SQLAlchemy type, or the server has no such type.
    """
    from sqlalchemy.dialects import mysql, postgresql
    from sqlalchemy.exc import CompileError
    from sqlalchemy.types import TypeEngine

    made = type_() if isinstance(type_, type) else type_
    if not isinstance(made, TypeEngine):
        raise Refused(f"{type_!r} is not a type", remedy='write the type as text ("integer") or as an SQLAlchemy type')
    try:
        dialect = {"postgresql": postgresql, "mysql": mysql, "mariadb": mysql}[name].dialect()
        return str(made.compile(dialect=dialect))
    except CompileError as problem:
        raise Refused(f"{type_!r} is no type there: {problem}", remedy="give it a length: sa.String(255)") from None


def postgresql(server: Server, volatility: Volatilities, types: Types) -> Dialect:
    from linters.expressions import PostgresExpressions
    from phases.dialects.postgresql import PostgreSQL

    return PostgreSQL(server, PostgresExpressions(), types, volatility)


def mysql(server: Server, volatility: Volatilities, types: Types) -> Dialect:
    from linters.mysql.expressions import MySQLExpressions
    from phases.dialects.mysql import MySQL

    del volatility  # it can be told from the text alone
    # What it has not is refused by name before anything asks for it.
    return cast("Dialect", MySQL(server, MySQLExpressions(server.family, server.version), types))


DIALECTS: Mapping[str, Callable[[Server, Volatilities, Types], Dialect]] = {
    "postgresql": postgresql,
    "mysql": mysql,
    "mariadb": mysql,
}
