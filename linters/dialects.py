"""What is different from server to server: how a script is split, read and costed, and which rules hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from linters.actions import Action
from linters.costs import Cost
from linters.rules.base import Rule
from linters.session import Session
from linters.source import Piece, Source

NAMES = ("postgresql", "mysql", "mariadb")


@dataclass(frozen=True, slots=True)
class Dialect:
    """The parts of the linter that know a server.

    Args:
        split: a script as pieces, each with a node or the reason why there is none.
        read: a node as actions.
        cost_of: the cost of an action in the state before it.
        apply: changes the state as the server would.
        rules: by id.
    """

    split: Callable[[Source, Session], Iterator[Piece]]
    read: Callable[[Any], Iterable[Action]]
    cost_of: Callable[[Action, Session], Cost]
    apply: Callable[[Action, Session], None]
    rules: Mapping[str, Rule]


@cache
def dialect(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        ValueError: there is none.
    """
    if name == "postgresql":
        from linters.applying import apply
        from linters.postgresql.costs import cost_of
        from linters.postgresql.reading import read
        from linters.rules import RULES

        return Dialect(lambda source, _: source.statements(), read, cost_of, apply, RULES)
    if name not in NAMES:
        raise ValueError(f"{name} is no dialect: {', '.join(NAMES)}")
    from linters.mysql import applying, costs, reading
    from linters.mysql.tokens import Splitter
    from linters.rules.mysql import RULES as MYSQL_RULES

    return Dialect(
        lambda source, session: Splitter(source, name, session.given.release).pieces(),
        reading.read,
        costs.cost_of,
        applying.apply,
        {rule.id: rule for rule in MYSQL_RULES.values() if name in rule.dialects},
    )
