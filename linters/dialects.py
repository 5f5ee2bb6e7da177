"""What differs from one family of servers to another: how scripts are read, and what statements cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from linters.actions import Action
from linters.costs import Cost
from linters.session import Session
from linters.source import Piece, Source


@dataclass(frozen=True, slots=True)
class Dialect:
    """A family of servers.

    Args:
        name: as in `Rule.dialect`.
        statements: cuts a script into statements.
        read: the actions of a statement.
        cost_of: what an action costs in a state.
        versions: oldest and newest major version that is known.
    """

    name: str
    statements: Callable[[Source], Iterator[Piece]]
    read: Callable[[Any], Iterable[Action]]
    cost_of: Callable[[Any, Session], Cost]
    versions: tuple[int, int]


def postgresql() -> Dialect:
    from linters.postgresql.costs import cost_of
    from linters.postgresql.reading import read

    return Dialect("postgresql", lambda source: source.statements(), read, cost_of, (12, 18))


DIALECTS: dict[str, Callable[[], Dialect]] = {"postgresql": postgresql}
"""Dialects by the names that options and settings use; each is imported when it is asked for."""


def dialect(name: str) -> Dialect:
    """The dialect of a name.

    Raises:
        KeyError: there is none.
    """
    return DIALECTS[name]()
