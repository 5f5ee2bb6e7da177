"""Locks and work on a table and its partitions, and what spares it."""

from __future__ import annotations

from linters.costs import Cost
from linters.session import Session
from linters.values import Kind, Mode, Name

AX, SRX, SUX = Mode.ACCESS_EXCLUSIVE, Mode.SHARE_ROW_EXCLUSIVE, Mode.SHARE_UPDATE_EXCLUSIVE


def with_children(table: Name, mode: Mode, session: Session, cost: Cost) -> None:
    cost.lock(session.resolve(table), mode)
    for child in session.children(table):
        cost.lock(child.name, mode)


def everywhere(table: Name, session: Session) -> list[Name]:
    """The table, or the partitions that hold its rows."""
    children = [child.name for child in session.children(table) if child.kind != "partitioned"]
    own = [] if session.relation(table).kind == "partitioned" and children else [session.resolve(table)]
    return own + children


def rewrite(table: Name, session: Session, cost: Cost, why: str) -> None:
    cost.rewrites += everywhere(table, session)
    cost.why = why


def scan(table: Name, session: Session, cost: Cost, why: str) -> None:
    cost.scans += everywhere(table, session)
    cost.why = why


def proof_of(table: Name, column: str, session: Session) -> str:
    """A CHECK that is validated and demands that the column be not NULL; empty for none."""
    for constraint in session.relation(table).constraints:
        required = constraint.expression.required if constraint.expression else ()
        if constraint.kind is Kind.CHECK and constraint.validated and constraint.enforced and column in required:
            return constraint.name or "of the table"
    return ""
