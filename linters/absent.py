"""Whether a statement names what is known not to be there, or does nothing. What is doubtful counts as there."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from linters import actions
from linters.applying import is_quiet
from linters.making import CreateSequence
from linters.session import Session
from linters.values import Name

MAKING = (actions.CreateTable, actions.CreateView, CreateSequence)
SYSTEM = ("pg_catalog", "information_schema", "pg_toast", "pg_temp")
AROUND = ("DO", "CALL", "EXPLAIN", "EXECUTE", "PREPARE")
"""Statements that run others, perhaps: what they name may never be asked for."""


def absent(action: actions.Action, statement: Callable[[], str], session: Session) -> Name | None:
    """A relation that an action needs and that is not there, where the schema is known in full.

    Args:
        statement: gives the text it is a part of.
    """
    missing = missing_from(action, session)
    if not missing:
        return None
    text = statement().upper()
    if text.split(None, 1)[0] in AROUND or asks_first(text):
        return None
    # The name of a variable of psql, or of what a block puts together, does not stand in the text.
    return next((name for name in missing if name.name.upper() in text), None)


def is_idle(action: actions.Action, statement: Callable[[], str], session: Session) -> bool:
    """Whether IF EXISTS, or IF NOT EXISTS, leaves everything as it is, where the schema is known in full.

    An index that is built CONCURRENTLY may be there and of no use.
    """
    if session.doubtful or not session.given.complete:
        return False
    match action:
        case actions.AddColumn(if_not_exists=True):
            return session.relation(action.table).column(action.column.name) is not None
        case actions.CreateIndex(if_not_exists=True, concurrently=False):
            name = Name(session.resolve(action.table).schema, action.index.name.name)
            return session.indexes.get(name) is not None
        case actions.DropIndex():
            return session.indexes.get(session.resolve(action.index)) is None and asks_first(statement())
    return bool(missing_from(action, session)) and asks_first(statement())


def missing_from(action: actions.Action, session: Session) -> list[Name]:
    if session.doubtful or not session.given.complete:
        return []
    return [name for name in needed(action) if is_missing(name, session)]


def asks_first(statement: str) -> bool:
    """Whether it says IF EXISTS itself; in the body of a block that may be the condition of something else."""
    words = statement.upper().split()
    return words[0] not in AROUND and "IF EXISTS" in " ".join(words)


def needed(action: actions.Action) -> Iterable[Name]:
    """The relations without which the server refuses an action."""
    if isinstance(action, actions.Read):
        return action.tables if all(map(is_quiet, action.calls)) else ()
    found = [action.table] if isinstance(action, actions.OfTable) and not isinstance(action, MAKING) else []
    match action:
        case actions.RenameTable(kind="sequence") | actions.DropTable(kind="sequence"):
            return ()
        case actions.Write():
            found += action.reads
        case actions.AttachPartition():
            found.append(action.partition)
        case actions.AddConstraint():
            found += [action.constraint.references] if action.constraint.references is not None else []
        case actions.CreateTable():
            made = action.relation
            found += [
                *made.parents,
                *(c.references for c in made.constraints if c.references not in (None, action.table)),
            ]
    return found


def is_missing(name: Name, session: Session) -> bool:
    if name.schema in SYSTEM or name.name.startswith("pg_") or name.name.endswith("_seq") or session.knows(name):
        return False
    schemas = {found.schema for found in session.relations.values}
    if name.schema:
        return name.schema in schemas and name not in session.indexes.values
    # Wherever the search path leads.
    places = {*schemas, session.given.schema}
    return not any(
        Name(schema, name.name) in known
        for schema in places
        for known in (session.relations.values, session.indexes.values)
    )
