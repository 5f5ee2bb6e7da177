"""Columns and constraints of MySQL and MariaDB that cannot be changed, refused before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from phases.catalog import Catalog, Column, Constraint, ConstraintKind, Table
from phases.dialects.mysql_backfill import base_type, key_of
from phases.dialects.mysql_limits import (
    COLLATED,
    UNINDEXABLE,
    check_column,
    found,
    refuse_alike,
    refuse_rebuild,
    refuse_slow_indexes,
)
from phases.errors import Refused

if TYPE_CHECKING:
    from phases.dialects.mysql import MySQL

UNMAPPABLE = {
    "timestamp": "which each session reads in its own time zone",
    "float": "which holds another value than what was computed",
}
"""Types of which a trigger and a comparison would not see the same value, and why."""
WRITES_ROWS = re.compile(r"ON (?:DELETE|UPDATE) (?:SET|CASCADE)", re.I)


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
        refuse_mapped(table, column, "TransformColumns")
    for column in operation.new:
        refuse_alike(table, column.name)
        refuse_type(column.name, dialect.type_name(dialect.type_text(column.type)))
    if any(column.not_null for column in olds) or not all(column.nullable for column in operation.new):
        refuse_rebuild(table)
    key_of(table)


def admit_change_type(operation: Any, catalog: Catalog, dialect: MySQL) -> None:
    table = found(operation, catalog)
    if table is None or not table.has_column(operation.column):
        return
    if operation.to is None:
        raise Refused(
            f"ChangeType of a column that keeps its name is not there yet for {catalog.server}",
            remedy=f'give the other column a name of its own: to="{operation.column}_2"',
        )
    column, type_ = table.column(operation.column), dialect.type_name(dialect.type_text(operation.type))
    refuse_alike(table, operation.to)
    refuse_type(operation.to, type_)
    refuse_mapped(table, column, "ChangeType")
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


def refuse_mapped(table: Table, column: Column, what: str) -> None:
    """Refuse a column that cannot be made of others by triggers."""
    refuse_type(column.name, column.type)
    if column.sequence is not None or column.options:
        is_ = "AUTO_INCREMENT" if column.sequence else column.options[0]
        raise Refused(
            f'"{column.name}" of "{table.name}" is {is_}, which no second column can be',
            remedy="do it in a maintenance window",
        )
    for constraint in covering(table, column.name):
        refuse_constraint(table, column.name, constraint, what)


def refuse_type(name: str, type_: str) -> None:
    if reason := UNMAPPABLE.get(base_type(type_)):
        raise Refused(
            f'"{name}" is of type {type_}, {reason}: no expression can keep it in step with another column',
            remedy="write both columns in the application, and fill the rows with Backfill",
        )


def covering(table: Table, column: str) -> Iterable[Constraint]:
    kinds = (ConstraintKind.FOREIGN, ConstraintKind.CHECK)
    return (c for c in table.constraints if column in c.columns and c.kind in kinds)


def refuse_constraint(table: Table, column: str, constraint: Constraint, what: str) -> None:
    drop = "DROP FOREIGN KEY" if constraint.kind is ConstraintKind.FOREIGN else "DROP CONSTRAINT"
    raise Refused(
        f'{what}: {constraint.kind} "{constraint.name}" of "{table.name}" is about "{column}"',
        remedy=f"drop it in an earlier revision: RunSQL with ALTER TABLE … {drop} {constraint.name}",
    )


CHECKS: Mapping[str, Any] = {"TransformColumns": admit_transform, "ChangeType": admit_change_type}
