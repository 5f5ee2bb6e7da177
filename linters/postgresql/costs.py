"""What each action locks on PostgreSQL, and what it does to the rows while it holds that lock."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from linters import actions
from linters.costs import Cost
from linters.postgresql.constraint_costs import add_constraint, drop_constraint, validate
from linters.postgresql.partition_costs import attach, detach
from linters.postgresql.types import change
from linters.postgresql.work import AX, SRX, SUX, everywhere, proof_of, rewrite, scan, with_children
from linters.session import Session
from linters.values import Column, Constraint, Expression, Kind, Mode, Name


def cost_of(action: actions.Action, session: Session) -> Cost:
    """The cost of one action in the state before it."""
    cost = Cost()
    known = COSTS.get(type(action))
    if known is not None:
        known(action, session, cost)
    return cost


@cache
def steady_functions() -> frozenset[str]:
    """Names of the server's own functions that give the same value all through a statement."""
    from importlib import resources

    return frozenset(resources.files("linters.postgresql").joinpath("steady_functions.txt").read_text().split())


def volatile_call(expression: Expression | None, session: Session) -> str:
    """The first function in an expression that may give another value for every row; empty for none."""
    for call in expression.calls if expression else ():
        name = call.rpartition(".")[2]
        own = session.routines.get(name)
        if own is not None:
            if own.volatile and not own.constant:
                return name
        elif name not in steady_functions():
            return name
    return ""


def add_column(action: actions.AddColumn, session: Session, cost: Cost) -> None:
    table, column = action.table, action.column
    with_children(table, AX, session, cost)
    domain = session.domains.get(column.type.name)
    called = volatile_call(column.default, session) if not column.generated else ""
    if column.generated == "STORED":
        rewrite(table, session, cost, "a stored generated column is computed for every row")
    elif column.sequence:
        rewrite(table, session, cost, f"every row gets a number of its own from the {column.sequence} column")
    elif called:
        rewrite(table, session, cost, f"{called}() may give another value for every row")
    elif domain is not None and domain.constrained and not column.generated:
        rewrite(table, session, cost, f"{column.type} is a domain with constraints")
    elif column.generated == "VIRTUAL" and column.not_null:
        scan(table, session, cost, "every computed value is checked for NULL")
    for constraint in column.constraints:
        inline_constraint(table, column, constraint, session, cost)
    if requires_a_value(column) and not cost.rewrites:
        cost.why = cost.why or "it has no default"


def requires_a_value(column: Column) -> bool:
    """Whether an INSERT that leaves the column out fails."""
    given = column.default is not None and not column.default.is_null
    return column.not_null and not given and not column.generated and not column.sequence


def inline_constraint(table: Name, column: Column, constraint: Constraint, session: Session, cost: Cost) -> None:
    if constraint.kind in (Kind.UNIQUE, Kind.PRIMARY):
        cost.builds += everywhere(table, session)
        cost.why = "its index is built while reads and writes wait"
    elif constraint.kind is Kind.CHECK and constraint.enforced and constraint.validated:
        scan(table, session, cost, "the CHECK is tried for every row, default or not")
    elif constraint.kind is Kind.FOREIGN and constraint.references is not None:
        cost.lock(session.resolve(constraint.references), SRX)
        # Any DEFAULT clause counts, that of NULL too.
        if column.default is not None and constraint.validated:
            scan(table, session, cost, "with a default every row is looked up in the other table")


def drop_column(action: actions.DropColumn, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    for constraint in session.relation(action.table).constraints:
        if action.column in constraint.columns and constraint.references is not None:
            cost.lock(constraint.references, AX)
    for other, constraint in session.referencing(action.table):
        if action.column in constraint.referenced_columns:
            cost.lock(other.name, AX)
            cost.error = "" if action.cascade else f"foreign key {constraint.name} of {other.name} needs it"
    if not action.cascade:
        cost.error = cost.error or dependant_of(action.table, action.column, session)


def change_type(action: actions.ChangeType, session: Session, cost: Cost) -> None:
    table = session.relation(action.table)
    with_children(action.table, AX, session, cost)
    column = session.column(action.table, action.column)
    found = change(column, action.type, action.collation, action.using is not None, session)
    cost.why, cost.assumed = found.why, found.assumed
    if found.rewrites:
        rewrite(action.table, session, cost, found.why)
    elif any(c.kind is Kind.CHECK and c.validated and action.column in c.columns for c in table.constraints):
        scan(action.table, session, cost, "a CHECK of the column is tried for every row")
    for index in session.indexes_of(action.table):
        # An index with a condition, or computed from something, is never taken over.
        own = action.column in index.columns and bool(index.expressions or index.partial)
        computed = own or action.column in index.expressions
        if not cost.rewrites and (computed or (found.rebuilds and action.column in index.columns)):
            cost.builds.append(table.name)
            cost.why = f"index {index.name.name} is built again"
    for constraint in table.constraints:
        if constraint.kind is Kind.FOREIGN and action.column in constraint.columns and constraint.references:
            cost.lock(constraint.references, SRX)
    for other, constraint in session.referencing(action.table):
        if action.column in constraint.referenced_columns or not constraint.referenced_columns:
            cost.lock(other.name, AX)
    cost.error = dependant_of(action.table, action.column, session)


def dependant_of(name: Name, column: str, session: Session) -> str:
    """What is defined by a column, so that the server neither changes its type nor drops it alone; or empty."""
    table = session.relation(name)
    for view in session.relations.values.values() if table.name in session.readers else ():
        if view.reads and any(r == table.name and read in (column, "*") for r, read in view.reads):
            return f"{view.kind} {view.name} reads {column}"
    for policy, columns in table.policies:
        if column in columns:
            return f"policy {policy} reads {column}"
    for trigger, columns in table.triggers:
        if column in columns:
            return f"trigger {trigger} fires on UPDATE OF {column}"
    for other in table.columns:
        if other.generated and other.default is not None and column in other.default.columns:
            return f"column {other.name} is computed from {column}"
    return ""


def set_not_null(action: actions.SetNotNull, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    if session.column(action.table, action.column).not_null:
        cost.why = "it is NOT NULL already"
    elif proof := proof_of(action.table, action.column, session):
        cost.why = f"CHECK {proof} proves it"
    else:
        scan(action.table, session, cost, "no valid CHECK proves that there is no NULL")


def set_expression(action: actions.SetExpression, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    if action.expression is not None and session.column(action.table, action.column).generated != "VIRTUAL":
        rewrite(action.table, session, cost, "a stored generated column is computed for every row")


def add_identity(action: actions.AddIdentity, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    column = session.relation(action.table).column(action.column)
    if column is not None and not column.not_null and session.given.complete and not session.doubtful:
        cost.error = f"{action.column} is not NOT NULL, as an identity column has to be"


def create_index(action: actions.CreateIndex, session: Session, cost: Cost) -> None:
    table = session.relation(action.table)
    mode = SUX if action.concurrently else Mode.SHARE
    cost.lock(table.name, mode)
    if table.kind == "partitioned" and action.concurrently:
        cost.error = "an index of a partitioned table cannot be built concurrently"
    if action.only and (table.kind == "partitioned" or not (table.complete or session.given.complete)):
        cost.why = "ONLY builds nothing in a partitioned table"
        return
    if not action.only:
        with_children(action.table, mode, session, cost)
    cost.builds += everywhere(action.table, session)


def drop_index(action: actions.DropIndex, session: Session, cost: Cost) -> None:
    found = session.indexes.get(session.resolve(action.index))
    if found is not None:
        cost.lock(found.table, SUX if action.concurrently else AX)
        if found.constraint:
            cost.error = f"constraint {found.constraint} of {found.table} needs it"


def reindex(action: actions.Reindex, session: Session, cost: Cost) -> None:
    name = session.resolve(action.name)
    if action.what == "INDEX":
        index = session.indexes.get(name)
        tables = [index.table] if index is not None else []
    elif action.what == "TABLE":
        tables = [name]
    else:
        tables = [t.name for t in session.relations.values.values() if t.kind == "table"]
    for table in tables:
        cost.lock(table, SUX if action.concurrently else Mode.SHARE)
        cost.builds.append(table)


def create_table(action: actions.CreateTable, session: Session, cost: Cost) -> None:
    for constraint in action.relation.constraints:
        if constraint.references is not None and session.resolve(constraint.references) != session.resolve(
            action.table
        ):
            with_children(constraint.references, SRX, session, cost)
    for parent in action.relation.parents:
        if action.bound:
            cost.lock(session.resolve(parent), AX)
            for other in session.children(parent):
                if other.bound == "DEFAULT" and action.bound != "DEFAULT":
                    cost.lock(other.name, AX)
                    cost.scans.append(other.name)
                    cost.why = "rows of the default partition are checked"
        else:
            cost.lock(session.resolve(parent), SUX)


def drop_table(action: actions.DropTable, session: Session, cost: Cost) -> None:
    table = session.relation(action.table)
    if action.kind == "sequence":
        return
    with_children(action.table, AX, session, cost)
    for constraint in table.constraints:
        if constraint.references is not None:
            cost.lock(constraint.references, AX)
    for other, constraint in session.referencing(action.table):
        if action.cascade:
            cost.lock(other.name, AX)
        else:
            cost.error = f"foreign key {constraint.name} of {other.name} needs it"
    for parent in table.parents:
        cost.lock(parent, AX)
    if not action.cascade and (view := reader_of(table.name, session)):
        cost.error = f"{view} reads it"


def reader_of(table: Name, session: Session) -> str:
    for view in session.relations.values.values() if table in session.readers else ():
        if any(read == table for read, _ in view.reads):
            return f"{view.kind} {view.name}"
    return ""


def truncate(action: actions.Truncate, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    for other, constraint in session.referencing(action.table):
        if action.cascade:
            cost.lock(other.name, AX)
        else:
            cost.error = f"foreign key {constraint.name} of {other.name} references it"


def refresh(action: actions.RefreshView, session: Session, cost: Cost) -> None:
    view = session.resolve(action.table)
    cost.lock(view, Mode.EXCLUSIVE if action.concurrently else AX)
    cost.rewrites.append(view)
    if action.concurrently:
        cost.why = "readers go on"
        known = session.knows(action.table)
        if known and not any(i.unique and not i.partial and not i.expressions for i in session.indexes_of(view)):
            cost.error = "it has no unique index, which CONCURRENTLY needs"


def alter_domain(action: actions.AlterDomain, session: Session, cost: Cost) -> None:
    if not action.validates:
        return
    name = action.domain.name
    for relation in list(session.relations.values.values()):
        if any(column.type.name == name for column in relation.columns):
            cost.lock(relation.name, Mode.SHARE)
            cost.scans.append(relation.name)
            cost.why = f"every value of {name} is checked"


def alter_composite(action: actions.AlterComposite, session: Session, cost: Cost) -> None:
    for relation in session.relations.values.values():
        if action.cascade and relation.of_type == action.type.name:
            cost.lock(relation.name, AX)


def write(action: actions.Write, session: Session, cost: Cost) -> None:
    cost.lock(session.resolve(action.table), Mode.ROW_EXCLUSIVE)


def simple(mode: Mode) -> Callable[[Any, Session, Cost], None]:
    return lambda action, session, cost: with_children(action.table, mode, session, cost)


def rewrite_table(action: actions.Rewrite, session: Session, cost: Cost) -> None:
    with_children(action.table, AX, session, cost)
    table = session.relation(action.table)
    same = (action.by == "SET LOGGED" and table.complete and not table.unlogged) or (
        action.by == "SET UNLOGGED" and table.unlogged
    )
    same = same or (table.complete and action.to in ("heap", "pg_default"))
    if same:
        cost.why = "it is that already"
    else:
        rewrite(action.table, session, cost, f"{action.by} writes the table again")


def refused(action: actions.Refused, session: Session, cost: Cost) -> None:
    cost.error = action.reason


def create_view(action: actions.CreateView, session: Session, cost: Cost) -> None:
    before, after = session.relation(action.table).columns, action.relation.columns
    names = [column.name for column in before]
    if action.replace and before and after and [column.name for column in after][: len(names)] != names:
        cost.error = f"it had the columns {', '.join(names)}, in this order, and CREATE OR REPLACE can only add to them"


COSTS: dict[type, Callable[[Any, Session, Cost], None]] = {
    actions.AddColumn: add_column,
    actions.DropColumn: drop_column,
    actions.RenameColumn: simple(AX),
    actions.RenameTable: simple(AX),
    actions.ChangeType: change_type,
    actions.SetNotNull: set_not_null,
    actions.DropNotNull: simple(AX),
    actions.SetDefault: simple(AX),
    actions.DropDefault: simple(AX),
    actions.AddIdentity: add_identity,
    actions.SetExpression: set_expression,
    actions.AddConstraint: add_constraint,
    actions.ValidateConstraint: validate,
    actions.DropConstraint: drop_constraint,
    actions.CreateIndex: create_index,
    actions.DropIndex: drop_index,
    actions.Reindex: reindex,
    actions.AttachPartition: attach,
    actions.DetachPartition: detach,
    actions.CreateTable: create_table,
    actions.DropTable: drop_table,
    actions.CreateTrigger: simple(SRX),
    actions.SwitchTrigger: simple(SRX),
    actions.DropTrigger: simple(AX),
    actions.RowSecurity: simple(AX),
    actions.ReplicaIdentity: simple(AX),
    actions.Rewrite: rewrite_table,
    actions.Refused: refused,
    actions.CreateView: create_view,
    actions.LockTable: lambda a, s, c: with_children(a.table, a.mode, s, c),
    actions.Truncate: truncate,
    actions.RefreshView: refresh,
    actions.AlterDomain: alter_domain,
    actions.AlterComposite: alter_composite,
    actions.Tune: lambda a, s, c: with_children(a.table, a.mode, s, c),
    actions.Write: write,
}
