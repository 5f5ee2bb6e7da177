"""What partitions cost that are attached or detached."""

from __future__ import annotations

from typing import Any

from linters import actions
from linters.costs import Cost
from linters.postgresql.bounds import outside, within
from linters.postgresql.work import AX, SUX
from linters.session import Session
from linters.values import Kind, Relation


def attach(action: actions.AttachPartition, session: Session, cost: Cost) -> None:
    parent, child = session.resolve(action.table), session.resolve(action.partition)
    cost.lock(parent, SUX)
    cost.lock(child, AX)
    if not bound_is_proven(action, session):
        cost.scans.append(child)
        cost.why = "no valid CHECK proves that every row is within the bound"
    cost.error = unlike(session.relation(parent), session.relation(child))
    for other in session.children(parent):
        if other.bound == "DEFAULT" and action.bound != "DEFAULT":
            cost.lock(other.name, AX)
            if not excluded(other, action, session):
                cost.scans.append(other.name)
                cost.why = "rows of the default partition are checked"


def unlike(parent: Relation, child: Relation) -> str:
    """Why the server refuses a table as a partition: its columns are not those of the parent."""
    if not (parent.complete and child.complete):
        return ""
    for column in parent.columns:
        own = child.column(column.name)
        if own is None:
            return f"{child.name} has no column {column.name}"
        if own.type != column.type:
            return f"column {column.name} of {child.name} is {own.type}, and not {column.type}"
        if column.not_null and not own.not_null:
            return f"column {column.name} of {child.name} has to be NOT NULL, as that of {parent.name} is"
    more = next((c.name for c in child.columns if parent.column(c.name) is None), "")
    return f"{parent.name} has no column {more}" if more else ""


def bound_is_proven(action: actions.AttachPartition, session: Session) -> bool:
    key = session.relation(action.table).partition_key
    checks = [
        c
        for c in session.relation(action.partition).constraints
        if c.kind is Kind.CHECK and c.validated and c.enforced and c.expression is not None
    ]
    demanded = {column for check in checks for column in check.expression.required} if checks else set()  # type: ignore[union-attr]
    demanded |= {c.name for c in session.relation(action.partition).columns if c.not_null}
    if not key:
        # Without the parent's definition: whoever wrote a CHECK that reads as the bound meant it.
        return any(within(str(c.expression), action.bound, tuple(c.columns)) for c in checks)
    return set(key) <= demanded and any(within(str(c.expression), action.bound, key) for c in checks)


def excluded(default: Any, action: actions.AttachPartition, session: Session) -> bool:
    """Whether a CHECK of the default partition keeps rows of the new bound out."""
    return any(
        c.kind is Kind.CHECK and c.validated and c.expression is not None and outside(str(c.expression), action.bound)
        for c in default.constraints
    )


def detach(action: actions.DetachPartition, session: Session, cost: Cost) -> None:
    parent, child = session.resolve(action.table), session.resolve(action.partition)
    if action.finalize:
        cost.lock(parent, SUX)
        cost.lock(child, AX)
        return
    if action.concurrently:
        cost.lock(parent, SUX)
        cost.lock(child, AX)
        if session.version < 14:
            cost.error = "DETACH PARTITION CONCURRENTLY needs PostgreSQL 14"
        elif session.relation(parent).has_default_partition:
            cost.error = "a partitioned table with a default partition cannot detach concurrently"
        return
    cost.lock(parent, AX)
    cost.lock(child, AX)
