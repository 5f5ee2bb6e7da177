"""What changes for a part of an ALTER because of another one beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linters import actions
from linters.frozen import changed
from linters.mysql.columns import before_virtual
from linters.mysql.ways import COPY, INSTANT, SHARED, Algorithm, Way, copied, is_mariadb, rebuilt, since
from linters.session import Session
from linters.values import Column, Kind, Relation

Parts = tuple[actions.Action, ...]


def before(parts: Parts, table: Relation, session: Session) -> Relation:
    """A table without the foreign keys that the statement drops: what needs them needs them no more."""
    gone = {part.name for part in parts if isinstance(part, actions.DropConstraint)}
    return changed(table, constraints=tuple(c for c in table.constraints if c.name not in gone)) if gone else table


def beside(part: actions.Action, way: Way, parts: Parts, table: Relation, session: Session) -> Way:
    """The way of a part among others."""
    known = BESIDE.get(type(part))
    return known(part, way, parts, table, session) if known is not None and len(parts) > 1 else way


def new_columns(parts: Parts) -> dict[str, Column]:
    return {part.column.name: part.column for part in parts if isinstance(part, actions.AddColumn)}


def drop_key(part: actions.DropConstraint, way: Way, parts: Parts, table: Relation, session: Session) -> Way:
    others = [p for p in parts if isinstance(p, actions.AddConstraint) and p.constraint.kind is Kind.PRIMARY]
    if part.name != "PRIMARY" or not others:
        return way
    if not is_mariadb(session) and since(session, 8, 4):
        wanted = [c.referenced_columns for _, c in session.referencing(table.name)]
        if wanted and others[0].constraint.columns not in wanted:
            return Way(COPY, SHARED, error="a foreign key of another table needs the primary key as it is")
    return rebuilt("rows are stored in the order of the primary key", table, session)


def create_index(part: actions.CreateIndex, way: Way, parts: Parts, table: Relation, session: Session) -> Way:
    new = new_columns(parts)
    own = [new[name] for name in part.index.columns if name in new]
    if any(column.generated == "VIRTUAL" for column in own):
        return changed(way, lock=SHARED, why="a VIRTUAL column is indexed in the statement that adds it")
    return changed(way, lock=SHARED) if any(column.sequence for column in own) else way


def drop_index(part: actions.DropIndex, way: Way, parts: Parts, table: Relation, session: Session) -> Way:
    """A foreign key that needs an index is content with one that comes in the same statement."""
    index = session.indexes.get(part.index)
    coming = [p.index.columns for p in parts if isinstance(p, actions.CreateIndex)]
    if way.error and index is not None and any(columns[:1] == index.columns[:1] for columns in coming):
        return Way(Algorithm.NOCOPY, why="another index takes its place")
    return way


def add_column(part: actions.AddColumn, way: Way, parts: Parts, table: Relation, session: Session) -> Way:
    if part.column.generated != "VIRTUAL" or not is_mariadb(session):
        return way
    plain = any(column.generated != "VIRTUAL" for column in new_columns(parts).values())
    if plain or any(isinstance(p, actions.DropColumn) for p in parts):
        return copied("a VIRTUAL column comes together with others", table, session)
    return way


def drop_column(part: actions.DropColumn, way: Way, parts: Parts, table: Relation, session: Session) -> Way:
    if not is_mariadb(session):
        return way
    names = [c.name for c in table.columns]
    kinds = actions.AddColumn | actions.CreateIndex | actions.AddConstraint
    crossing = part.column in names and before_virtual(names.index(part.column) + 1, table)
    if crossing and any(isinstance(p, kinds) for p in parts):
        return copied(f"{part.column} goes from before a VIRTUAL column, together with others", table, session)
    dropped = {p.index for p in parts if isinstance(p, actions.DropIndex)}
    own = [index.name for index in session.indexes_of(table.name) if part.column in index.columns]
    if own and dropped.issuperset(own) and not way.error:
        return changed(way, algorithm=Algorithm.NOCOPY, builds=False, why=f"{part.column} goes, and its index")
    return way


def add_constraint(part: actions.AddConstraint, way: Way, parts: Parts, table: Relation, session: Session) -> Way:
    new = new_columns(parts)
    inside = bool(new) and set(part.constraint.columns) <= set(new)
    return INSTANT if inside and part.constraint.kind is Kind.CHECK and is_mariadb(session) else way


BESIDE: dict[type, Callable[[Any, Way, Parts, Relation, Session], Way]] = {
    actions.DropConstraint: drop_key,
    actions.CreateIndex: create_index,
    actions.DropIndex: drop_index,
    actions.AddColumn: add_column,
    actions.DropColumn: drop_column,
    actions.AddConstraint: add_constraint,
}
