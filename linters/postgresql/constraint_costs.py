"""What constraints cost that are added, validated or dropped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linters import actions
from linters.costs import Cost
from linters.postgresql.work import AX, SRX, SUX, everywhere, proof_of, scan, with_children
from linters.session import Session
from linters.values import Constraint, Kind, Mode, Name


def add_constraint(action: actions.AddConstraint, session: Session, cost: Cost) -> None:
    constraint, table = action.constraint, session.relation(action.table)
    BY_KIND[constraint.kind](action, constraint, session, cost)
    if constraint.name and table.constraint(constraint.name) is not None:
        cost.error = f"{table.name} has a constraint {constraint.name} already"
    if (
        constraint.kind is Kind.FOREIGN
        and not constraint.validated
        and constraint.enforced
        and table.kind == "partitioned"
        and session.version < 18
    ):
        cost.error = "a foreign key of a partitioned table cannot be NOT VALID before PostgreSQL 18"


def add_check(action: actions.AddConstraint, constraint: Constraint, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    if constraint.validated and constraint.enforced:
        scan(action.table, session, cost, "every row is checked")


def add_not_null(action: actions.AddConstraint, constraint: Constraint, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    if session.version < 18:
        cost.error = "a NOT NULL constraint cannot be added by name before PostgreSQL 18"
    unproven = [c for c in constraint.columns if not proof_of(action.table, c, session)]
    if constraint.validated and unproven:
        scan(action.table, session, cost, "no valid CHECK proves that there is no NULL")


def add_foreign(action: actions.AddConstraint, constraint: Constraint, session: Session, cost: Cost) -> None:
    with_children(action.table, SRX, session, cost)
    if constraint.references is not None:
        with_children(constraint.references, SRX, session, cost)
    if constraint.validated and constraint.enforced and not kept_by_partitions(action.table, constraint, session):
        scan(action.table, session, cost, "every row is looked up in the other table")


def kept_by_partitions(table: Name, wanted: Constraint, session: Session) -> bool:
    """Whether every partition has the same foreign key, validated: the server takes those over as they are."""
    leaves = [child for child in session.children(table) if child.kind != "partitioned"]
    target = session.resolve(wanted.references) if wanted.references is not None else None

    def same(found: Constraint) -> bool:
        columns = {found.referenced_columns, wanted.referenced_columns} - {()}
        alike = (found.kind, found.columns, found.references) == (Kind.FOREIGN, wanted.columns, target)
        return alike and found.actions == wanted.actions and found.validated and len(columns) < 2

    kind = session.relation(table).kind
    return kind == "partitioned" and bool(leaves) and all(any(map(same, leaf.constraints)) for leaf in leaves)


def add_key(action: actions.AddConstraint, constraint: Constraint, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    table = session.relation(action.table)
    index = session.indexes.get(Name(table.name.schema, constraint.using_index)) if constraint.using_index else None
    if not constraint.using_index:
        cost.builds += everywhere(action.table, session)
        cost.why = "its index is built while reads and writes wait"
    elif index is not None and (problem := unusable(index)):
        cost.error = problem
    if constraint.kind is Kind.PRIMARY:
        if any(known.kind is Kind.PRIMARY for known in table.constraints):
            cost.error = f"{table.name} has a primary key already"
        columns = index.columns if index is not None else constraint.columns
        nullable = [c for c in columns if not known_not_null(action.table, c, session)]
        unknown = constraint.using_index and not table.complete and not session.given.complete
        if nullable and not unknown:
            scan(action.table, session, cost, f"nothing proves that {', '.join(nullable) or 'its columns'} has no NULL")


def unusable(index: Any) -> str:
    reasons = {"unique": not index.unique, "whole": index.partial, "valid": not index.valid}
    reasons["on columns only"] = bool(index.expressions) and not index.partial
    found = next((reason for reason, broken in reasons.items() if broken), "")
    return f"index {index.name.name} is not {found}" if found else ""


def known_not_null(table: Name, column: str, session: Session) -> bool:
    return session.column(table, column).not_null or bool(proof_of(table, column, session))


def add_exclusion(action: actions.AddConstraint, constraint: Constraint, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    cost.builds += everywhere(action.table, session)
    cost.why = "its index is built while reads and writes wait, and there is no other form"


BY_KIND: dict[Kind, Callable[[Any, Constraint, Session, Cost], None]] = {
    Kind.CHECK: add_check,
    Kind.NOT_NULL: add_not_null,
    Kind.FOREIGN: add_foreign,
    Kind.UNIQUE: add_key,
    Kind.PRIMARY: add_key,
    Kind.EXCLUSION: add_exclusion,
}


def validate(action: actions.ValidateConstraint, session: Session, cost: Cost) -> None:
    with_children(action.table, SUX, session, cost)
    found = session.relation(action.table).constraint(action.name)
    if found is not None and found.references is not None:
        cost.lock(found.references, Mode.ROW_SHARE)
    if found is None and session.relation(action.table).complete:
        cost.error = f"{action.table} has no constraint {action.name}"
    elif found is None or not found.validated:
        scan(action.table, session, cost, "every row is checked")


def drop_constraint(action: actions.DropConstraint, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    found = session.relation(action.table).constraint(action.name)
    if found is None and not action.if_exists and session.relation(action.table).complete:
        cost.error = f"{action.table} has no constraint {action.name}"
    if found is not None and found.references is not None:
        cost.lock(found.references, AX)
    if found is not None and found.kind in (Kind.UNIQUE, Kind.PRIMARY):
        for other, constraint in session.needing(action.table, found):
            if action.cascade:
                cost.lock(other.name, AX)
            else:
                cost.error = f"foreign key {constraint.name} of {other.name} needs it"
