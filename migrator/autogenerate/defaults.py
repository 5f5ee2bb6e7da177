"""Whether two defaults of a column are the same, asked without side effects."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from migrator.autogenerate.types import default_text, type_text
from migrator.introspection import volatility_reader
from phases.catalog import Volatility

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
    before, after = default_text(there.server_default), default_text(wanted.server_default)
    if before == after or is_serial(wanted, before):
        return False
    if before is None or after is None:
        return True
    volatile = volatility_reader(connection)
    if Volatility.VOLATILE in (volatile(before), volatile(after)):
        return plain_text(before) != plain_text(after)
    type_ = type_text(wanted.type)
    # As text, because json and others have no `=`; cast first, so that '1' and 1 are the same number.
    question = f"SELECT ({before})::{type_}::text IS DISTINCT FROM ({after})::{type_}::text"
    return bool(connection.execution_options(no_parameters=True).exec_driver_sql(question).scalar_one())


def is_serial(column: Column[Any], default: str | None) -> bool:
    """Whether the default is the sequence that SQLAlchemy makes for such a key."""
    return column.table._autoincrement_column is column and (default or "").startswith("nextval(")


def plain_text(expression: str) -> str:
    """An expression without the brackets and casts that the server adds when it writes it back."""
    return re.sub(r"::regclass|[\s()]", "", expression).lower()
