"""Which columns are of an enum type, and which operations have to keep out of its way."""

from __future__ import annotations

import re
from collections.abc import Mapping

from phases.catalog import Catalog
from phases.model import TableName
from phases.names import PREFIX
from phases.operations.base import Touch

PART = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\s".\[\]()]+))\s*')


def enum_of(catalog: Catalog, type_: str) -> TableName | None:
    """The enum type that the text of a type names, or has in an array; None where it is another type.

    A name without a schema is looked for in the default one.
    """
    text, parts = re.sub(r"(\s*\[\d*\])+\s*$", "", type_), []
    while found := PART.match(text):
        quoted, plain = found.groups()
        parts.append(quoted.replace('""', '"') if quoted else plain.lower())
        text = text[found.end() :]
        if not text.startswith("."):
            break
        text = text[1:]
    if text or not 1 <= len(parts) <= 2:
        return None
    name = catalog.name(parts[-1], parts[0] if len(parts) == 2 else None)
    return name if name in catalog.enums else None


def typed_touches(catalog: Catalog, table: TableName, types: Mapping[str, str]) -> tuple[Touch, ...]:
    """What new columns claim of their types: none may change while no trigger of the change is on them.

    Args:
        types: text of the type by column.
    """
    named = ((column, enum_of(catalog, type_)) for column, type_ in types.items())
    return tuple(Touch(enum, f"column {table}.{column}", uses=True) for column, enum in named if enum)


def columns_of(catalog: Catalog, enum: TableName) -> tuple[tuple[TableName, str], ...]:
    """Columns that hold values of an enum type, without what waits to be purged."""
    return tuple(
        (table.name, column.name)
        for table in catalog.tables.values()
        if table.kind not in ("view", "materialized view") and not table.name.name.startswith(PREFIX)
        for column in table.columns
        if not column.name.startswith(PREFIX) and enum_of(catalog, column.type) == enum
    )
