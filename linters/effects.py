"""What a statement changes, and what takes it back, for whoever runs it and may have to undo it.

Nothing here says whether it may be run: rules do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from linters.parsing import enum_name, expression_text, nodes, quoted, type_text
from linters.postgresql.costs import cost_of
from linters.postgresql.elements import relation, strings
from linters.postgresql.reading import read
from linters.session import Session
from linters.values import Mode, Name

FOLLOWED = frozenset({"AT_AddColumn", "AT_AddConstraint", "AT_ColumnDefault", "AT_SetNotNull", "AT_DropNotNull"})
"""Changes of a table that is created just before, and takes them along when it goes."""
ADDED = frozenset({"CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_UNIQUE"})
"""Constraints that go without a trace when they are dropped."""


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A column that a statement creates. `type` and `default` are SQL."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement changes.

    Args:
        summary: one line for people.
        creates: relations whose names it takes.
        table: the table it creates, or adds columns or an index to.
        is_new: the table is created by the statement itself.
        columns: columns it creates.
        key: columns of the primary key of a created table.
        locks: tables in use that are locked, each with the mode.
        reads: columns of existing tables it depends on; None stands for all of a table.
        undo: SQL that takes it back; empty where it leaves with something else, or stays.
        undo_locks: what that SQL locks.
        index: name of an index that is built concurrently, and so outside any transaction.
    """

    summary: str
    creates: tuple[Name, ...] = ()
    table: Name | None = None
    is_new: bool = False
    columns: tuple[AddedColumn, ...] = ()
    key: tuple[str, ...] = ()
    locks: tuple[tuple[Name, Mode], ...] = ()
    reads: tuple[tuple[Name, str | None], ...] = ()
    undo: str = ""
    undo_locks: tuple[tuple[Name, Mode], ...] = ()
    index: str = ""


class NoWayBack(Exception):
    """Why nobody would know how to take a statement back.

    Attributes:
        reason: what is not known.
        remedy: what to write instead; empty where that is an operation.
    """

    def __init__(self, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


UNKNOWN = "what takes it back is not known"


def effect_of(statement: Any, session: Session) -> Effect:
    """The effect of a `stmt` node in the state before it.

    Raises:
        NoWayBack: what takes it back cannot be told.
    """
    kind = statement.WhichOneof("node")
    known = BY_KIND.get(kind)
    if known is None:
        raise NoWayBack(UNKNOWN)
    found = known(getattr(statement, kind), session)
    return replace(found, locks=found.locks or locked(statement, session)) if not found.index else found


def locked(statement: Any, session: Session) -> tuple[tuple[Name, Mode], ...]:
    """Tables in use that a statement locks so that somebody may wait."""
    found: dict[Name, Mode] = {}
    for action in read(statement):
        for name, mode in cost_of(action, session).locks.items():
            if session.knows(name) and not session.is_new(name) and mode >= Mode.SHARE_UPDATE_EXCLUSIVE:
                found[name] = max(mode, found.get(name, Mode.NONE))
    return tuple(found.items())


def create_table(node: Any, session: Session) -> Effect:
    table = session.resolve(permanent(node.relation))
    for parent in node.inh_relations:
        if not session.is_new(relation(parent.range_var)):
            raise NoWayBack(f'it becomes a part of "{parent.range_var.relname}", and {UNKNOWN}')
    columns, key, constraints = [], [], []
    for element in node.table_elts:
        if element.HasField("column_def"):
            column = element.column_def
            columns.append(described(column))
            own = [c.constraint for c in column.constraints]
            key += [column.colname for c in own if enum_name(c, "contype") == "CONSTR_PRIMARY"]
            constraints += own
        elif element.HasField("constraint"):
            constraints.append(element.constraint)
            if enum_name(element.constraint, "contype") == "CONSTR_PRIMARY":
                key += strings(element.constraint.keys)
    reads = referenced(table, constraints, session)
    summary = f"create table {table.name}"
    if node.if_not_exists:  # it may be somebody else's, with rows: nothing builds on it, nothing drops it
        return Effect(summary, reads=reads)
    others = tuple((name, Mode.ACCESS_EXCLUSIVE) for name in dict.fromkeys(name for name, _ in reads))
    found = tuple(replace(c, not_null=c.not_null or c.name in key) for c in columns)
    return Effect(
        summary, (table,), table, True, found, tuple(key), reads=reads, undo=f"DROP TABLE {sql(table)}",
        undo_locks=((table, Mode.ACCESS_EXCLUSIVE), *others),
    )  # fmt: skip


def referenced(table: Name, constraints: Iterable[Any], session: Session) -> tuple[tuple[Name, str | None], ...]:
    """Columns of tables in use that foreign keys rely on."""
    found: list[tuple[Name, str | None]] = []
    for constraint in constraints:
        if enum_name(constraint, "contype") == "CONSTR_FOREIGN":
            other = session.resolve(relation(constraint.pktable))
            if other != table and not session.is_new(other):
                found += [(other, column) for column in strings(constraint.pk_attrs)] or [(other, None)]
    return tuple(found)


def create_index(node: Any, session: Session) -> Effect:
    table = session.resolve(relation(node.relation))
    summary = f"create index {node.idxname} on {table.name}"
    creates: tuple[Name, ...] = (Name(table.schema, node.idxname),) if node.idxname else ()
    new = session.is_new(table)
    if not new and (not node.idxname or node.if_not_exists):
        raise NoWayBack("a build that was interrupted could not be found again", "give it a name")
    if node.concurrent:
        return Effect(summary, creates, table, index=node.idxname)
    return Effect(summary, creates, table, undo="" if new else f"DROP INDEX {sql(creates[0])}")


def alter_table(node: Any, session: Session) -> Effect:
    table = session.resolve(relation(node.relation))
    if enum_name(node, "objtype") != "OBJECT_TABLE":
        raise NoWayBack(UNKNOWN)
    commands = [item.alter_table_cmd for item in node.cmds]
    return altered_new(table, commands, session) if session.is_new(table) else altered(table, commands, session)


def altered_new(table: Name, commands: Iterable[Any], session: Session) -> Effect:
    columns, constraints = [], []
    for command in commands:
        definition = getattr(command, "def")
        if enum_name(command, "subtype") not in FOLLOWED:
            raise NoWayBack("what it leaves is not followed", "create the table as it is to be")
        if definition.HasField("column_def"):
            columns.append(described(definition.column_def))
            constraints += [c.constraint for c in definition.column_def.constraints]
        if definition.HasField("constraint"):
            constraints.append(definition.constraint)
    reads = referenced(table, constraints, session)
    # The keys leave with the table, whose undo must then lock what they reference, too.
    others = tuple((name, Mode.ACCESS_EXCLUSIVE) for name in dict.fromkeys(name for name, _ in reads))
    return Effect(
        f"alter table {table.name}", table=table, columns=tuple(columns), reads=reads, undo_locks=others
    )  # fmt: skip


def altered(table: Name, commands: Iterable[Any], session: Session) -> Effect:
    """ALTER TABLE of a table in use: what it adds is dropped again, in the same order turned round."""
    columns, constraints, undo = [], [], list[str]()
    for command in commands:
        kind, definition = enum_name(command, "subtype"), getattr(command, "def")
        if command.missing_ok:
            raise NoWayBack("what is there already might be something else", "leave IF NOT EXISTS out")
        if kind == "AT_AddColumn":
            columns.append(described(definition.column_def))
            constraints += [c.constraint for c in definition.column_def.constraints]
            undo.insert(0, f"DROP COLUMN {quoted(columns[-1].name)}")
        elif kind == "AT_AddConstraint" and is_droppable(definition.constraint):
            constraints.append(definition.constraint)
            undo.insert(0, f"DROP CONSTRAINT {quoted(definition.constraint.conname)}")
        else:
            raise NoWayBack(UNKNOWN)
    reads = referenced(table, constraints, session)
    locks = ((table, Mode.ACCESS_EXCLUSIVE), *((name, Mode.ACCESS_EXCLUSIVE) for name, _ in reads))
    names = ", ".join(f"{table.name}.{column.name}" for column in columns)
    return Effect(
        f"add {names}" if names else f"alter table {table.name}", table=table, columns=tuple(columns), reads=reads,
        undo=f"ALTER TABLE {sql(table)} {', '.join(undo)}", undo_locks=tuple(dict.fromkeys(locks)),
    )  # fmt: skip


def is_droppable(constraint: Any) -> bool:
    return bool(constraint.conname and not constraint.indexname and enum_name(constraint, "contype") in ADDED)


def comment(node: Any, session: Session) -> Effect:
    kind = enum_name(node, "objtype").removeprefix("OBJECT_")
    if kind not in ("TABLE", "COLUMN"):
        return Effect(f"comment on {kind.lower()}")
    names = strings(node.object.list.items)
    table = named(names if kind == "TABLE" else names[:-1], session)
    locks = () if session.is_new(table) else ((table, Mode.SHARE_UPDATE_EXCLUSIVE),)
    return Effect(f"comment on {kind.lower()} {names[-1]}", locks=locks)


def insert(node: Any, session: Session) -> Effect:
    table = session.resolve(relation(node.relation))
    if not session.is_new(table) or any(name in ("update_stmt", "delete_stmt") for name, _ in nodes(node)):
        raise NoWayBack(UNKNOWN, 'RunSQL(migrate="INSERT …", undo="DELETE …")')
    return Effect(f"insert into {table.name}")


def create_view(node: Any, session: Session) -> Effect:
    view = session.resolve(permanent(node.view))
    if node.replace and session.knows(view):
        raise NoWayBack("it may change a view that is in use", "CREATE VIEW, under another name")
    found = {session.resolve(relation(child)) for name, child in nodes(node.query) if name == "range_var"}
    reads = tuple((table, None) for table in sorted(found) if session.knows(table) and not session.is_new(table))
    return Effect(f"create view {view.name}", (view,), reads=reads, undo=f"DROP VIEW {sql(view)}")


def create_function(node: Any, session: Session) -> Effect:
    function = named(strings(node.funcname), session)
    if node.replace:
        raise NoWayBack("it may change a function that is in use", "CREATE FUNCTION, under another name")
    given = [p.function_parameter for p in node.parameters]
    kinds = ("FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC", "FUNC_PARAM_DEFAULT")
    types = ", ".join(type_text(p.arg_type) for p in given if enum_name(p, "mode") in kinds)
    what = "PROCEDURE" if node.is_procedure else "FUNCTION"
    return Effect(f"create {what.lower()} {function.name}", undo=f"DROP {what} {sql(function)}({types})")


def create_schema(node: Any, _: Session) -> Effect:
    if node.schema_elts:
        raise NoWayBack("it creates more than a schema", "one statement for each")
    undo = "" if node.if_not_exists else f"DROP SCHEMA {quoted(node.schemaname)}"
    return Effect(f"create schema {node.schemaname}", undo=undo)


def create_sequence(node: Any, session: Session) -> Effect:
    sequence = session.resolve(permanent(node.sequence))
    summary = f"create sequence {sequence.name}"
    if node.if_not_exists:
        return Effect(summary)
    # A sequence that a created table owns has left with it.
    return Effect(summary, (sequence,), undo=f"DROP SEQUENCE IF EXISTS {sql(sequence)}")


def create_type(names: Iterable[str], session: Session) -> Effect:
    made = named(names, session)
    return Effect(f"create type {made.name}", undo=f"DROP TYPE {sql(made)}")


def named(names: Iterable[str], session: Session) -> Name:
    found = list(names)
    return session.resolve(Name(found[-2] if len(found) > 1 else "", found[-1]))


def parts(node: Any) -> Iterator[str]:
    if node.schemaname:
        yield node.schemaname
    yield node.relname


def permanent(node: Any) -> Name:
    if node.relpersistence == "t":
        raise NoWayBack("it is gone when the session ends", "an ordinary table")
    return relation(node)


def sql(name: Name) -> str:
    return f"{quoted(name.schema)}.{quoted(name.name)}"


def described(column: Any) -> AddedColumn:
    kinds = {enum_name(item.constraint, "contype"): item.constraint for item in column.constraints}
    default = expression_text(kinds["CONSTR_DEFAULT"].raw_expr) if "CONSTR_DEFAULT" in kinds else None
    given = None if default == "NULL" else default
    return AddedColumn(column.colname, type_text(column.type_name), "CONSTR_NOTNULL" in kinds, given)


BY_KIND: dict[str, Callable[[Any, Session], Effect]] = {
    "create_stmt": create_table,
    "index_stmt": create_index,
    "alter_table_stmt": alter_table,
    "comment_stmt": comment,
    "insert_stmt": insert,
    "view_stmt": create_view,
    "create_function_stmt": create_function,
    "create_schema_stmt": create_schema,
    "create_seq_stmt": create_sequence,
    "create_enum_stmt": lambda node, session: create_type(strings(node.type_name), session),
    "create_range_stmt": lambda node, session: create_type(strings(node.type_name), session),
    "composite_type_stmt": lambda node, session: create_type(parts(node.typevar), session),
}
