"""Statements that write one of two columns, made to write both. Pure: a statement and its rows in, the same out.

Rows are the parameters that a statement is executed with. Values that are there are copied where the other column
gets the same; everything else becomes an expression that the server evaluates with the statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnClause, Insert, Update, bindparam, select
from sqlalchemy.sql import coercions, roles, visitors

from migrator.app.mirror_sql import Expression
from migrator.app.mirrors import Mirror, typed

Row = dict[str, Any]
Rows = list[Row]
Assignments = list[tuple[Any, Any]]


def rewritten(mirror: Mirror, statement: Any, rows: Sequence[Row]) -> tuple[Any, Rows]:
    """The statement and its rows, so that both columns are written."""
    if isinstance(statement, Update):
        return rewritten_update(mirror, statement, list(rows))
    statement = rewritten_conflict(mirror, statement)
    if statement.select is not None:
        return from_select(mirror, statement), list(rows)
    if statement._multi_values:
        return many_values(mirror, statement), list(rows)
    return rewritten_insert(mirror, statement, list(rows))


def rewritten_insert(mirror: Mirror, statement: Insert, rows: Rows) -> tuple[Insert, Rows]:
    values = explicit(statement)
    rows = with_default(mirror, values, rows)
    if not values.keys() & keys(mirror):
        copied = copied_rows(mirror, rows)
        if copied is not None:
            return statement, copied
        rows = without_absent(mirror, rows)
    given, rows = given_sides(mirror, values, rows)
    found = inserted(mirror, given)
    return (assigned(statement, found), rows) if found else (statement, rows)


def inserted(mirror: Mirror, given: dict[Column[Any], Expression]) -> dict[Column[Any], Expression]:
    """What an INSERT that gives some of the two columns has to say of both."""
    if len(given) == 2:
        old, new = mirror.inserted_both(given[mirror.old], given[mirror.new])
        return {mirror.old: old, mirror.new: new}
    return {
        **given,
        **{mirror.other(column): mirror.inserted(mirror.other(column), value) for column, value in given.items()},
    }


def rewritten_update(mirror: Mirror, statement: Update, rows: Rows) -> tuple[Update, Rows]:
    values = explicit(statement)
    if not values.keys() & keys(mirror):
        copied = copied_updates(mirror, rows)
        if copied is not None:
            return statement, copied
    given, rows = given_sides(mirror, values, rows)
    if not given:
        return statement, rows
    found, order_matters = updated(mirror, given)
    return assigned(statement, found, in_order=order_matters), rows


def updated(mirror: Mirror, given: dict[Column[Any], Expression]) -> tuple[dict[Column[Any], Expression], bool]:
    """Assignments to both columns, in an order in which none reads what was assigned before, and whether one could.

    MySQL and MariaDB assign from left to right, and what comes later sees it.
    """
    if len(given) == 2:
        old, new = given[mirror.old], given[mirror.new]
        if not (mirror.plain and same(old, new)):
            old, new = mirror.updated_both(old, new)
            return {mirror.old: old, mirror.new: new}, True
        given = {mirror.old: old}
    ((column, value),) = given.items()
    other = mirror.other(column)
    derived = mirror.updated(other, value)
    read = reads(value) & keys(mirror)
    if other.key in read and column.key not in read:
        return {column: value, other: derived}, True
    return {other: derived, column: value}, bool(read)


def reads(expression: Any) -> set[str]:
    """Keys of the columns that an expression reads."""
    return {str(getattr(found, "key", "")) for found in visitors.iterate(expression) if isinstance(found, ColumnClause)}


def same(one: Any, other: Any) -> bool:
    return one is other or bool(one.compare(other))


def keys(mirror: Mirror) -> set[str]:
    return {mirror.old.key, mirror.new.key}


def key_of(name: Any) -> str:
    """The key of a column that a statement assigns to, however it names it."""
    return str(coercions.expect_as_key(roles.DMLColumnRole, name))


def assignments(statement: Any) -> Assignments:
    """What the statement itself sets, apart from its rows, under the names that it has for the columns."""
    ordered = getattr(statement, "_ordered_values", None)
    return list(ordered) if ordered else list((statement._values or {}).items())


def explicit(statement: Any) -> dict[str, Any]:
    return {key_of(name): value for name, value in assignments(statement)}


def assigned(statement: Any, found: dict[Column[Any], Expression], *, in_order: bool = False) -> Any:
    """The statement with other assignments to some columns; they come first, and as given, where order matters."""
    own = {column.key for column in found}
    others = [(name, value) for name, value in assignments(statement) if key_of(name) not in own]
    # An UPDATE by key of many rows, of the ORM, can be given no order.
    free = isinstance(statement, Update) and statement._annotations.get("dml_strategy") != "bulk"
    matters = free and (is_ordered(statement) or (in_order and not natural(list(found))))
    bare = statement._clone()
    bare._values = None
    for name, blank in (("_ordered_values", None), ("_maintain_values_ordering", False)):
        if hasattr(bare, name):
            setattr(bare, name, blank)
    every = [*found.items(), *others]
    return bare.ordered_values(*every) if matters else bare.values(dict(every))


def is_ordered(statement: Any) -> bool:
    return bool(getattr(statement, "_ordered_values", None) or getattr(statement, "_maintain_values_ordering", False))


def natural(columns: Sequence[Column[Any]]) -> bool:
    """Whether the columns stand in this order in their table, which is the order that they are set in."""
    places = [list(column.table.c).index(column) for column in columns]
    return places == sorted(places)


def given_sides(mirror: Mirror, values: dict[str, Any], rows: Rows) -> tuple[dict[Column[Any], Expression], Rows]:
    """The columns that a statement or its rows give, as expressions, and the rows with what these are named by."""
    given: dict[Column[Any], Expression] = {}
    by_row = [column for column in (mirror.old, mirror.new) if rows and column.key in rows[0]]
    for column in (mirror.old, mirror.new):
        if column in by_row:
            given[column] = bindparam(named(column), type_=column.type)
        elif column.key in values:
            given[column] = typed(values[column.key], column)
    renamed = {column.key: named(column) for column in by_row}
    return given, [{renamed.get(key, key): value for key, value in row.items()} for row in rows] if renamed else rows


def named(column: Column[Any]) -> str:
    """The parameter of a column's value: its own name is that of its assignment."""
    return f"migrator_{column.key}"


def with_default(mirror: Mirror, values: dict[str, Any], rows: Rows) -> Rows:
    """Rows with the value that SQLAlchemy would put into the old column, where nobody gives either."""
    default: Any = mirror.old.default
    if default is None or keys(mirror) & (values.keys() | (rows[0].keys() if rows else set())):
        return rows
    return [{**row, mirror.old.key: default.arg(None) if default.is_callable else default.arg} for row in rows or [{}]]


def copied_rows(mirror: Mirror, rows: Rows) -> Rows | None:
    """Rows of an INSERT with both values, where no server has to be asked; None: it has to be."""
    old, new = mirror.old.key, mirror.new.key
    if not rows or not keys(mirror) & rows[0].keys():
        return rows
    if not mirror.plain:
        return None
    if not keys(mirror) <= rows[0].keys():
        given, other = (old, new) if old in rows[0] else (new, old)
        return [{**row, other: row[given]} for row in rows]
    if any(undecided(mirror, row) for row in rows):
        return None
    written = [row[old] if row[new] is None else row[new] for row in rows]
    return [{**row, old: value, new: value} for row, value in zip(rows, written, strict=True)]


def undecided(mirror: Mirror, row: Row) -> bool:
    """Whether both sides of a row may have been written, and differently."""
    old, new = row[mirror.old.key], row[mirror.new.key]
    if alike(old, new):
        return False
    nulls_are_absent = mirror.old.server_default is None and mirror.new.server_default is None
    return not nulls_are_absent or (old is not None and new is not None)


def alike(one: Any, other: Any) -> bool:
    return one is other or (type(one) is type(other) and bool(one == other))


def without_absent(mirror: Mirror, rows: Rows) -> Rows:
    """Rows without a column that is NULL in all of them because nobody gave it: what the unit of work sends."""
    if mirror.plain or not rows or not keys(mirror) <= rows[0].keys():
        return rows
    if mirror.old.server_default is not None or mirror.new.server_default is not None:
        return rows
    for column in (mirror.new, mirror.old):
        if all(row[column.key] is None for row in rows):
            return [{key: value for key, value in row.items() if key != column.key} for row in rows]
    return rows


def copied_updates(mirror: Mirror, rows: Rows) -> Rows | None:
    """Rows of an UPDATE with both values, where no server has to be asked; None: it has to be."""
    old, new = mirror.old.key, mirror.new.key
    if not rows or not keys(mirror) & rows[0].keys():
        return rows
    if not mirror.plain:
        return None
    if not keys(mirror) <= rows[0].keys():
        given, other = (old, new) if old in rows[0] else (new, old)
        return [{**row, other: row[given]} for row in rows]
    return rows if all(alike(row[old], row[new]) for row in rows) else None


def many_values(mirror: Mirror, statement: Any) -> Any:
    """An INSERT with several rows in its text."""
    every = [as_dict(statement, row) for rows in statement._multi_values for row in rows]
    bare = statement._clone()
    bare._multi_values = ()
    return bare.values([with_both(mirror, row) for row in every])


def as_dict(statement: Any, row: Any) -> dict[Any, Any]:
    if isinstance(row, dict):
        return row
    return dict(zip((column.key for column in statement.table.c), row, strict=False))


def with_both(mirror: Mirror, row: dict[Any, Any]) -> dict[str, Any]:
    found = {key_of(name): value for name, value in row.items()}
    given = {c: typed(found[c.key], c) for c in (mirror.old, mirror.new) if c.key in found}
    if not given and mirror.old.default is not None:
        (filled,) = with_default(mirror, found, [{}])
        given = {mirror.old: typed(filled[mirror.old.key], mirror.old)}
    return {**found, **{column.key: value for column, value in inserted(mirror, given).items()}}


def from_select(mirror: Mirror, statement: Any) -> Any:
    """An INSERT … SELECT: the query is read by one that makes the other column."""
    names = [key_of(name) for name in statement._select_names]
    if not keys(mirror) & set(names):
        return statement
    rows = statement.select.subquery()
    found = dict(zip(names, rows.c, strict=True))
    given = {column: found[column.key] for column in (mirror.old, mirror.new) if column.key in found}
    found = {**found, **{column.key: value for column, value in inserted(mirror, given).items()}}
    bare = statement._clone()
    bare.select = bare._select_names = None
    query = select(*(value.label(key) for key, value in found.items()))
    return bare.from_select(list(found), query, include_defaults=statement.include_insert_from_select_defaults)


def rewritten_conflict(mirror: Mirror, statement: Any) -> Any:
    """What an upsert sets where the row is there: ON CONFLICT DO UPDATE, ON DUPLICATE KEY UPDATE."""
    clause = statement._post_values_clause
    attribute = next((name for name in ("update_values_to_set", "update") if hasattr(clause, name)), None)
    if attribute is None:
        return statement
    values = {key_of(name): value for name, value in dict(getattr(clause, attribute)).items()}
    given = {c: typed(values[c.key], c) for c in (mirror.old, mirror.new) if c.key in values}
    if not given:
        return statement
    found, _ = updated(mirror, given)
    every = {column.key: value for column, value in found.items()}
    every |= {key: value for key, value in values.items() if key not in every}
    made, upsert = clause._clone(), statement._clone()
    if attribute == "update":
        made._parameter_ordering = list(every)
    before = getattr(clause, attribute)
    setattr(made, attribute, every if isinstance(before, dict) else list(every.items()))
    upsert._post_values_clause = made
    return upsert
