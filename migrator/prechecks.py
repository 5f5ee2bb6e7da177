"""Look at existing rows before a revision begins, for no longer than it may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from migrator.errors import Cancelled, DatabaseError
from migrator.events import NotChecked
from migrator.planning import refused
from phases.errors import Refused

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.revisions import Revision
    from phases.operations import Precheck


def look(session: Session, checks: Iterable[Precheck], revision: Revision, seconds: float) -> Iterator[NotChecked]:
    """Ask every question; yields those that took too long, and whose answer a later step finds.

    Args:
        seconds: how long one question may take.

    Raises:
        PlanRefused: rows are in the way, or it cannot be known and no later step would find out.
    """
    for check in checks:
        try:
            found = session.query(check.sql, seconds=seconds)
        except Cancelled:
            if not check.backstop:
                raise refused(revision, unanswered(check, seconds)) from None
            yield NotChecked(revision.id, check.problem, check.backstop, seconds)
            continue
        except DatabaseError as problem:
            if not session.family.blames_row(problem.facts.get("sqlstate") or ""):
                raise
            said = f"{check.asks} cannot be computed for every row: {problem.message}"
            remedy = "mend those rows first, or write an expression that fails for none"
            raise refused(revision, Refused(said, remedy=remedy)) from None
        if found:
            sample = "; ".join(", ".join(str(value) for value in row) for row in found)
            raise refused(revision, Refused(f"{check.problem} (for example {sample})", remedy=check.remedy))


def unanswered(check: Precheck, seconds: float) -> Refused:
    return Refused(
        f"it could not be found out in {seconds:g} s whether {check.problem}",
        remedy="give it longer: migrator apply --precheck-timeout 10m",
    )
