"""What each statement costs on MySQL and MariaDB: algorithm and lock, by version."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linters import actions
from linters.costs import Cost
from linters.frozen import changed
from linters.mysql import alterations
from linters.mysql.columns import (
    before_virtual,
    change,
    instant_column,
    moved,
    nullability,
)
from linters.mysql.table_costs import convert, enforce, options, partitions, rewrite
from linters.mysql.together import before, beside
from linters.mysql.ways import (
    COPY,
    INSTANT,
    SHARED,
    Algorithm,
    AlterCost,
    Lock,
    Way,
    copied,
    indexes,
    is_mariadb,
    metadata,
    rebuilt,
    since,
    together,
    virtual,
)  # fmt: skip
from linters.session import Session
from linters.values import Column, Constraint, Kind, Mode, Relation

BUDGET, LARGER_BUDGET = 64, 255
"""How many columns of a table may come or go INSTANTly until it is written again: MySQL 8.0.29 to 9.0, from 9.1 on."""
UNSAFE = frozenset(
    "uuid uuid_short rand user current_user session_user system_user sysdate version found_rows row_count sleep"
    " load_file last_insert_id random_bytes get_lock release_lock master_pos_wait".split()
)
"""Functions that MySQL lets no ALTER with a default call."""
FOR_EACH_ROW = frozenset("uuid uuid_short sys_guid sysdate utc_timestamp utc_date utc_time nextval".split())
"""Functions in a default that MariaDB calls for each row, so that it copies the table."""


LIMITS = {"INSTANT": Algorithm.INSTANT, "NOCOPY": Algorithm.NOCOPY, "INPLACE": Algorithm.INPLACE}
"""The dearest algorithm that each clause allows."""
NAMING = actions.RenameColumn | actions.DropColumn | actions.SetDefault | actions.DropDefault | alterations.ModifyColumn


def cost_of(action: actions.Action, session: Session) -> Cost:
    """The cost of one action in the state before it."""
    if isinstance(action, alterations.AlterTable):
        return cost_of_alter(action, session)
    cost = Cost()
    if isinstance(action, actions.RenameTable | actions.DropTable | actions.Truncate):
        cost.lock(session.resolve(action.table), Mode.ACCESS_EXCLUSIVE)
    elif isinstance(action, actions.LockTable):
        cost.lock(session.resolve(action.table), action.mode)
    elif isinstance(action, actions.Write):
        cost.lock(session.resolve(action.table), Mode.ROW_EXCLUSIVE)
    return cost


def cost_of_alter(action: alterations.AlterTable, session: Session) -> Cost:
    """The cost of an ALTER, which is asked for again to count what was INSTANT."""
    if session.costed is None or session.costed[0] is not action or session.costed[1] != session.moment:
        session.costed = action, session.moment, alter(action, session)
    found: Cost = session.costed[2]
    return found


def alter(action: alterations.AlterTable, session: Session) -> AlterCost:
    table = session.relation(action.table)
    cost = AlterCost()
    left = before(action.parts, table, session)
    for part in action.parts:
        needing = isinstance(part, actions.DropIndex | actions.DropColumn | alterations.ModifyColumn)
        way = way_of(part, left if needing else table, session)
        cost.parts.append((part, beside(part, way, action.parts, table, session)))
    cost.way = forced(action, together((way for _, way in cost.parts), session), cost, session)
    way = cost.way
    cost.why, cost.assumed = way.why, way.assumed
    cost.error = way.error or refusal(action, way, session)
    cost.level = way.lock.name if way.algorithm > Algorithm.INSTANT else "NONE"
    cost.lock(table.name, Mode.SHARE if way.lock is SHARED else Mode.NONE)
    if way.algorithm >= Algorithm.INPLACE:
        cost.rewrites.append(table.name)
    elif way.builds:
        cost.builds.append(table.name)
    return cost


def way_of(part: actions.Action, table: Relation, session: Session) -> Way:
    column = part.column if isinstance(part, NAMING) else ""
    if column and table.complete and table.column(column) is None:
        return Way(COPY, SHARED, error=f"{table.name} has no column {column}")
    known = WAYS.get(type(part))
    return known(part, table, session) if known is not None else INSTANT


def forced(action: alterations.AlterTable, way: Way, cost: AlterCost, session: Session) -> Way:
    """What the statement asks for, where that is dearer than what the server would choose."""
    if action.algorithm == "COPY" and way.algorithm < COPY:
        way = changed(way, algorithm=COPY, lock=SHARED, why="ALGORITHM=COPY asks for it")
    elif action.algorithm == "INPLACE" and not is_mariadb(session) and way.algorithm is Algorithm.INSTANT:
        inside = max((part.inside for _, part in cost.parts), default=Algorithm.NOCOPY)
        way = changed(way, algorithm=inside, why=f"ALGORITHM=INPLACE keeps it from being INSTANT; {way.why}")
    if action.lock in Lock.__members__ and Lock[action.lock] > way.lock:
        way = changed(way, lock=Lock[action.lock])
    return way


def refusal(action: alterations.AlterTable, way: Way, session: Session) -> str:
    """Why the server does not accept the clauses, empty where it does."""
    if not is_mariadb(session) and action.algorithm == "INSTANT" and action.lock not in ("", "DEFAULT"):
        return f"ALGORITHM=INSTANT goes with no LOCK={action.lock} on MySQL"
    if action.algorithm == "NOCOPY" and not is_mariadb(session):
        return "MySQL has no ALGORITHM=NOCOPY"
    if way.algorithm > LIMITS.get(action.algorithm, COPY):
        return f"ALGORITHM={action.algorithm} is not possible: {way.why or way.assumed}"
    if action.lock in ("NONE", "SHARED") and way.lock > Lock[action.lock]:
        return f"LOCK={action.lock} is not possible: {way.why}"
    return ""


def add_column(action: actions.AddColumn, table: Relation, session: Session) -> Way:
    column, mariadb = action.column, is_mariadb(session)
    if column.generated == "STORED":
        return copied(f"{column.name} is computed for every row", table, session)
    if column.sequence:
        return rebuilt(f"every row gets a number in {column.name}", table, session, SHARED)
    if column.generated == "VIRTUAL":
        if mariadb and table.kind == "partitioned":
            return copied("a partitioned table is copied for a VIRTUAL column", table, session)
        return Way(why=f"{column.name} is computed when it is read")
    found = default_way(column, table, session).worst(inline(column, table, session))
    if found.algorithm is COPY or found.error:
        return found
    return found.worst(placed(action, table, session))


def placed(action: actions.AddColumn, table: Relation, session: Session) -> Way:
    last = not action.position or (bool(table.columns) and action.position == table.columns[-1].name)
    why = f"{action.column.name} comes"
    if is_mariadb(session):
        names = [c.name for c in table.columns]
        at = 0 if action.position == "FIRST" else names.index(action.position) + 1 if action.position in names else 0
        if not last and before_virtual(at, table):
            return copied(f"{why} before a VIRTUAL column", table, session)
    elif not since(session, 8, 0, 12) or (not last and not since(session, 8, 0, 29)):
        return rebuilt(f"{why} between others, which is INSTANT from MySQL 8.0.29 on", table, session)
    return budgeted(instant_column(why, table, session), table, session)


def budgeted(way: Way, table: Relation, session: Session) -> Way:
    """The columns of a table may come and go INSTANTly only so often on MySQL."""
    if is_mariadb(session) or not since(session, 8, 0, 29) or way.algorithm is not Algorithm.INSTANT:
        return way
    limit = LARGER_BUDGET if since(session, 9, 1) else BUDGET
    if table.row_versions < limit:
        return way
    return rebuilt(f"{table.name} has had its {limit} INSTANT changes", table, session)


def default_way(column: Column, table: Relation, session: Session) -> Way:
    """A default that is an expression: its value may differ from row to row."""
    default = column.default
    if default is None or not (default.calls or default.columns or str(default).startswith("(")):
        return INSTANT
    if not is_mariadb(session):
        called = [call for call in default.calls if call in UNSAFE]
        if called:
            return Way(COPY, SHARED, COPY, error=f"ALTER TABLE may not call {called[0]}() in a default")
        return copied("a default that is an expression is computed for every row", table, session)
    names = {c.name for c in table.columns}
    for_each = [name for name in (*default.calls, *default.columns) if name in FOR_EACH_ROW or name in names]
    return copied(f"{for_each[0]} differs from row to row", table, session) if for_each else INSTANT


def inline(column: Column, table: Relation, session: Session) -> Way:
    way = INSTANT
    for constraint in column.constraints:
        if constraint.kind is Kind.FOREIGN and (is_mariadb(session) or since(session, 9, 0)):
            way = way.worst(foreign(constraint, table, session, Algorithm.INPLACE))
        elif constraint.kind is Kind.CHECK and constraint.enforced and not is_mariadb(session):
            way = way.worst(copied("the CHECK is tried for every row", table, session))
    return way


def foreign(constraint: Constraint, table: Relation, session: Session, least: Algorithm = Algorithm.NOCOPY) -> Way:
    checks = session.setting("foreign_key_checks")
    if checks is not None and checks.lower() in ("0", "off", "false"):
        return Way(least, builds=True, inside=least, why="with foreign_key_checks off nothing is looked up")
    return copied("every row is looked up in the other table", table, session, any(constraint.actions))


def drop_column(action: actions.DropColumn, table: Relation, session: Session) -> Way:
    name = action.column
    column = table.column(name)
    if any(name in c.columns for c in table.constraints if c.kind is Kind.FOREIGN) or any(
        name in c.referenced_columns for _, c in session.referencing(table.name)
    ):
        return Way(COPY, SHARED, error=f"{name} is needed by a foreign key")
    if column is not None and column.generated == "VIRTUAL":
        indexed = any(name in index.columns for index in session.indexes_of(table.name))
        return Way(Algorithm.NOCOPY if indexed else Algorithm.INSTANT, why=f"{name} is stored nowhere")
    if any(name in (c.default.columns if c.generated and c.default else ()) for c in table.columns):
        return Way(COPY, SHARED, error=f"a generated column is computed from {name}")
    own = [index for index in session.indexes_of(table.name) if name in index.columns]
    if any(index.name.name == "PRIMARY" for index in own):
        return copied("rows are stored in the order of the primary key", table, session)
    if own:
        return indexed_column(name, own, table, session)
    if not is_mariadb(session) and not since(session, 8, 0, 29):
        return rebuilt(f"{name} goes from every row, which is INSTANT from MySQL 8.0.29 on", table, session)
    return budgeted(instant_column(f"{name} goes", table, session), table, session)


def indexed_column(name: str, own: list[Any], table: Relation, session: Session) -> Way:
    """A column goes that an index has: the index goes with it, or is built again without it."""
    shared = any(len(index.columns) > 1 for index in own)
    if all(index.method == "FULLTEXT" for index in own) and not shared:
        return Way(Algorithm.INPLACE, Lock.NONE, Algorithm.INPLACE, True, f"{name} and its FULLTEXT index go")
    if is_mariadb(session) and not shared:
        return changed(instant_column(f"{name} and its index go", table, session), algorithm=Algorithm.NOCOPY)
    if is_mariadb(session) and virtual(table):
        return copied(f"{name} goes from an index of several columns", table, session)
    return rebuilt(f"{name} goes, which an index has", table, session)


def modify(action: alterations.ModifyColumn, table: Relation, session: Session) -> Way:
    old = session.column(table.name, action.column)
    to = action.to
    keyed = any(action.column in i.columns for i in session.indexes_of(table.name) if i.name.name == "PRIMARY")
    to = changed(to, not_null=True) if keyed else to
    own = next((c for c in table.constraints if c.kind is Kind.FOREIGN and action.column in c.columns), None)
    referenced = any(action.column in c.referenced_columns for _, c in session.referencing(table.name))
    ends = referenced and bool(old.sequence) and not to.sequence and not is_mariadb(session)
    if ends or ((own is not None or referenced) and old.type.name != "?" and old.type != to.type):
        return Way(COPY, SHARED, COPY, error=f"{action.column} is used in a foreign key, whose columns keep their type")
    way = change(old, to, table, session).worst(moved(action.column, action.position, table, session))
    for constraint in to.constraints:
        if constraint.kind is Kind.CHECK:
            way = way.worst(copied("the CHECK is tried for every row", table, session))
    return way.worst(renamed(table, session, referenced)) if to.name != action.column else way


def rename_column(action: actions.RenameColumn, table: Relation, session: Session) -> Way:
    referenced = any(action.column in c.referenced_columns for _, c in session.referencing(table.name))
    used = [c.name for c in table.columns if c.generated and c.default and action.column in c.default.columns]
    used += [c.name for c in table.constraints if c.kind is Kind.CHECK and action.column in c.columns]
    if used and not is_mariadb(session):
        return Way(COPY, SHARED, error=f"{used[0] or 'a CHECK'} is computed from {action.column}")
    return renamed(table, session, referenced)


def renamed(table: Relation, session: Session, referenced: bool) -> Way:
    return INSTANT if not referenced and since(session, 8, 0, 28) else metadata("a name changes", session)


def create_index(action: actions.CreateIndex, table: Relation, session: Session) -> Way:
    index = action.index
    if index.method == "FULLTEXT":
        least = Algorithm.NOCOPY if indexes(table.name, session, "FULLTEXT") else Algorithm.INPLACE
        return Way(least, SHARED, least, True, "a FULLTEXT index is built while writers wait")
    if index.method == "SPATIAL":
        return Way(Algorithm.NOCOPY, SHARED, builds=True, why="a SPATIAL index is built while writers wait")
    if index.expressions:
        return Way(Algorithm.NOCOPY, SHARED, builds=True, why="an index of an expression is built while writers wait")
    return Way(Algorithm.NOCOPY, builds=True, why="an index is built while writers go on")


def drop_index(action: actions.DropIndex, table: Relation, session: Session) -> Way:
    index = session.indexes.get(action.index)
    others = [i for i in session.indexes_of(table.name) if i.name != action.index]
    if index is not None:
        if needed_by_foreign_key(index.columns, others, table, session):
            return Way(COPY, SHARED, error=f"{index.name.name} is needed by a foreign key")
        nullable = any(not session.column(table.name, name).not_null for name in index.columns)
        unique = [i for i in others if i.unique and i.name.name == "PRIMARY"]
        if index.unique and not nullable and table.complete and not unique:
            return copied(f"{index.name.name} serves as the primary key", table, session)
    return Way(Algorithm.NOCOPY, why="the index is only forgotten")


def needed_by_foreign_key(columns: tuple[str, ...], others: list[Any], table: Relation, session: Session) -> bool:
    wanted = [c.columns for c in table.constraints if c.kind is Kind.FOREIGN]
    wanted += [c.referenced_columns for _, c in session.referencing(table.name)]
    return any(
        w and columns[: len(w)] == w and not any(o.columns[: len(w)] == w for o in others) for w in wanted
    )  # fmt: skip


def add_constraint(action: actions.AddConstraint, table: Relation, session: Session) -> Way:
    constraint = action.constraint
    if constraint.kind is Kind.FOREIGN:
        return foreign(constraint, table, session)
    if constraint.kind is Kind.CHECK:
        return copied("the CHECK is tried for every row", table, session) if constraint.enforced else INSTANT
    nullable = any(not session.column(table.name, name).not_null for name in constraint.columns)
    if nullable:
        filled = Column("id", session.column(table.name, constraint.columns[0]).type)
        return nullability(filled, changed(filled, not_null=True), table, session)
    return rebuilt("rows are stored in the order of the primary key", table, session)


def drop_constraint(action: actions.DropConstraint, table: Relation, session: Session) -> Way:
    if action.name == "PRIMARY":
        return copied("rows are stored in the order of the primary key", table, session)
    known = table.constraint(action.name)
    return INSTANT if known is not None and known.kind is Kind.CHECK else metadata("a constraint is forgotten", session)


WAYS: dict[type, Callable[[Any, Relation, Session], Way]] = {
    actions.AddColumn: add_column,
    actions.DropColumn: drop_column,
    alterations.ModifyColumn: modify,
    actions.RenameColumn: rename_column,
    actions.CreateIndex: create_index,
    actions.DropIndex: drop_index,
    actions.AddConstraint: add_constraint,
    actions.DropConstraint: drop_constraint,
    alterations.ConvertCharset: convert,
    alterations.TableOptions: options,
    actions.Rewrite: rewrite,
    alterations.AlterPartitions: partitions,
    alterations.EnforceCheck: enforce,
    actions.RenameOther: lambda action, table, session: metadata("a name changes", session),
    actions.Tune: lambda action, table, session: (
        INSTANT if not action.what.startswith("INDEX") else metadata("an index is hidden, or not", session)
    ),
}
