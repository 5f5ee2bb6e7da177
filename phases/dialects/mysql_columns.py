"""Columns and constraints of MySQL and MariaDB that cannot be changed, refused before anything is touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from phases.catalog import Catalog, Column, ConstraintKind, Table
from phases.dialects.mysql_backfill import base_type, key_of
from phases.dialects.mysql_constraints import covers
from phases.dialects.mysql_limits import (
    COLLATED,
    UNINDEXABLE,
    check_column,
    found,
    quiet,
    refuse_alike,
    refuse_attached,
    refuse_rebuild,
    refuse_slow_indexes,
)
from phases.dialects.mysql_statements import literal
from phases.dialects.mysql_types import labels, unsigned
from phases.errors import Refused

if TYPE_CHECKING:
    from phases.dialects.mysql import MySQL

UNMAPPABLE = {
    "timestamp": "which each session reads in its own time zone",
    "float": "which holds another value than what was computed",
}
"""Types of which a trigger and a comparison would not see the same value, and why."""


def admit(operation: object, catalog: Catalog, dialect: MySQL) -> None:
    """Refuse an operation on columns that these servers cannot carry out.

    Raises:
        Refused: with the reason, and what to do instead.
    """
    check = CHECKS.get(type(operation).__name__)
    if check is not None:
        check(operation, catalog, dialect)


def admit_transform(operation: Any, catalog: Catalog, dialect: MySQL) -> None:
    table = found(operation, catalog)
    if table is None:
        return
    olds = [table.column(name) for name in operation.old if table.has_column(name)]
    for column in olds:
        refuse_mapped(table, column)
        refuse_attached(table, column.name, "TransformColumns", follows=quiet)
    for column in operation.new:
        refuse_alike(table, column.name)
        refuse_type(column.name, dialect.type_name(dialect.type_text(column.type)))
    if any(column.not_null for column in olds) or not all(column.nullable for column in operation.new):
        refuse_rebuild(table)
    key_of(table)


def admit_change_type(operation: Any, catalog: Catalog, dialect: MySQL) -> None:
    table = found(operation, catalog)
    if table is None or operation.to is None or not table.has_column(operation.column):
        return
    column, type_ = table.column(operation.column), dialect.type_name(dialect.type_text(operation.type))
    refuse_alike(table, operation.to)
    refuse_type(operation.to, type_)
    refuse_mapped(table, column)
    refuse_attached(table, column.name, "ChangeType")
    refuse_slow_indexes(table, column.name)
    for index in table.indexes:
        if column.name not in index.columns:
            continue
        if base_type(type_) in UNINDEXABLE:
            check_column(operation.to, type_, True, dialect)
        if not index.plain_key and not (base_type(type_) in COLLATED and base_type(column.type) in COLLATED):
            raise Refused(
                f'index "{index.name}" of "{table.name}" has the beginning of "{column.name}", or an expression',
                remedy=f'drop it first, in the same revision: DropIndex("{index.name}")',
            )
    if column.not_null:
        refuse_rebuild(table)
    key_of(table)


def refuse_mapped(table: Table, column: Column) -> None:
    """Refuse a column that cannot be made of others by triggers."""
    refuse_type(column.name, column.type)
    if column.sequence is not None or column.options:
        is_ = "AUTO_INCREMENT" if column.sequence else column.options[0]
        raise Refused(
            f'"{column.name}" of "{table.name}" is {is_}, which no second column can be',
            remedy="do it in a maintenance window",
        )


def refuse_type(name: str, type_: str) -> None:
    if reason := UNMAPPABLE.get(base_type(type_)):
        raise Refused(
            f'"{name}" is of type {type_}, {reason}: no expression can keep it in step with another column',
            remedy="write both columns in the application, and fill the rows with Backfill",
        )


def admit_add_foreign_key(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table, other = found(operation, catalog), referenced(operation, catalog)
    given = {action.upper() for action in (operation.on_delete, operation.on_update) if action}
    if "SET DEFAULT" in given:
        raise Refused("InnoDB has no SET DEFAULT for a foreign key", remedy="leave it out, or write SET NULL")
    if table is None or other is None:
        return
    pairs = zip(operation.columns, operation.to_columns, strict=False)
    for mine, theirs in ((table.column(a), other.column(b)) for a, b in pairs):
        refuse_unlike(table, mine, theirs, other)
        if "SET NULL" in given and mine.not_null:
            raise Refused(f'"{mine.name}" of "{table.name}" is NOT NULL: SET NULL could not be', remedy="leave it out")
        if mine.name in table.written and given & {"SET NULL", "CASCADE"}:
            raise Refused(
                f'"{mine.name}" of "{table.name}" is written by triggers, which no foreign key fires',
                remedy="add the foreign key in a later revision, once this one is contracted",
            )
    key_of(table)


def referenced(operation: Any, catalog: Catalog) -> Table | None:
    return catalog.tables.get(catalog.name(operation.to, operation.to_schema or operation.schema))


def refuse_unlike(table: Table, mine: Column, theirs: Column, other: Table) -> None:
    """Refuse columns that a foreign key cannot compare."""
    alike = base_type(mine.type) == base_type(theirs.type) and unsigned(mine.type) == unsigned(theirs.type)
    if not alike or (base_type(mine.type) == "decimal" and mine.type != theirs.type):
        raise Refused(
            f'"{mine.name}" of "{table.name}" is of type {mine.type}, and "{theirs.name}" of "{other.name}" of type'
            f" {theirs.type}: the server wants one type for both",
            remedy=f'change one of them first: ChangeType("{table.name.name}", "{mine.name}", "{theirs.type}", to="…")',
        )


def admit_add_unique(operation: Any, catalog: Catalog, dialect: MySQL) -> None:
    table = found(operation, catalog)
    for name in operation.columns if table else ():
        if table is not None and table.has_column(name):
            check_column(name, table.column(name).type, True, dialect)
    if table is not None:
        refuse_clustering(table, operation.columns)


def admit_create_index(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is not None and operation.unique:
        refuse_clustering(table, operation.columns)


def refuse_clustering(table: Table, columns: Sequence[str]) -> None:
    """Refuse a unique index in whose order the server would keep the rows: nothing but a copy takes it back."""
    required = all(table.has_column(name) and table.column(name).not_null for name in columns)
    if not table.row_key() and required:
        raise Refused(
            f'"{table.name}" has no key: the server would keep its rows in the order of this one, and could not drop'
            " it again",
            remedy="do it for good: RunSQL with ALTER TABLE … ADD PRIMARY KEY (…), ALGORITHM=INPLACE, LOCK=NONE",
        )


def admit_drop_constraint(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    if table is None:
        return
    for constraint in table.constraints:
        if constraint.name == operation.name and constraint.kind is ConstraintKind.CHECK:
            raise Refused(
                f'check "{constraint.name}" of "{table.name}" could not be brought back: the server copies the table',
                remedy=f"drop it for good: RunSQL(contract='ALTER TABLE {operation.table} DROP CONSTRAINT"
                f' {constraint.name}\', restore="")',
            )
        if constraint.name == operation.name and constraint.kind is ConstraintKind.FOREIGN:
            key_of(table)
            return  # its index has its name, and stays
    refuse_needed(table, operation.name)


def admit_drop_index(operation: Any, catalog: Catalog, _: MySQL) -> None:
    for table in catalog.tables.values():
        refuse_needed(table, operation.index)


def refuse_needed(table: Table, name: str) -> None:
    """Refuse an index without which a foreign key of its table cannot be."""
    if not any(index.name == name for index in table.indexes):
        return
    others = [index for index in table.indexes if index.name != name]
    if table.row_key() and not replace(table, indexes=tuple(others)).row_key():
        raise Refused(
            f'"{table.name}" has no other key than "{name}", in whose order the server keeps its rows',
            remedy="give it a primary key first: RunSQL with ALTER TABLE … ADD PRIMARY KEY (…), ALGORITHM=INPLACE,"
            " LOCK=NONE",
        )
    for key in (c for c in table.constraints if c.kind is ConstraintKind.FOREIGN):
        if not any(covers(index, key.columns) for index in others):
            raise Refused(
                f'foreign key "{key.name}" of "{table.name}" needs index "{name}"',
                remedy=f'build another one before: CreateIndex("{table.name.name}", {list(key.columns)})',
            )


def admit_rename_constraint(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = found(operation, catalog)
    kept = (ConstraintKind.CHECK, ConstraintKind.PRIMARY)
    for constraint in table.constraints if table else ():
        if constraint.name == operation.old and constraint.kind in kept:
            raise Refused(
                f'{constraint.kind} "{constraint.name}" cannot be renamed: the server has no statement for it',
                remedy="keep its name",
            )


def admit_rename_table(operation: Any, catalog: Catalog, _: MySQL) -> None:
    table = catalog.tables.get(catalog.name(operation.old, operation.schema))
    if table is None:
        return
    if table.readers:
        raise Refused(
            f'{", ".join(table.readers)} would go on naming "{table.name}", which is another name then',
            remedy="drop it in an earlier revision, and create it again after the contract",
        )
    hidden = [column.name for column in table.columns if "INVISIBLE" in column.options]
    if hidden:
        raise Refused(
            f'"{hidden[0]}" of "{table.name}" is INVISIBLE, which no column of a view is',
            remedy="rename the table in a maintenance window",
        )


def refuse_enum_type(operation: Any, catalog: Catalog, _: MySQL) -> None:
    """Refuse a change of a type with a name, and say what changes the columns instead."""
    what = type(operation).__name__
    columns = [(t, c) for t in catalog.tables.values() for c in t.columns if base_type(c.type) == "enum"]
    named = [(table, column) for table, column in columns if column.name == operation.type] or columns
    if what != "AddEnumValue" or operation.before or not named:
        remedy = "write the table again with the other values: RebuildTable(…, types={…}, up={…}, down={…})"
    else:
        value = literal(operation.value)
        written = (
            f"{t.name.name}.{c.name}: {widened(t, c, value)}" for t, c in named[:3] if value not in labels(c.type)
        )
        remedy = "; ".join(written) or "the value is there already: leave it out"
    raise Refused(
        f"{what}: {catalog.server} has no enum types with names, each column has its own values", remedy=remedy
    )


def widened(table: Table, column: Column, value: str) -> str:
    type_ = f"enum({','.join([*labels(column.type), value])})"
    return f'ChangeType("{table.name.name}", "{column.name}", "{type_}")'


CHECKS: Mapping[str, Any] = {
    **dict.fromkeys(("AddEnumValue", "RenameEnumValue", "RemoveEnumValue"), refuse_enum_type),
    "RenameTable": admit_rename_table,
    "TransformColumns": admit_transform,
    "ChangeType": admit_change_type,
    "AddForeignKey": admit_add_foreign_key,
    "AddUnique": admit_add_unique,
    "CreateIndex": admit_create_index,
    "DropConstraint": admit_drop_constraint,
    "DropIndex": admit_drop_index,
    "RenameConstraint": admit_rename_constraint,
}
