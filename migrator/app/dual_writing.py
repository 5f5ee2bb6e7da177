"""Dual writes by the application, for tables whose owner may not have triggers made.

Every INSERT and UPDATE that SQLAlchemy compiles for the table is made to write both columns, on its way to the
driver: the unit of work, bulk operations, `update()`, upserts, of sync and async engines alike. What does not come
that way (text, raw cursors, COPY, other services) is not seen; `differing_rows` finds what it has written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, Insert, Table, Update, event, func, select
from sqlalchemy.orm import Mapper, ORMExecuteState, PassiveFlag, QueryableAttribute, Session
from sqlalchemy.orm.attributes import get_history

from migrator.app.mirrors import Mapping, Mirror
from migrator.app.observing import DUAL_WRITE_MISMATCHES, DUAL_WRITES, observer
from migrator.app.rewriting import explicit, keys, rewritten
from migrator.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

DONE = "migrator_dual_written"

_mirrors: dict[Any, tuple[Mirror, ...]] = {}
"""By table."""


def dual_write(
    old: Any, new: Any, up: Mapping | None = None, down: Mapping | None = None, *, revision: str = ""
) -> Mirror:
    """Write two columns of a table whenever one of them is written, by the rules that the triggers have.

    Call it once, where the model is declared. UPDATE: the side that changes wins. INSERT: the side that is not what
    its default gives was written. Both written: the new side wins, unless the session says
    `SET migrator.writes = 'old'` (`SET @migrator_writes = 'old'` on MySQL and MariaDB).

    Args:
        old, new: attributes of one mapped class, `User.full_name` and `User.name`; each a column of one table.
            A default that the server gives is declared in the model (`server_default=`).
        up: what the new column gets: a function of an SQL expression for the old one that returns an SQL
            expression, which has to have a value for everything and NULL for NULL. Left out: the same value.
        down: the way back; given if `up` is.
        revision: name of the revision that adds the column; labels the metrics.

    Returns:
        The pair, for `differing_rows`.

    Raises:
        UsageError: an attribute is no column of the same table, one of them is written by something else, or only
            one of `up` and `down` is given.
    """
    if (up is None) is not (down is None):
        raise UsageError("dual_write has only one of up= and down=", next_step="give both, or neither")
    mirror = Mirror(column_of(old), column_of(new), up, down, revision)
    if mirror.old.table is not mirror.new.table or mirror.old is mirror.new:
        raise UsageError(f"{mirror.old} and {mirror.new} are not two columns of one table")
    for column in (mirror.old, mirror.new):
        refuse_other_writers(column)
    table: Any = mirror.old.table
    if any(keys(mirror) & keys(other) for other in _mirrors.get(table, ())):
        raise UsageError(f"a column of {mirror.old} and {mirror.new} is in another dual_write already")
    listen()
    _mirrors[table] = (*_mirrors.get(table, ()), mirror)
    if mirror.plain:
        in_memory(old, new)
    return mirror


def listen() -> None:
    """Listen from the first pair on; a process without one pays nothing."""
    if not event.contains(Engine, "before_execute", write_both):
        event.listen(Engine, "before_execute", write_both, retval=True)
        event.listen(Session, "do_orm_execute", synchronize_both)


def column_of(attribute: Any) -> Any:
    """The column of a mapped attribute.

    Raises:
        UsageError: it has none, or several.
    """
    columns: Sequence[Any] = getattr(getattr(attribute, "property", None), "columns", ())
    if not isinstance(attribute, QueryableAttribute) or len(columns) != 1 or not isinstance(columns[0].table, Table):
        raise UsageError(
            f"{attribute!r} is not a mapped attribute of one column", next_step="dual_write(User.full_name, User.name)"
        )
    return columns[0]


def refuse_other_writers(column: Any) -> None:
    """Refuse a column that SQLAlchemy or the server writes where no statement names it."""
    if column.computed is not None or column.identity is not None or column.primary_key:
        raise UsageError(f"{column} is written by the server: a generated column, an identity or a key")
    if column.onupdate is not None or column.server_onupdate is not None:
        raise UsageError(f"{column} has onupdate=", next_step="set it in the statements, or in a before_update event")
    if column.default is not None and column.default.is_sequence:
        raise UsageError(f"{column} has a sequence as its default", next_step="give the value in the statements")


def in_memory(old: Any, new: Any) -> None:
    """Let objects of the unit of work show both values without a look at the server."""
    names = (old.key, new.key)

    @event.listens_for(old.class_, "before_insert", propagate=True)
    def fill(_mapper: Mapper[Any], _connection: Connection, target: Any) -> None:
        given = [name for name in names if target.__dict__.get(name) is not None]
        if len(given) == 1 and not any(name in target.__dict__ for name in names if name not in given):
            copy(target, given[0])

    @event.listens_for(old.class_, "before_update", propagate=True)
    def follow(_mapper: Mapper[Any], _connection: Connection, target: Any) -> None:
        changed = [name for name in names if get_history(target, name, PassiveFlag.PASSIVE_NO_INITIALIZE).has_changes()]
        if len(changed) == 1:
            copy(target, changed[0])

    def copy(target: Any, given: str) -> None:
        value = target.__dict__.get(given)
        if not hasattr(value, "__clause_element__"):
            setattr(target, names[1 - names.index(given)], value)


def mirrors_of(statement: Any) -> tuple[Mirror, ...]:
    return _mirrors.get(statement.table, ()) if isinstance(statement, Insert | Update) else ()


def write_both(
    _connection: Connection, statement: Any, several: Any, single: Any, execution_options: Any
) -> tuple[Any, Any, Any]:
    """Every statement that is compiled comes by here, whoever made it."""
    mirrors = mirrors_of(statement)
    if not mirrors or execution_options.get(DONE):
        return statement, several, single
    rows = list(several) or ([dict(single)] if single else [])
    for mirror in mirrors:
        statement, rows = rewritten(mirror, statement, rows)
        observer().count(DUAL_WRITES, len(rows) or 1, migration=mirror.revision)
    return (statement, rows, {}) if len(rows) > 1 else (statement, [], rows[0] if rows else {})


def synchronize_both(state: ORMExecuteState) -> None:
    """An `update()` of a session also changes objects in memory: let it do so for both columns."""
    if not state.is_update or isinstance(state.parameters, Sequence):
        return
    statement: Any = state.statement
    mirrors = mirrors_of(statement)
    if not mirrors or not any(keys(mirror) & explicit(statement).keys() for mirror in mirrors):
        return
    if state.parameters and any(keys(mirror) & state.parameters.keys() for mirror in mirrors):
        return
    for mirror in mirrors:
        statement, _ = rewritten(mirror, statement, [])
    state.statement = statement
    state.update_execution_options(**{DONE: True})


def differing_rows(connection: Any, mirror: Mirror, *, sample: int = 10) -> tuple[int, list[tuple[Any, ...]]]:
    """Count rows whose columns do not say the same, and name some by their keys: one query that reads the table.

    Args:
        connection: a connection or a session; of an async one by `await connection.run_sync(differing_rows, mirror)`.
        mirror: what `dual_write` returned.
        sample: at most so many keys.
    """
    table: Any = mirror.old.table
    differ = mirror.disagreeing()
    count = connection.execute(select(func.count()).select_from(table).where(differ)).scalar_one()
    key = list(table.primary_key)
    found = connection.execute(select(*key).where(differ).order_by(*key).limit(sample)).all() if count and key else []
    observer().count(DUAL_WRITE_MISMATCHES, count, migration=mirror.revision)
    return count, [tuple(row) for row in found]
