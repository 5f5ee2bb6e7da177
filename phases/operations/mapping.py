"""Questions about a mapping of columns, asked of the data before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable

from phases.catalog import Column, Table
from phases.dialects.base import Dialect
from phases.dual_write import DualWrite
from phases.operations.base import Precheck, Touch, row_key_text
from phases.sql import identifier, listed, qualified

SAMPLE_ROWS = 10_000


def nothing(columns: Iterable[str]) -> str:
    return " AND ".join(f"({column}) IS NULL" for column in columns)


def quoted(columns: Iterable[Column]) -> list[str]:
    return [identifier(column.name) for column in columns]


def touched(table: Table, link: DualWrite) -> tuple[Touch, ...]:
    return tuple(Touch(table.name, column.name) for column in link.olds)


def lost_values(table: Table, link: DualWrite, dialect: Dialect) -> Precheck:
    """Ask for rows with values of which `up` makes nothing."""
    made = nothing(text for _, text in link.up)
    required = [dict(link.up)[new.name] for new in link.news if new.not_null]
    if required:
        made = " OR ".join(f"({text}) IS NULL" for text in required)
    sql = (
        f"SELECT {row_key_text(table, dialect)} FROM {qualified(table.name)}"
        f" WHERE {'true' if required else f'NOT ({nothing(quoted(link.olds))})'} AND ({made}) LIMIT 5"
    )
    problem = f'up gives NULL for rows of "{table.name}" that must have a value'
    return Precheck(sql, problem, "write an up that keeps them, or set them to NULL first", touched(table, link))


def lossy_pairs(table: Table, link: DualWrite, dialect: Dialect) -> Precheck:
    """Ask a sample of rows whether `down` gives again what `up` was given."""
    up = dict(link.up)
    values = {column.name: f"({up[column.name]})" for column in link.news}
    back = {name: dialect.expressions.substitute(text, values) for name, text in link.down}
    differ = " OR ".join(dialect.differs(c, identifier(c.name), back[c.name]) for c in link.olds)
    shown = ", ".join(dialect.as_text(text) for text in (*quoted(link.olds), *(f"({t})" for t in back.values())))
    sql = (
        f"SELECT {row_key_text(table, dialect)}, {shown}"
        f" FROM (SELECT * FROM {qualified(table.name)} LIMIT {SAMPLE_ROWS}) AS sample WHERE {differ} LIMIT 5"
    )
    problem = (
        f'rows of "{table.name}" come back different from down(up({listed(c.name for c in link.olds)}))'
        " (key, value, what comes back)"
    )
    return Precheck(sql, problem, "mend up or down, or accept it: lossy=True", touched(table, link))


def refused_writes(link: DualWrite) -> tuple[str, ...]:
    """Say where the new version may write what the old side, which is required, has no value for."""
    required = [column.name for column in link.olds if column.not_null]
    if not (link.fallible and required):
        return ()
    news = ", ".join(f'"{column.name}"' for column in link.news)
    return (
        f'"{required[0]}" is required: until the contract a statement fails that writes to {news} what down has no'
        " value for; let down have one for everything, for example with CASE",
    )


def null_is_given(link: DualWrite, dialect: Dialect) -> Precheck:
    """Ask whether NULL on one side is NULL on the other: a row nobody filled could not be told otherwise."""
    gone = {column.name: dialect.cast("NULL", column.type) for column in (*link.olds, *link.news)}
    asked = []
    for what, pairs, columns in (("up", link.up, link.olds), ("down", link.down, link.news)):
        if not link.nullable:
            continue
        made = [dialect.expressions.substitute(text, {c.name: gone[c.name] for c in columns}) for _, text in pairs]
        asked.append(f"SELECT '{what}' WHERE NOT ({nothing(made)})")
    sql = " UNION ALL ".join(asked) or "SELECT 1 WHERE false"
    problem = "the expression makes a value of NULL, so that a row nobody filled cannot be told from one with NULL"
    return Precheck(sql, problem, "give the rows without a value one first: SetNotNull with fill=")
