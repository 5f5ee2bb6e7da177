"""What the rules of MySQL and MariaDB have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from linters.actions import Action
from linters.findings import Category, Severity
from linters.mysql.alterations import AlterTable
from linters.mysql.ways import Algorithm, AlterCost, Lock, Way, is_mariadb
from linters.rules.base import At, Check, Found, Rule
from linters.rules.base import rule as register
from linters.values import Name

RULES: dict[str, Rule] = {}
BOTH = ("mysql", "mariadb")
SHADOW = (
    "a shadow-table copy: a table of the new shape, kept in step by triggers, filled in batches, then renamed in its"
    " place (what gh-ost and pt-online-schema-change do)"
)
T = "CREATE TABLE r (id INT PRIMARY KEY); CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, v VARCHAR(20));"


def rule(id: str, category: Category, *on: type, **facts: Any) -> Callable[[Check], Check]:
    """Make a rule of a check, for both servers unless it says otherwise."""
    facts.setdefault("dialects", BOTH)
    return register(id, category, *on, among=RULES, **facts)


def parts(at: At, *kinds: type) -> Iterator[tuple[Any, Way]]:
    """Parts of an ALTER that the server accepts, of a table in use, each with its own way."""
    cost = at.cost
    if isinstance(cost, AlterCost) and not cost.error:
        found = [pair for pair in cost.parts if isinstance(pair[0], kinds)]
        if found and at.in_use(at.action.table):
            yield from found


def costly(at: At, *kinds: type) -> Iterator[tuple[Any, Way]]:
    """Parts that write the table again, or keep writers waiting while they work."""
    for part, way in parts(at, *kinds):
        if is_costly(way):
            yield part, way


def is_costly(way: Way) -> bool:
    return way.algorithm >= Algorithm.INPLACE or (way.lock >= Lock.SHARED and way.algorithm > Algorithm.INSTANT)


def table_of(at: At) -> Name:
    return at.session.resolve(at.action.table)


def effect_of(way: Way, table: Name) -> str:
    """What a way does to those who use the table, in one sentence."""
    verb = "copies" if way.algorithm is Algorithm.COPY else "writes" if way.algorithm >= Algorithm.INPLACE else ""
    again = f"{verb} {table}{' again' if verb == 'writes' else ''}" if verb else f"builds an index of {table}"
    if way.lock >= Lock.SHARED:
        return f"{again} while writers wait"
    return f"{again} while writers go on; a replica falls behind by as long"


def severity_of(way: Way) -> Severity:
    return Severity.ERROR if way.lock >= Lock.SHARED else Severity.WARNING


def found(at: At, what: str, way: Way, safer: str = "") -> Found:
    """A part that is not done at once: what it is, by which algorithm, and why."""
    words = f"{what} {effect_of(way, table_of(at))} ({name_of(way, at)})"
    reason = way.why or way.assumed
    return Found(f"{words}: {reason}" if reason else words, safer, severity=severity_of(way))


def name_of(way: Way, at: At) -> str:
    algorithm = way.algorithm.name
    if not is_mariadb(at.session) and way.algorithm is Algorithm.NOCOPY:
        algorithm = "INPLACE"
    return f"ALGORITHM={algorithm}, LOCK={way.lock.name}"


def asserted(at: At, way: Way) -> str:
    """The clause that makes the server refuse rather than do it a dearer way."""
    if way.algorithm is Algorithm.INSTANT:
        return "ALGORITHM=INSTANT"
    return f"ALGORITHM={'NOCOPY' if is_mariadb(at.session) else 'INPLACE'}, LOCK=NONE"


def column_of(part: Action) -> str:
    column = getattr(part, "column", "")
    return str(getattr(column, "name", column))


__all__ = [
    "BOTH", "RULES", "SHADOW", "AlterTable", "T", "asserted", "column_of", "costly", "found", "is_costly", "parts",
    "rule", "table_of",
]  # fmt: skip
