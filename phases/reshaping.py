"""What changes for those who read or receive whole rows: two catalogs, compared."""

from __future__ import annotations

from phases.catalog import Catalog
from phases.model import TableName


def reshaped(before: Catalog, after: Catalog) -> tuple[TableName, ...]:
    """Tables that have columns of other names afterwards."""
    both = [(name, table, after.tables.get(name)) for name, table in before.tables.items()]
    return tuple(n for n, old, new in both if new and {c.name for c in old.columns} != {c.name for c in new.columns})


def subscribers(name: TableName, before: Catalog, after: Catalog) -> str:
    """What whoever is sent the changes of a table has to do about it."""
    old, new = before.tables[name], after.tables[name]
    coming = ", ".join(f'"{c.name}"' for c in new.columns if not old.has_column(c.name))
    going = ", ".join(f'"{c.name}"' for c in old.columns if not new.has_column(c.name))
    parts = [f"add {coming} to it in every subscriber before expand"] if coming else []
    parts += [f"let subscribers that have {going} bear that nothing comes for it after the contract"] if going else []
    return f'"{name}" is published by {", ".join(old.published)}: {"; ".join(parts)}'
