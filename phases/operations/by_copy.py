"""Do by one copy of a table what a server would copy it for anyway, once for each change and behind a lock.

MySQL and MariaDB write a table again for another type under the same name, a CHECK or a primary key. What several
operations of a revision ask of one table is done with one copy, and what would be an online rebuild of its own (NOT
NULL) comes along: it costs nothing more there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from phases.catalog import Catalog
from phases.dialects.base import Dialect
from phases.operations.base import Operation
from phases.operations.change_key_type import ChangePrimaryKeyType
from phases.operations.change_type import ChangeType
from phases.operations.constraints import AddCheck
from phases.operations.nulls import SetNotNull
from phases.operations.primary_key import AddPrimaryKey
from phases.operations.rebuild_table import RebuildTable

Placed = tuple[Operation, int]
"""An operation, and the place of the first one in the revision that it stands for."""


def by_copy(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> tuple[Placed, ...]:
    """The operations of a revision in the way that a server does them.

    Args:
        catalog: what the database looks like before the first.
    """
    found: list[Placed] = []
    for place, operation in enumerate(operations):
        made = rebuilt(operation, catalog, dialect) if dialect.needs_copy(operation, catalog) else operation
        known = next((i for i, (other, _) in enumerate(found) if same_table(other, made)), None)
        if known is None:
            found.append((made, place))
        else:
            first, where = found[known]
            assert isinstance(first, RebuildTable)
            assert isinstance(made, RebuildTable)
            found[known] = joined(first, made), where
    return tuple(folded(found))


def rebuilt(operation: Operation, catalog: Catalog, dialect: Dialect) -> RebuildTable:
    """The copy that does what an operation asks for.

    Raises:
        TypeError: no copy can.
    """
    match operation:
        case RebuildTable():
            return operation
        case ChangeType():
            name = operation.column
            up = {name: operation.up} if operation.up is not None else {}
            down = {name: operation.down} if operation.down is not None else {}
            return RebuildTable(
                operation.table, types={name: operation.type}, up=up, down=down, schema=operation.schema
            )
        case ChangePrimaryKeyType():
            return RebuildTable(operation.table, types={operation.column: operation.type}, schema=operation.schema)
        case AddCheck():
            checks = {operation.constraint_name(dialect): operation.check}
            return RebuildTable(operation.table, checks=checks, schema=operation.schema)
        case AddPrimaryKey():
            table = catalog.tables.get(catalog.name(operation.table, operation.schema))
            known = {column.name for column in table.columns if not column.not_null} if table else set()
            empty = [name for name in operation.columns if name in known]
            return RebuildTable(operation.table, primary_key=operation.columns, not_null=empty, schema=operation.schema)
    raise TypeError(f"{type(operation).__name__} is no matter of a copy")


def same_table(other: Operation, made: Operation) -> bool:
    both = isinstance(other, RebuildTable) and isinstance(made, RebuildTable)
    return both and place_of(other) == place_of(made)


def place_of(operation: Any) -> tuple[str, str | None]:
    return operation.table, operation.schema


def joined(first: RebuildTable, second: RebuildTable) -> RebuildTable:
    """Both with one copy; where both say something of the same, the second has the last word."""
    return replace(
        first,
        primary_key=second.primary_key or first.primary_key,
        types={**first.types, **second.types},
        up={**first.up, **second.up},
        down={**first.down, **second.down},
        not_null=tuple(dict.fromkeys((*first.not_null, *second.not_null))),
        checks={**first.checks, **second.checks},
        collation=second.collation or first.collation,
        row_format=second.row_format or first.row_format,
        partition_by=second.partition_by or first.partition_by,
    )


def folded(found: Sequence[Placed]) -> Iterator[Placed]:
    """Let NOT NULL come along with the copy of its table, where it fills nothing."""
    copies = {place_of(made): made for made, _ in found if isinstance(made, RebuildTable)}
    required: dict[Any, list[str]] = {}
    for operation, _ in found:
        if isinstance(operation, SetNotNull) and operation.fill is None and place_of(operation) in copies:
            required.setdefault(place_of(operation), []).append(operation.column)
    for operation, place in found:
        names = required.get(place_of(operation), []) if isinstance(operation, RebuildTable | SetNotNull) else []
        if isinstance(operation, RebuildTable) and names:
            not_null = tuple(dict.fromkeys((*operation.not_null, *names)))
            yield replace(operation, not_null=not_null), place
        elif not (isinstance(operation, SetNotNull) and operation.column in names):
            yield operation, place
