"""Whether two defaults of a column are the same on MySQL and MariaDB, which write them in ways of their own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from migrator.autogenerate import words
from migrator.autogenerate.types import default_text
from phases.catalog import Server
from phases.dialects import mysql

if TYPE_CHECKING:
    from sqlalchemy import Column, Connection


def differ(connection: Connection, there: Column[Any], wanted: Column[Any]) -> bool | None:
    """Compare the default of the database with that of the models; None leaves it to Alembic.

    Args:
        there: the column as it was read.
        wanted: the column of the models.
    """
    from sqlalchemy import DefaultClause

    plain = (DefaultClause, type(None))
    if not isinstance(there.server_default, plain) or not isinstance(wanted.server_default, plain):
        return None
    with words.of(Server(connection.dialect.name, (0,))):
        texts = [default_text(column.server_default) for column in (there, wanted)]
    before, after = (None if text is None or text.strip().upper() == "NULL" else text for text in texts)
    if before is None or after is None:
        return before is not after
    if not all(mysql.LITERAL.fullmatch(text) for text in (before, after)):
        return bare(before) != bare(after)
    return not equal(connection, before, after, is_number(wanted))


def equal(connection: Connection, before: str, after: str, numbers: bool) -> bool:
    """Whether two constants are the same: as numbers, or byte by byte."""
    sides = [f"({text}) + 0" if numbers else f"CAST({text} AS BINARY)" for text in (before, after)]
    question = f"SELECT {sides[0]} <=> {sides[1]}"
    return bool(connection.execution_options(no_parameters=True).exec_driver_sql(question).scalar_one())


def is_number(column: Column[Any]) -> bool:
    import sqlalchemy as sa

    return isinstance(column.type, sa.Integer | sa.Numeric | sa.Boolean)


def bare(expression: str) -> str:
    """An expression without the brackets, quotes and character sets that the server adds when it writes it back."""
    known = mysql.default_text(expression.strip())
    return re.sub(r"_utf8mb[34](?=')|[\s()`\"]", "", known).lower()
