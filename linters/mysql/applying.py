"""What an action of MySQL or MariaDB leaves behind in the state of a session.

Indexes are named within their table: the schema part of an index's name is the table.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linters import actions, applying
from linters.frozen import changed
from linters.mysql import alterations
from linters.mysql.ways import Algorithm, AlterCost, since
from linters.session import Session
from linters.values import Column, Constraint, Index, Kind, Name, Relation


def apply(action: actions.Action, session: Session) -> None:
    """Change the state as the server would."""
    known = APPLIED.get(type(action))
    if known is not None:
        known(action, session)
    else:
        applying.apply(action, session)


def alter(action: alterations.AlterTable, session: Session) -> None:
    """Count what is done INSTANTly; the parts themselves follow as actions of their own."""
    from linters.mysql.costs import cost_of

    if not session.knows(action.table):
        return
    columns = any(isinstance(part, actions.AddColumn | actions.DropColumn) for part in action.parts)
    if not columns and not session.relation(action.table).row_versions:
        return
    cost = cost_of(action, session)
    if isinstance(cost, AlterCost):
        if cost.way.algorithm >= Algorithm.INPLACE:
            session.change(action.table, row_versions=0)
        elif cost.way.algorithm is Algorithm.INSTANT and columns:
            session.change(action.table, row_versions=session.relation(action.table).row_versions + 1)


def create_table(action: actions.CreateTable, session: Session) -> None:
    name = session.resolve(action.table)
    if action.if_not_exists and session.knows(name):
        return
    born = 0 if action.if_not_exists and not session.given.complete else session.era
    names: list[str] = []
    made = []
    for constraint in action.relation.constraints:
        if forgotten(constraint, session):
            continue
        found = settled(constraint, name, names, session)
        names.append(found.name)
        made.append(found)
    session.put(changed(action.relation, name=name, born=born, constraints=tuple(made)))


def forgotten(constraint: Constraint, session: Session) -> bool:
    """REFERENCES beside a column is no foreign key on MySQL up to 8.4."""
    return constraint.inline and session.given.dialect == "mysql" and not since(session, 9, 0)


def settled(constraint: Constraint, table: Name, taken: list[str], session: Session) -> Constraint:
    """A constraint with the name that the server gives it, and the target resolved."""
    target = session.resolve(constraint.references) if constraint.references else None
    if constraint.name:
        return changed(constraint, references=target)
    mariadb = session.given.dialect == "mariadb"
    start = f"{table.name}_ibfk_" if constraint.kind is Kind.FOREIGN else f"{table.name}_chk_"
    if mariadb and constraint.kind is Kind.CHECK:
        start = "CONSTRAINT_"
    number = 1 + sum(name.startswith(start) for name in taken)
    return changed(constraint, name=f"{start}{number}", references=target)


def create_index(action: actions.CreateIndex, session: Session) -> None:
    put_index(action.index, session.resolve(action.table), session)


def put_index(index: Index, table: Name, session: Session) -> None:
    session.put_index(changed(index, name=Name(table.name, index.name.name), table=table))


def add_column(action: actions.AddColumn, session: Session) -> None:
    table = session.relation(action.table)
    if table.column(action.column.name) is not None:
        return
    column = changed(action.column, constraints=())
    session.change(table.name, columns=placed(table, column, action.position))
    for constraint in action.column.constraints:
        if not forgotten(constraint, session):
            add_constraint(actions.AddConstraint(action.table, constraint), session)


def placed(table: Relation, column: Column, position: str) -> tuple[Column, ...]:
    """The columns of a table with one more where it belongs."""
    others = [c for c in table.columns if c.name != column.name]
    names = [c.name for c in others]
    at = 0 if position == "FIRST" else names.index(position) + 1 if position in names else len(others)
    return (*others[:at], column, *others[at:])


def modify(action: alterations.ModifyColumn, session: Session) -> None:
    table = session.relation(action.table)
    keyed = [i for i in session.indexes_of(table.name) if i.name.name == "PRIMARY" and action.column in i.columns]
    made = changed(action.to, name=action.column, constraints=(), not_null=action.to.not_null or bool(keyed))
    if action.position:
        session.change(table.name, columns=placed(table, made, action.position))
    else:
        found = tuple(made if c.name == action.column else c for c in table.columns)
        session.change(table.name, columns=found if table.column(action.column) else (*found, made))
    if action.to.name != action.column:
        applying.apply(actions.RenameColumn(action.table, action.column, action.to.name), session)


def add_constraint(action: actions.AddConstraint, session: Session) -> None:
    table = session.relation(action.table)
    if action.constraint.kind is Kind.PRIMARY:
        put_index(Index(Name("", "PRIMARY"), table.name, action.constraint.columns, True), table.name, session)
        keyed = action.constraint.columns
        columns = tuple(changed(c, not_null=True) if c.name in keyed else c for c in table.columns)
        session.change(table.name, columns=columns)
        return
    made = settled(action.constraint, table.name, [c.name for c in table.constraints], session)
    session.change(table.name, constraints=(*table.constraints, made))


def drop_constraint(action: actions.DropConstraint, session: Session) -> None:
    table = session.relation(action.table)
    session.change(table.name, constraints=tuple(c for c in table.constraints if c.name != action.name))
    session.indexes.remove(Name(table.name.name, action.name))


def drop_column(action: actions.DropColumn, session: Session) -> None:
    """A column goes from its indexes too; an index without columns goes."""
    table = session.relation(action.table)
    session.change(table.name, columns=tuple(c for c in table.columns if c.name != action.column))
    for index in session.indexes_of(table.name):
        left = tuple(name for name in index.columns if name != action.column)
        if not left:
            session.indexes.remove(index.name)
        elif left != index.columns:
            session.put_index(changed(index, columns=left))


def rename_table(action: actions.RenameTable, session: Session) -> None:
    indexes = session.indexes_of(action.table)
    applying.apply(action, session)
    for index in indexes:
        session.indexes.remove(index.name)
        put_index(index, session.resolve(action.to), session)


def rename_other(action: actions.RenameOther, session: Session) -> None:
    if action.table is None:
        return
    table = session.resolve(action.table)
    found = session.indexes.get(Name(table.name, action.name))
    if found is not None:
        session.indexes.remove(found.name)
        put_index(changed(found, name=Name("", action.to)), table, session)


def convert(action: alterations.ConvertCharset, session: Session) -> None:
    table = session.relation(action.table)
    columns = tuple(changed(c, charset="", collation="") for c in table.columns)
    session.change(table.name, columns=columns, options=with_options(
        table, (("CHARSET", action.charset), ("COLLATE", action.collation))
    ))  # fmt: skip


def options(action: alterations.TableOptions, session: Session) -> None:
    table = session.relation(action.table)
    session.change(table.name, options=with_options(table, action.options))


def with_options(table: Relation, found: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    return tuple({**dict(table.options), **dict(found)}.items())


def enforce(action: alterations.EnforceCheck, session: Session) -> None:
    table = session.relation(action.table)
    known = tuple(changed(c, enforced=action.enforced) if c.name == action.name else c for c in table.constraints)
    session.change(table.name, constraints=known)


def drop_index(action: actions.DropIndex, session: Session) -> None:
    session.indexes.remove(action.index)


def partitions(action: alterations.AlterPartitions, session: Session) -> None:
    if action.what in ("BY", "REMOVE"):
        session.change(action.table, kind="partitioned" if action.what == "BY" else "table")


def implicit_commit(action: alterations.ImplicitCommit, session: Session) -> None:
    session.end()
    session.settings.put("migrator ddl", action.what)


APPLIED: dict[type, Callable[[Any, Session], None]] = {
    alterations.AlterTable: alter,
    actions.CreateTable: create_table,
    actions.CreateIndex: create_index,
    actions.AddColumn: add_column,
    alterations.ModifyColumn: modify,
    actions.AddConstraint: add_constraint,
    actions.DropConstraint: drop_constraint,
    actions.DropColumn: drop_column,
    actions.DropIndex: drop_index,
    actions.RenameTable: rename_table,
    actions.RenameOther: rename_other,
    alterations.ConvertCharset: convert,
    alterations.TableOptions: options,
    alterations.EnforceCheck: enforce,
    alterations.AlterPartitions: partitions,
    alterations.ImplicitCommit: implicit_commit,
}
