"""A schema in a few lines: what `psql` shows with `\\d`, read through the catalog that plans are made from."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

from phases.catalog import Catalog, Column, Enum, Table

Schema = Mapping[str, tuple[str, ...]]
"""The lines of every table and type, by name."""


def schema_of(catalog: Catalog) -> Schema:
    """Describe the default schema, without Alembic's own table."""
    shown: dict[str, tuple[str, ...]] = {}
    for name, enum in sorted(catalog.enums.items(), key=lambda item: item[0].name):
        shown[f"type {name.name}"] = tuple(enum_lines(enum))
    for name, table in sorted(catalog.tables.items(), key=lambda item: item[0].name):
        if name.schema == catalog.default_schema and name.name != "alembic_version":
            lines = table_lines(table)
            shown[name.name] = tuple(line.replace(f"{name.schema}.", "") for line in lines)
    return shown


def enum_lines(enum: Enum) -> Iterator[str]:
    yield f"type {enum.name.name}"
    for label in enum.labels:
        yield f"    {label}"


def table_lines(table: Table) -> Iterator[str]:
    bound = f" of {table.parents[0].name} {table.bound}" if table.parents else ""
    yield f"{table.kind} {table.name.name}{bound}"
    for column in table.columns:
        yield f"    {column.name} {column_text(column)}"
    for constraint in sorted(table.constraints, key=lambda c: c.name):
        yield f"    constraint {constraint.name} {constraint.definition}"
    for index in sorted(table.indexes, key=lambda i: i.name):
        if index.constraint is None:
            unique = "unique index" if index.unique else "index"
            yield f"    {unique} {index.name} {index.definition.partition(' USING ')[2]}"
    for trigger in sorted(table.triggers, key=lambda t: t.name):
        yield f"    trigger {trigger.name}"


def column_text(column: Column) -> str:
    words = [column.type]
    if column.not_null:
        words.append("not null")
    if column.default is not None:
        words.append(f"default {column.default}")
    if column.sequence is not None and column.sequence.identity:
        words.append(f"generated {column.sequence.identity.lower()} as identity")
    if column.generated is not None:
        words.append(f"generated always as ({column.generated})")
    return " ".join(words)


def changed(schemas: list[Schema]) -> list[str]:
    """Names of what is not the same in all of these schemas."""
    names = sorted({name for schema in schemas for name in schema})
    return [name for name in names if len({schema.get(name) for schema in schemas}) > 1]


def difference(before: Schema, after: Schema, names: list[str]) -> str:
    """What was added and what is gone, line by line, around what stayed."""
    old = [line for name in names for line in before.get(name, ())]
    new = [line for name in names for line in after.get(name, ())]
    lines = difflib.unified_diff(old, new, lineterm="", n=len(old) + len(new))
    return "\n".join(list(lines)[3:] or [f" {line}" for line in old])
