"""What a plan does not refuse, and whoever runs it should know beforehand. Nothing here writes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from migrator.dialects import postgresql
from migrator.errors import DatabaseError

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.planning import Plan, RevisionPlan
    from phases.model import TableName

SHOWN = 60
STATISTICS = {"postgresql": postgresql.STATISTICS_SCHEMA}
"""Where statements are known. MySQL and MariaDB prepare a statement again by themselves, and need none of it."""


def noticed(session: Session, plan: Plan) -> Plan:
    """The plan with what clients that read whole rows will notice.

    Known are only statements that `pg_stat_statements` has, where it is installed and readable.
    """
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
