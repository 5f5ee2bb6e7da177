"""Names that are gone after statements have run: renamed to something else, or dropped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from linters import actions
from linters.actions import Action
from linters.values import Name

Departed = tuple[Name, str | None]
"""A column of a table, or the table where there is none."""


def departing(statements: Iterable[str], dialect: str) -> tuple[Departed, ...]:
    """Tables and columns whose names mean nothing any more once the statements have run, in their order.

    What cannot be read takes nothing away that is known. A name that another table or column gets is not gone.
    """
    gone: dict[Departed, None] = {}
    for statement in statements:
        for action in read(statement, dialect):
            for name in came(action):
                gone.pop(name, None)
            for name in went(action):
                gone[name] = None
    return tuple(gone)


def read(statement: str, dialect: str) -> Iterator[Action]:
    if dialect == "postgresql":
        from linters.parsing import parse
        from linters.postgresql.reading import read as of_node

        try:
            nodes = [item.stmt for item in parse(statement).stmts]
        except ValueError:
            return
        for node in nodes:
            yield from of_node(node)
        return
    from linters.mysql.alterations import AlterTable
    from linters.mysql.reading import read as of_tokens
    from linters.mysql.tokens import Statement, Unfinished, tokens

    try:
        found = tuple(tokens(statement.encode().decode("latin-1"), dialect, ()))
    except Unfinished:
        return
    for action in of_tokens(Statement(found, dialect, ())) if found else ():
        yield from action.parts if isinstance(action, AlterTable) else (action,)


def went(action: Action) -> Iterator[Departed]:
    match action:
        case actions.RenameColumn() | actions.DropColumn():
            yield action.table, action.column
        case actions.RenameTable() | actions.DropTable():
            yield action.table, None
        case _:
            changed = renamed(action)
            if changed is not None:
                yield action.table, changed[0]  # type: ignore[attr-defined]


def came(action: Action) -> Iterator[Departed]:
    match action:
        case actions.RenameColumn():
            yield action.table, action.to
        case actions.AddColumn():
            yield action.table, action.column.name
        case actions.RenameTable():
            yield action.to, None
        case actions.CreateTable() | actions.CreateView():
            yield action.table, None
        case _:
            changed = renamed(action)
            if changed is not None:
                yield action.table, changed[1]  # type: ignore[attr-defined]


def renamed(action: Action) -> tuple[str, str] | None:
    """The names before and after CHANGE COLUMN."""
    from linters.mysql.alterations import ModifyColumn

    if isinstance(action, ModifyColumn) and action.column != action.to.name:
        return action.column, action.to.name
    return None
