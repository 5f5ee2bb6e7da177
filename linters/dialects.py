"""What is different from server to server: how a script is split, read and costed, and which rules hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from linters.actions import Action
from linters.costs import Cost
from linters.frozen import Frozen
from linters.rules.base import Rule
from linters.session import Session
from linters.source import Piece, Source

NAMES = ("postgresql", "mysql", "mariadb")


class Dialect(Frozen):
    """The parts of the linter that know a server.

    Args:
        split: a script as pieces, each with a node or the reason why there is none.
        read: a node as actions.
        routine: the body of a routine as the actions of a call.
        cost_of: the cost of an action in the state before it.
        apply: changes the state as the server would.
        rules: by id.
    """

    split: Callable[[Source, Session], Iterator[Piece]]
    read: Callable[[Any], Iterable[Action]]
    routine: Callable[[str], Iterable[Action]]
    cost_of: Callable[[Any, Session], Cost]
    apply: Callable[[Any, Session], None]
    rules: Mapping[str, Rule]


@cache
def dialect(name: str) -> Dialect:
    """The dialect of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in NAMES:
        raise ValueError(f"{name} is no dialect: {', '.join(NAMES)}")
    return postgresql() if name == "postgresql" else mysql(name)


def postgresql() -> Dialect:
    from linters.applying import apply
    from linters.postgresql.costs import cost_of
    from linters.postgresql.reading import procedure, read

    return Dialect(lambda source, _: source.statements(), read, procedure, cost_of, apply, rules_of("postgresql"))


def mysql(name: str) -> Dialect:
    from linters.collected import Collected
    from linters.mysql import applying, costs, reading
    from linters.mysql.tokens import Splitter

    def split(source: Source, session: Session) -> Iterator[Piece]:
        def cut(part: Source) -> Iterator[Piece]:
            return Splitter(part, name, session.given.release).pieces()

        return source.pieces(cut) if isinstance(source, Collected) else cut(source)

    # What a procedure does is judged where it is written.
    return Dialect(split, reading.read, lambda _: (), costs.cost_of, applying.apply, rules_of(name))


def rules_of(name: str) -> dict[str, Rule]:
    """The rules that hold for a server, by id."""
    from linters.rules import RULES

    found = {rule.id: rule for rule in RULES.values() if name in rule.dialects}
    if name != "postgresql":
        from linters.rules.mysql import RULES as MYSQL_RULES

        found |= {rule.id: rule for rule in MYSQL_RULES.values() if name in rule.dialects}
    return found


def every_rule() -> tuple[Rule, ...]:
    """The rules of all servers. Two servers may have one of the same id each; those of PostgreSQL come first."""
    from linters.rules import RULES, SHADOW
    from linters.rules.mysql import RULES as MYSQL_RULES

    return (*RULES.values(), SHADOW, *MYSQL_RULES.values())


@cache
def all_rules() -> Mapping[str, Rule]:
    """The rules of all servers, by id; of two that have the same, that of PostgreSQL."""
    return {rule.id: rule for rule in reversed(every_rule())}
