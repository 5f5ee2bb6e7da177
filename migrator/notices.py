"""What a plan does not refuse, and whoever runs it should know beforehand. Nothing here writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from migrator.dialects import postgresql
from migrator.errors import DatabaseError
from phases.model import Transaction

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.planning import Plan, RevisionPlan
    from phases.model import TableName

SHOWN = 60
STATISTICS = {"postgresql": postgresql.STATISTICS_SCHEMA}
"""Where statements are known. MySQL and MariaDB prepare a statement again by themselves, and need none of it."""

DUPLICATING = frozenset({"mysql"})
"""Where a rebuild in place fails over rows that a statement has written and taken back at once."""
REBUILD = re.compile(r"ALTER TABLE .* MODIFY COLUMN .*ALGORITHM=INPLACE, LOCK=NONE", re.S)
UPSERT = re.compile(r"\s*REPLACE\b|.*\bON DUPLICATE KEY UPDATE\b", re.S | re.I)


def noticed(session: Session, plan: Plan) -> Plan:
    """The plan with what clients that read whole rows will notice, and what the statements of others will stop.

    Known are only statements that the server has counted, and lets this role read.
    """
    if session.server.family in DUPLICATING:
        plan = replace(plan, revisions=tuple(with_upserts(session, item) for item in plan.revisions))
    changed = {name for item in plan.revisions for name in item.reshapes}
    seen = dict(statements_with_star(session, sorted(changed, key=str)))
    return replace(plan, revisions=tuple(with_star(item, seen) for item in plan.revisions))


def with_star(item: RevisionPlan, seen: dict[TableName, str]) -> RevisionPlan:
    said = tuple(
        f'statements read all columns of "{name}" by * (for example: {seen[name]}): a session that has prepared one'
        ' gets "cached plan must not change result type" once the columns are others; name the columns'
        for name in item.reshapes
        if name in seen
    )
    return replace(item, warnings=(*item.warnings, *said))


def statements_with_star(session: Session, tables: list[TableName]) -> Iterator[tuple[TableName, str]]:
    """Tables that known statements read by `*`, each with the beginning of one."""
    question = STATISTICS.get(session.server.family)
    found = session.query(question) if tables and question else []
    for table in tables if found else ():
        word = re.sub(r"([^\w])", r"\\\1", table.name)
        try:
            rows = session.query(postgresql.statements_with_star(found[0][0], word))
        except DatabaseError:
            return  # installed, but not loaded, or not for this role to read
        if rows:
            yield table, " ".join(rows[0][0].split())[:SHOWN]


def with_upserts(session: Session, item: RevisionPlan) -> RevisionPlan:
    ours = (planned.step for planned in item.remaining)
    built = [step for step in ours if isinstance(step, Transaction) and any(map(REBUILD.match, step.statements))]
    steps = {lock.table: step.name for step in reversed(built) for lock in step.locks}
    said = tuple(
        f'"{table}" is written to by upserts (for example: {shown}): where one meets a unique key while the server'
        f" builds the table again in place ({step}), the server gives that up; use RebuildTable"
        for table, step in steps.items()
        if (shown := upsert_of(session, table))
    )
    return replace(item, warnings=(*item.warnings, *said))


def upsert_of(session: Session, table: TableName) -> str:
    """The beginning of a counted statement that may write a row of a table and take it back at once."""
    try:
        ran = session.family.statistics.ran(session.query, [table.name])
    except DatabaseError:
        return ""  # not for this role to read
    named = re.compile(rf"\bINTO\s+(?:\S+\s*\.\s*)?`?{re.escape(table.name)}`?[\s(]", re.I)
    texts = (counted.text for counted in ran.statements if UPSERT.match(counted.text) and named.search(counted.text))
    return " ".join(next(texts, "").split())[:SHOWN]
