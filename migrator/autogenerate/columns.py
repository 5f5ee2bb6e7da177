"""Columns that come, go, or change."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from migrator.autogenerate import words
from migrator.autogenerate.rendering import Call, Proposal, call_of
from migrator.autogenerate.types import constant, ddl_compiler, default_text, type_text
from phases.operations import (
    AddColumn,
    DropColumn,
    DropDefault,
    DropNotNull,
    Operation,
    RunSQL,
    SetDefault,
    SetNotNull,
    Todo,
)
from phases.sql import identifier as quoted

if TYPE_CHECKING:
    import sqlalchemy as sa
    from alembic.operations import ops


def calls(*operations: Operation) -> tuple[Call, ...]:
    return tuple(call_of(operation) for operation in operations)


def added(op: ops.AddColumnOp) -> Proposal:
    """A column that the models have and the table has not."""
    import sqlalchemy as sa

    column, table, schema = op.column, op.table_name, op.schema
    target, type_, default = f"{table}.{column.name}", type_text(column.type), column.server_default
    made = AddColumn(table, column.name, type_, default=default_text(default), schema=schema, comment=column.comment)
    if isinstance(default, sa.Computed | sa.Identity):
        kind = "a generated column" if isinstance(default, sa.Computed) else "an identity column"
        return Proposal(
            Todo(f"add {target}, {kind}, which the server can only do by writing the table anew"),
            "For a small table, in a quiet hour:",
            calls(add_as_sql(op)),
        )
    if column.primary_key:
        return Proposal(Todo(f"add {target} to the primary key"), "There is no operation for it.", calls(made))
    if column.nullable or made.default is not None:
        return Proposal(changed(made, nullable=bool(column.nullable)))
    return Proposal(
        Todo(f"add {target}: which value do rows get that are written without it?"),
        "NOT NULL without a default. An expression over the other columns, a default, or NULL allowed:",
        calls(
            changed(made, nullable=False, fill=constant(column) or "…"),
            changed(made, nullable=False, default="…"),
            made,
        ),
    )


def changed(operation: AddColumn, **values: Any) -> AddColumn:
    from dataclasses import replace

    return replace(operation, **values)


def add_as_sql(op: ops.AddColumnOp) -> RunSQL:
    text = ddl_compiler().get_column_specification(op.column)
    table = ".".join(quoted(part) for part in (op.schema, op.table_name) if part)
    return RunSQL(
        expand=f"ALTER TABLE {table} ADD COLUMN {text}",
        undo=f"ALTER TABLE {table} DROP COLUMN {quoted(op.column.name)}",
    )


def removed(op: ops.DropColumnOp) -> Proposal:
    """A column that the table has and the models have not."""
    column, target = op.to_column(), f"{op.table_name}.{op.column_name}"
    made = DropColumn(op.table_name, op.column_name, schema=op.schema)
    if column.nullable or column.server_default is not None:
        return Proposal(made)
    return Proposal(
        Todo(f"drop {target}: what do old readers find in rows written without it?"),
        "NOT NULL without a default. An expression over the other columns, or NULL:",
        calls(
            DropColumn(op.table_name, op.column_name, fill="…", schema=op.schema),
            DropColumn(op.table_name, op.column_name, fill="NULL", schema=op.schema),
        ),
    )


def altered(op: ops.AlterColumnOp) -> Iterator[Proposal]:
    """Everything that differs in a column both have."""
    where = (op.table_name, op.column_name)
    if op.modify_type is not None:
        yield other_type(op)
    if op.modify_server_default is not False:
        yield other_default(op)
    if op.modify_nullable is True:
        yield Proposal(DropNotNull(*where, schema=op.schema))
    if op.modify_nullable is False:
        filled = SetNotNull(*where, fill="…", schema=op.schema)
        hint = "If there are rows without a value, or the old version may still write some:"
        yield Proposal(SetNotNull(*where, schema=op.schema), hint, calls(filled))
    if op.modify_comment is not False:
        yield other_comment(op)


def other_type(op: ops.AlterColumnOp) -> Proposal:
    before = type_text(op.existing_type) if op.existing_type is not None else "another type"
    after = type_text(op.modify_type)  # type: ignore[arg-type]
    schema = {"schema": op.schema} if op.schema else {}
    where = (op.table_name, op.column_name, after)
    return Proposal(
        Todo(f"change the type of {op.table_name}.{op.column_name} from {before} to {after}"),
        "If the values convert by themselves, or with expressions for there and back:",
        (Call.of("ChangeType", *where, **schema), Call.of("ChangeType", *where, up="…", down="…", **schema)),
    )


def other_default(op: ops.AlterColumnOp) -> Proposal:
    import sqlalchemy as sa

    where = (op.table_name, op.column_name)
    special = (sa.Identity, sa.Computed, sa.Sequence)
    if isinstance(op.modify_server_default, special) or isinstance(op.existing_server_default, special):
        return Proposal(
            Todo(f"change what feeds {'.'.join(where)}: an identity, a sequence or an expression"),
            "There is no operation for it; write its statements:",
            calls(RunSQL(expand="…", undo="…")),
        )
    text = default_text(op.modify_server_default)
    if text is None:
        return Proposal(DropDefault(*where, schema=op.schema))
    return Proposal(SetDefault(*where, text, schema=op.schema))


def other_comment(op: ops.AlterColumnOp) -> Proposal:
    table = ".".join(quoted(part) for part in (op.schema, op.table_name) if part)
    said = [words.commented(table, op.column_name, str(text) if text else None) for text in comments(op)]
    if all(said):
        return Proposal(RunSQL(expand=said[0], undo=said[1]))
    return Proposal(
        Todo(f"change the comment of {op.table_name}.{op.column_name}"),
        "All of the column has to be written for it:",
        calls(RunSQL(expand=f"ALTER TABLE {table} MODIFY COLUMN {quoted(op.column_name)} …", undo="…")),
    )


def comments(op: ops.AlterColumnOp) -> tuple[object, object]:
    return op.modify_comment, op.existing_comment


def same_type(old: sa.Column[Any], new: sa.Column[Any], impl: Any) -> bool:
    """Whether one column could be the other under another name."""
    return not impl.compare_type(old, new)
