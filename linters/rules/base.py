"""What a rule is, and what it is asked with."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from linters.actions import Action
from linters.costs import Cost
from linters.findings import Category, Severity
from linters.frozen import Frozen
from linters.session import Held, Session
from linters.values import Kind, Mode, Name

HAZARD, COMPATIBILITY, UNANALYSED, STYLE = (
    Category.HAZARD,
    Category.COMPATIBILITY,
    Category.UNANALYSED,
    Category.STYLE,
)


class Found(Frozen):
    """What a rule found: a message in the names of the statement, and what differs from the rule's own words."""

    message: str
    safer: str = ""
    operation: str = ""
    effect: str = ""
    tables: tuple[Name, ...] = ()
    severity: Severity | None = None


@dataclass(slots=True)
class At:
    """One action where it stands: its cost, the state before it, and its statement.

    `ahead` gives the actions that follow in the same transaction.
    """

    action: Any
    cost: Cost
    session: Session
    line: int
    statement: Callable[[], str]
    siblings: tuple[Action, ...] = ()
    own_locks: dict[Name, Mode] = field(default_factory=dict)
    phase: str = ""
    ahead: Callable[[], Iterable[Action]] = tuple

    def in_use(self, name: Name) -> bool:
        """Whether anybody else can have the table in use."""
        return not self.session.is_new(name)

    def held(self, name: Name) -> Held | None:
        return self.session.held.get(self.session.resolve(name))

    def mode(self, name: Name) -> Mode:
        """The lock under which the statement works: that of its strongest part, or one that is held already."""
        table = self.session.resolve(name)
        own = max(self.own_locks.get(table, Mode.NONE), self.cost.locks.get(table, Mode.NONE))
        before = self.session.held.get(table)
        return max(own, before.mode) if before is not None else own

    def worked_on(self, found: Iterable[Name]) -> list[Name]:
        """Tables in use on which work is done while writes, or reads, wait."""
        return [name for name in dict.fromkeys(found) if self.in_use(name) and self.mode(name).blocks_writes]

    def few_rows(self, write: Any) -> bool:
        """Whether an UPDATE or DELETE names its rows: by a key, where the table is known, or by the name of one."""
        if write.bounded or not write.keys:
            return bool(write.bounded)
        table = self.session.relation(write.table)
        if not table.complete:
            return any(USUAL_KEY.fullmatch(column) for column in write.keys)
        keys = [c.columns for c in table.constraints if c.kind in (Kind.PRIMARY, Kind.UNIQUE)]
        keys += [index.columns for index in self.session.indexes_of(table.name) if index.unique and not index.partial]
        return any(set(key) <= set(write.keys) for key in keys if key)

    def waiting(self, name: Name) -> str:
        """Who waits, in words."""
        return "reads and writes" if self.mode(name).blocks_reads else "writes"


USUAL_KEY = re.compile(r"id|uuid|guid|ctid|oid|key|slug|code|email|username|name", re.I)
"""Names of columns that tell rows apart, where nothing else is known of them."""
Check = Callable[[At], Iterable[Found]]


class Rule(Frozen):
    """A hazard, and how it is recognised.

    Args:
        id: its name in findings, settings and comments.
        on: the actions it looks at.
        condition: when it applies.
        effect: what happens then, to whom.
        safer: what to do instead.
        bad: a script that it finds, run against `given`.
        good: a script that reaches the same without it.
        given: the schema both start from.
        default: it is on unless switched off.
        harmless_in: phases of a revision in which it is no hazard.
        dialects: servers it holds for.
        version: release of the server that its scripts are written for, where it is not every one.
    """

    id: str
    category: Category
    on: tuple[type, ...]
    condition: str
    effect: str
    safer: str
    check: Check
    bad: str
    good: str
    given: str = ""
    severity: Severity = Severity.ERROR
    default: bool = True
    harmless_in: tuple[str, ...] = ()
    dialects: tuple[str, ...] = ("postgresql",)
    version: tuple[int, ...] = ()


RULES: dict[str, Rule] = {}


def rule(
    id: str, category: Category, *on: type, among: dict[str, Rule] = RULES, **facts: Any
) -> Callable[[Check], Check]:
    """Make a rule of a check, `among` those of its servers."""

    def register(check: Check) -> Check:
        if id in among:
            raise ValueError(f"two rules are called {id}")
        among[id] = Rule(id, category, on, check=check, **facts)
        return check

    return register


def quoted(name: str) -> str:
    """A name as SQL: in quotes where it needs them."""
    return name if name.isidentifier() and name == name.lower() else '"' + name.replace('"', '""') + '"'


def sql_name(name: Name) -> str:
    parts = [part for part in name if part and part not in ("public", "pg_temp")]
    return ".".join(quoted(part) for part in parts)


def listing(names: Iterable[str]) -> str:
    return ", ".join(quoted(name) for name in names)


def words(names: Iterable[Name]) -> str:
    found = [str(name) for name in dict.fromkeys(names)]
    return ", ".join(found[:-1]) + (" and " if len(found) > 1 else "") + found[-1] if found else ""


def code(operation: str, *positional: Any, **named: Any) -> str:
    """A call of an operation as Python; a named argument that is None or empty is left out."""
    given = [python(value) for value in positional]
    given += [f"{name}={python(value)}" for name, value in named.items() if value not in (None, "", ())]
    return f"{operation}({', '.join(given)})"


def python(value: Any) -> str:
    if isinstance(value, tuple | list):
        return "[" + ", ".join(python(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
    return repr(value)


def schema_of(name: Name) -> str | None:
    return name.schema if name.schema not in ("", "public") else None
