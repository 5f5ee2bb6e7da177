"""What an action leaves behind in the state of a session."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from linters import actions
from linters.frozen import changed
from linters.making import CreateSequence, Unlisted
from linters.session import Session
from linters.values import Constraint, Index, Kind, Name, Relation

QUIET = frozenset(
    "setval nextval currval set_config random gen_random_uuid clock_timestamp pg_sleep count sum avg min max array_agg"
    " string_agg json_agg jsonb_agg json_object_agg jsonb_object_agg bool_and bool_or every row_number rank dense_rank"
    " lag lead first_value last_value ntile".split()
)
"""Functions of the server that create nothing: aggregates, and those whose values differ from call to call."""


def apply(action: actions.Action, session: Session) -> None:
    """Change the state as the server would."""
    known = APPLIED.get(type(action))
    if known is not None:
        known(action, session)


def create_table(action: actions.CreateTable, session: Session) -> None:
    name = session.resolve(action.table)
    if action.if_not_exists and session.knows(name):
        return
    # It may be there already, with rows and readers: nobody knows.
    born = 0 if action.if_not_exists and not session.given.complete else session.era
    parents = tuple(session.resolve(parent) for parent in action.relation.parents)
    constraints = tuple(settled(c, action.table, session) for c in action.relation.constraints)
    columns = action.relation.columns
    if parents and action.bound:
        columns = session.relation(parents[0]).columns or columns
    made = changed(
        action.relation, name=name, born=born, parents=parents, constraints=constraints, columns=columns,
        bound=action.bound,
    )  # fmt: skip
    session.put(made)
    if action.bound == "DEFAULT":
        session.change(parents[0], has_default_partition=True)
    for constraint in constraints:
        add_index_of(constraint, name, session)


def settled(constraint: Constraint, table: Name, session: Session) -> Constraint:
    """A constraint with the name that the server gives it, and the target resolved."""
    target = session.resolve(constraint.references) if constraint.references else None
    return changed(constraint, name=constraint.name or default_name(constraint, table), references=target)


def default_name(constraint: Constraint, table: Name) -> str:
    """The server's own: `users_email_key`, `users_pkey`, `users_org_id_fkey`, `users_amount_check`."""
    endings = {Kind.UNIQUE: "key", Kind.FOREIGN: "fkey", Kind.CHECK: "check", Kind.NOT_NULL: "not_null"}
    if constraint.kind is Kind.PRIMARY:
        return f"{table.name}_pkey"
    columns = constraint.columns if constraint.kind is not Kind.CHECK or len(constraint.columns) == 1 else ()
    return "_".join((table.name, *columns, endings.get(constraint.kind, "excl")))


def add_index_of(constraint: Constraint, table: Name, session: Session) -> None:
    if constraint.kind in (Kind.UNIQUE, Kind.PRIMARY, Kind.EXCLUSION):
        name = Name(table.schema, constraint.using_index or constraint.name)
        before = session.indexes.get(name)
        made = before or Index(name, table, constraint.columns, constraint.kind is not Kind.EXCLUSION)
        if constraint.using_index and constraint.name:
            session.indexes.remove(name)
            name = Name(table.schema, constraint.name)
        session.put_index(changed(made, name=name, constraint=constraint.name))


def drop_table(action: actions.DropTable, session: Session) -> None:
    name = session.resolve(action.table)
    for index in session.indexes_of(name):
        session.indexes.remove(index.name)
    for other, constraint in list(session.referencing(name)):
        session.change(other.name, constraints=tuple(c for c in other.constraints if c is not constraint))
    session.relations.remove(name)


def add_column(action: actions.AddColumn, session: Session) -> None:
    table = session.relation(action.table)
    if table.column(action.column.name) is not None:
        return
    made = tuple(settled(c, table.name, session) for c in action.column.constraints)
    session.change(
        table.name, columns=(*table.columns, changed(action.column, constraints=(), born=session.script)),
        constraints=(*table.constraints, *made),
    )  # fmt: skip
    for constraint in made:
        add_index_of(constraint, table.name, session)


def drop_column(action: actions.DropColumn, session: Session) -> None:
    table = session.relation(action.table)
    session.change(
        table.name,
        columns=tuple(c for c in table.columns if c.name != action.column),
        constraints=tuple(c for c in table.constraints if action.column not in c.columns),
    )
    for index in session.indexes_of(table.name):
        if action.column in (*index.columns, *index.expressions):
            session.indexes.remove(index.name)


def rename_column(action: actions.RenameColumn, session: Session) -> None:
    table = session.relation(action.table)

    def names(found: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(action.to if name == action.column else name for name in found)

    session.change(
        table.name,
        columns=tuple(changed(c, name=action.to) if c.name == action.column else c for c in table.columns),
        constraints=tuple(changed(c, columns=names(c.columns)) for c in table.constraints),
    )
    for index in session.indexes_of(table.name):
        session.put_index(changed(index, columns=names(index.columns), expressions=names(index.expressions)))


def rename_table(action: actions.RenameTable, session: Session) -> None:
    old, new = session.resolve(action.table), session.resolve(action.to)
    found, indexes = session.relation(old), session.indexes_of(old)
    kind = found.kind if session.knows(old) else action.kind
    session.relations.remove(old)
    session.put(changed(found, name=new, kind=kind))
    if old in session.held:
        session.held.setdefault(new, changed(session.held[old], renamed=True))
    for index in indexes:
        session.put_index(changed(index, table=new))
    for each in (*session.heirs.get(old, ()), *session.referrers.get(old, ())):
        other = session.relation(each)
        if old in other.parents or any(c.references == old for c in other.constraints):
            session.change(
                other.name,
                parents=tuple(new if parent == old else parent for parent in other.parents),
                constraints=tuple(changed(c, references=new) if c.references == old else c for c in other.constraints),
            )


def change_column(table: Name, name: str, session: Session, **values: Any) -> None:
    found = session.relation(table)
    column = changed(session.column(table, name), **values)
    others = tuple(column if c.name == name else c for c in found.columns)
    session.change(table, columns=others if found.column(name) else (*others, column))


def add_constraint(action: actions.AddConstraint, session: Session) -> None:
    table = session.relation(action.table)
    made = settled(action.constraint, table.name, session)
    index = session.indexes.get(Name(table.name.schema, made.using_index)) if made.using_index else None
    if index is not None:
        made = changed(made, columns=index.columns, name=action.constraint.name or made.using_index)
    session.change(table.name, constraints=(*table.constraints, made))
    add_index_of(made, table.name, session)
    if made.kind is Kind.PRIMARY or (made.kind is Kind.NOT_NULL and made.validated):
        for column in made.columns:
            change_column(table.name, column, session, not_null=True)


def validate(action: actions.ValidateConstraint, session: Session) -> None:
    table = session.relation(action.table)
    known = tuple(changed(c, validated=True) if c.name == action.name else c for c in table.constraints)
    session.change(table.name, constraints=known)
    found = table.constraint(action.name)
    if found is not None and found.kind is Kind.NOT_NULL:
        for column in found.columns:
            change_column(table.name, column, session, not_null=True)


def drop_constraint(action: actions.DropConstraint, session: Session) -> None:
    table = session.relation(action.table)
    found = table.constraint(action.name)
    for other, constraint in list(session.needing(table.name, found)) if action.cascade and found else ():
        session.change(other.name, constraints=tuple(c for c in other.constraints if c is not constraint))
    session.change(table.name, constraints=tuple(c for c in table.constraints if c.name != action.name))
    session.indexes.remove(Name(table.name.schema, action.name))


def create_index(action: actions.CreateIndex, session: Session) -> None:
    table = session.resolve(action.table)
    given = action.index.name.name or "_".join((table.name, *filter(None, action.index.columns), "idx"))
    name = Name(table.schema, given)
    if not (action.if_not_exists and session.indexes.get(name)):
        session.put_index(changed(action.index, name=name, table=table))


def rename_other(action: actions.RenameOther, session: Session) -> None:
    if action.kind == "INDEX":
        for name in (Name(session.search_path(), action.name),):
            if (found := session.indexes.get(name)) is not None:
                session.indexes.remove(name)
                session.put_index(changed(found, name=Name(name.schema, action.to)))
    elif action.kind == "SCHEMA":
        session.doubtful = True
    elif action.kind == "CONSTRAINT" and action.table is not None:
        table = session.relation(action.table)
        renamed = tuple(changed(c, name=action.to) if c.name == action.name else c for c in table.constraints)
        session.change(action.table, constraints=renamed)


def attach(action: actions.AttachPartition, session: Session) -> None:
    parent, child = session.resolve(action.table), session.relation(action.partition)
    session.change(child.name, parents=(*child.parents, parent), bound=action.bound)
    if action.bound == "DEFAULT":
        session.change(parent, has_default_partition=True)


def detach(action: actions.DetachPartition, session: Session) -> None:
    parent, child = session.resolve(action.table), session.relation(action.partition)
    if child.bound == "DEFAULT":
        session.change(parent, has_default_partition=False)
    session.change(child.name, parents=tuple(p for p in child.parents if p != parent), bound="")


def create_trigger(action: actions.CreateTrigger, session: Session) -> None:
    table = session.relation(action.table)
    session.change(table.name, triggers=(*table.triggers, (action.name, action.columns)))


def drop_trigger(action: actions.DropTrigger, session: Session) -> None:
    table = session.relation(action.table)
    session.change(table.name, triggers=tuple(t for t in table.triggers if t[0] != action.name))


def row_security(action: actions.RowSecurity, session: Session) -> None:
    table = session.relation(action.table)
    if action.what in ("ENABLE", "DISABLE"):
        session.change(table.name, row_security=action.what == "ENABLE")
    elif action.what.endswith("POLICY"):
        others = tuple(p for p in table.policies if p[0] != action.policy)
        made = () if action.what == "DROP POLICY" else ((action.policy, action.columns),)
        session.change(table.name, policies=(*others, *made))


def create_view(action: actions.CreateView, session: Session) -> None:
    name = session.resolve(action.table)
    reads = tuple((session.resolve(table), column) for table, column in action.relation.reads)
    born = session.relation(name).born if action.replace and session.knows(name) else session.era
    session.put(changed(action.relation, name=name, reads=reads, born=born))


def create_enum(action: actions.CreateEnum, session: Session) -> None:
    session.enums.put(action.labels.name.name, changed(action.labels, born=session.era))


def add_enum_value(action: actions.AddEnumValue, session: Session) -> None:
    found = session.enums.get(action.type.name)
    if session.in_transaction and not (found is not None and found.born == session.era and session.version >= 17):
        session.new_values.add(action.value)
    if found is not None:
        session.enums.put(action.type.name, changed(found, values=(*found.values, action.value)))


def alter_domain(action: actions.AlterDomain, session: Session) -> None:
    found = session.domains.get(action.domain.name)
    if found is not None and action.constraint is not None:
        session.domains.put(action.domain.name, changed(found, constrained=True))


def rewrite(action: actions.Rewrite, session: Session) -> None:
    if action.by in ("SET LOGGED", "SET UNLOGGED"):
        session.change(action.table, unlogged=action.by == "SET UNLOGGED")


def change_setting(action: actions.Set, session: Session) -> None:
    session.turns += 1
    if action.local:
        session.local_settings[action.name] = action.value
    else:
        session.settings.put(action.name, action.value)
        session.local_settings.pop(action.name, None)


def doubt(action: actions.Action, session: Session) -> None:
    session.doubtful = True


def called(action: actions.Read | actions.CallRoutine, session: Session) -> None:
    """A function may create tables, unless its body is known, or it is the server's own."""
    names = (action.name,) if isinstance(action, actions.CallRoutine) else action.calls
    if not names or session.doubtful or not session.given.complete:
        return
    for name in names:
        known = session.routines.get(name.rpartition(".")[2])
        followed = known is not None and (known.body is not None or known.constant)
        session.doubtful = session.doubtful or not (followed or is_quiet(name))


def is_quiet(function: str) -> bool:
    """Whether it is one of the server's own that create nothing."""
    from linters.postgresql.costs import steady_functions

    plain = function.rpartition(".")[2]
    return plain in QUIET or plain in steady_functions()


def publish(action: actions.Publish, session: Session) -> None:
    for table in action.tables:
        if action.what in ("CREATE", "ADD", "SET"):
            session.change(table, published=True)


APPLIED: dict[type, Callable[[Any, Session], None]] = {
    actions.CreateTable: create_table,
    actions.DropTable: drop_table,
    actions.AddColumn: add_column,
    actions.DropColumn: drop_column,
    actions.RenameColumn: rename_column,
    actions.RenameTable: rename_table,
    actions.RenameOther: rename_other,
    actions.ChangeType: lambda a, s: change_column(a.table, a.column, s, type=a.type),
    actions.SetNotNull: lambda a, s: change_column(a.table, a.column, s, not_null=True),
    actions.DropNotNull: lambda a, s: change_column(a.table, a.column, s, not_null=False),
    actions.SetDefault: lambda a, s: change_column(a.table, a.column, s, default=a.default),
    actions.DropDefault: lambda a, s: change_column(a.table, a.column, s, default=None, sequence=""),
    actions.AddIdentity: lambda a, s: change_column(a.table, a.column, s, sequence="identity"),
    actions.AddConstraint: add_constraint,
    actions.ValidateConstraint: validate,
    actions.DropConstraint: drop_constraint,
    actions.CreateIndex: create_index,
    actions.DropIndex: lambda a, s: s.indexes.remove(s.resolve(a.index)),
    actions.AttachPartition: attach,
    actions.DetachPartition: detach,
    actions.CreateTrigger: create_trigger,
    actions.DropTrigger: drop_trigger,
    actions.RowSecurity: row_security,
    actions.CreateView: create_view,
    actions.CreateRoutine: lambda a, s: s.routines.put(a.routine.name, a.routine),
    actions.CreateDomain: lambda a, s: s.domains.put(a.domain.name.name, a.domain),
    actions.AlterDomain: alter_domain,
    actions.CreateEnum: create_enum,
    actions.AddEnumValue: add_enum_value,
    actions.Set: change_setting,
    actions.Publish: publish,
    actions.Rewrite: rewrite,
    CreateSequence: lambda a, s: s.put(Relation(s.resolve(a.table), "sequence")),
    actions.Opaque: doubt,
    Unlisted: doubt,
    actions.Read: called,
    actions.CallRoutine: called,
    actions.Begin: lambda a, s: s.begin(),
    actions.Commit: lambda a, s: s.end(),
    actions.Rollback: lambda a, s: s.rollback(a.savepoint),
    actions.Savepoint: lambda a, s: s.mark(a.name),
}
