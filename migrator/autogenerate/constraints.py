"""Indexes and constraints that come and go."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from alembic.operations import ops

from migrator.autogenerate import tables, words
from migrator.autogenerate.rendering import Call, Proposal, call_of
from migrator.autogenerate.types import compiled
from phases.operations import (
    AddCheck,
    AddForeignKey,
    AddUnique,
    CreateIndex,
    DropConstraint,
    DropIndex,
    Operation,
    Todo,
)
from phases.sql import identifier

if TYPE_CHECKING:
    pass

KNOWN_OPTIONS = frozenset({"postgresql_using", "postgresql_where", "postgresql_include"})


def name_of(op: Any) -> str | None:
    """The exact name of an index or a constraint; None where the server chooses."""
    if isinstance(op, ops.CreateIndexOp):
        return tables.final_name(op.to_index())
    if isinstance(op, ops.DropIndexOp):
        return op.index_name
    if isinstance(op, ops.DropConstraintOp):
        return None if op.constraint_name is None else str(op.constraint_name)
    return tables.final_name(op.to_constraint())


def replaced(found: Sequence[ops.MigrateOperation]) -> frozenset[str]:
    """Names that leave and come back with another definition."""
    leaving = {name_of(op) for op in found if isinstance(op, ops.DropIndexOp | ops.DropConstraintOp)}
    coming = {name_of(op) for op in found if isinstance(op, ops.CreateIndexOp | ops.AddConstraintOp)}
    return frozenset(name for name in leaving & coming if name is not None)


def proposed(op: Any, twice: frozenset[str], default: str) -> Proposal | None:
    """One index or constraint.

    Args:
        twice: names that leave and come back. Both exist for a while, so one of them needs another name.
        default: the schema of names that are given none.
    """
    name = name_of(op)
    made = creation(op, default) if isinstance(op, ops.CreateIndexOp | ops.AddConstraintOp) else removal(op)
    if name not in twice:
        return made
    if isinstance(op, ops.DropIndexOp | ops.DropConstraintOp):
        return None  # said with the one that comes
    index = isinstance(op, ops.CreateIndexOp)
    drop = DropIndex(str(name), schema=op.schema) if index else DropConstraint(table_of(op), str(name), schema_of(op))
    other = renamed(made.operation, f"{name}_2")
    return Proposal(
        Todo(f"{name} is defined otherwise in the models: give that one another name there, or leave it"),
        "The former and the next one are there side by side for a while:",
        (*([call_of(other)] if other else made.candidates), call_of(drop)),
    )


def renamed(operation: Operation, name: str) -> Operation | None:
    from dataclasses import replace

    if isinstance(operation, CreateIndex | AddUnique | AddForeignKey | AddCheck):
        return replace(operation, name=name)
    return None


def table_of(op: Any) -> str:
    return str(op.source_table if isinstance(op, ops.CreateForeignKeyOp) else op.table_name)


def schema_of(op: Any) -> str | None:
    found = op.kw.get("source_schema") if isinstance(op, ops.CreateForeignKeyOp) else op.schema
    return None if found is None else str(found)


def removal(op: Any) -> Proposal:
    if isinstance(op, ops.DropIndexOp):
        return Proposal(DropIndex(str(op.index_name), schema=op.schema))
    if op.constraint_type == "unique" and not words.is_postgresql():
        return Proposal(DropIndex(str(op.constraint_name), schema=op.schema))
    return Proposal(DropConstraint(op.table_name, str(op.constraint_name), schema=op.schema))


def creation(op: Any, default: str) -> Proposal:
    table, schema, name = table_of(op), tables.unless(default, schema_of(op)), name_of(op)
    match op:
        case ops.CreateIndexOp():
            return new_index(op)
        case ops.CreateUniqueConstraintOp() if not words.is_postgresql():  # the index is the constraint
            return Proposal(CreateIndex(table, list(op.columns), name=name, unique=True, schema=schema))
        case ops.CreateUniqueConstraintOp() if not any(op.kw.values()):
            return Proposal(AddUnique(table, list(op.columns), name=name, schema=schema))
        case ops.CreateCheckConstraintOp():
            return Proposal(AddCheck(table, compiled(op.to_constraint().sqltext), name=name, schema=schema))
        case ops.CreateForeignKeyOp():
            return new_foreign_key(op, default)
    return as_sql(op)


def new_foreign_key(op: ops.CreateForeignKeyOp, default: str) -> Proposal:
    if any(op.kw.get(word) for word in ("deferrable", "initially", "match")):
        return as_sql(op)
    schema, to_schema = tables.schemas(op.kw.get("source_schema"), op.kw.get("referent_schema"), default)
    return Proposal(
        AddForeignKey(
            op.source_table,
            op.local_cols,
            op.referent_table,
            op.remote_cols,
            on_delete=op.kw.get("ondelete"),
            on_update=op.kw.get("onupdate"),
            name=name_of(op),
            schema=schema,
            to_schema=to_schema,
        )
    )


def as_sql(op: Any) -> Proposal:
    """A constraint with options that no operation has words for."""
    text = tables.sentence(op.to_constraint())
    table = ".".join(identifier(part) for part in (schema_of(op), table_of(op)) if part)
    name = identifier(name_of(op) or "…")
    return Proposal(
        Todo(f"add to {table_of(op)}: {text}"),
        "There is no operation that says all of it; as SQL, for a small table:",
        (
            Call.of(
                "RunSQL",
                expand=f"ALTER TABLE {table} ADD {text}",
                undo=f"ALTER TABLE {table} DROP CONSTRAINT {name}",
            ),
        ),
    )


def new_index(op: ops.CreateIndexOp) -> Proposal:
    keys = [key_text(expression) for expression in op.columns]
    given = words.own_options(op.kw)
    odd = sorted(set(given) - KNOWN_OPTIONS)
    if odd or None in keys:
        return odd_index(op, odd[0] if odd else "an order of its keys")
    where = given.get("postgresql_where")
    include = [getattr(column, "name", column) for column in given.get("postgresql_include") or ()]
    return Proposal(
        CreateIndex(
            op.table_name,
            [key for key in keys if key is not None],
            name=name_of(op),
            unique=bool(op.unique),
            where=compiled(where) if where is not None and not isinstance(where, str) else where,
            using=given.get("postgresql_using") or "btree",
            include=include,
            schema=op.schema,
        )
    )


def key_text(expression: Any) -> str | None:
    """A key as `CreateIndex` takes it: a column's name, or an expression in parentheses; None for an ordered one."""
    import sqlalchemy as sa
    from sqlalchemy.sql import operators
    from sqlalchemy.sql.elements import UnaryExpression

    if isinstance(expression, str):
        return expression
    if isinstance(expression, sa.Column):
        return str(expression.name)
    ordering = (operators.desc_op, operators.asc_op, operators.nulls_first_op, operators.nulls_last_op)
    if isinstance(expression, UnaryExpression) and expression.modifier in ordering:
        return None
    text = compiled(expression)
    return None if text != without_order(text) else f"({text})"


def without_order(key: str) -> str:
    """The expression of a key, without the order it may be given."""
    return re.sub(r"(?i)(\s+(ASC|DESC))?(\s+NULLS\s+(FIRST|LAST))?\s*$", "", key)


def odd_index(op: ops.CreateIndexOp, what: str) -> Proposal:
    from sqlalchemy.schema import CreateIndex as Statement

    schema = f"{identifier(op.schema)}." if op.schema else ""
    text = " ".join(compiled(Statement(op.to_index())).split())
    return Proposal(
        Todo(f"create the index {name_of(op)}, which has {what}"),
        "CreateIndex cannot say that. As SQL, which keeps writers waiting while it is built:",
        (Call.of("RunSQL", expand=text, undo=f"DROP INDEX {schema}{identifier(str(name_of(op)))}"),),
    )
