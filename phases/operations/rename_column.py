"""Rename a column while both names are in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.catalog import Catalog
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_new_column,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    column_mentions,
    one_or_many,
)
from phases.operations.dependents import Dependents
from phases.operations.replacing import Replacement, bare
from phases.sql import identifier


@dataclass(frozen=True)
class RenameColumn(Operation):
    """Rename `table.old` to `table.new`.

    A second column is added and kept equal to the first by triggers, filled,
    given the same indexes and constraints, and compared row by row. At the
    contract the old column is renamed away, at the purge dropped. Views, policies
    and statistics that read it read the other one from the contract on; a view's
    own column keeps its name.

    Args:
        table: exact name of the table.
        old: exact name of the column.
        new: its next name.
        schema: schema of the table; the connection's default where not given.
        null_on_insert: `"default"` for a nullable column whose default differs
            from call to call: an INSERT that gives NULL for the new name then
            gets the default, because it cannot be told from one that gives nothing.
        functions: functions that name the column, as `"schema.function"`: you give them the
            other name between migrate and contract. Until then a trigger before a row finds
            what a statement writes under the name that the statement has.
    """

    table: str
    old: str
    new: str
    schema: str | None = None
    null_on_insert: str | None = None
    functions: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", one_or_many(self.functions))

    def describe(self) -> str:
        return f"rename column {self.table}.{self.old} to {self.new}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        table = catalog.tables.get(name)
        covering = [f"index {i.name}" for i in table.indexes if self.old in i.columns] if table else []
        covering += [f"constraint {c.name}" for c in table.constraints if self.old in c.columns] if table else []
        own = tuple(Touch(name, part) for part in (self.old, self.new, *covering))
        return (*own, *self.alone(catalog, dialect))

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.tables.get(catalog.name(self.table, self.schema))
        return Dependents(catalog, dialect, table, self.old, renamed=True).touches() if table else ()

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "RenameColumn")
        table.column(self.old)
        check_not_written(table, (self.old,), "RenameColumn names")
        check_new_column(table, self.new, dialect)
        if self.old in table.primary_key():
            raise Refused(
                f'"{table.name}"."{self.old}" is part of the primary key',
                remedy="rename columns of a primary key in a maintenance window, or keep the name",
            )
        replacement = self._replacement(catalog, dialect)
        replacement.dependents.validate("renaming")
        replacement.validate(self.null_on_insert)
        check_trigger_order(table)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        name, remedy = catalog.name(self.table, self.schema), "give them the other name after migrate"
        return (column_mentions(name, (self.old,), self.functions, dialect, remedy),)

    def _replacement(self, catalog: Catalog, dialect: Dialect) -> Replacement:
        table = catalog.table(self.table, self.schema)
        column = table.column(self.old)
        return Replacement(
            catalog, dialect, table, self.old, bare(column, self.new), identifier(self.old), identifier(self.new)
        )

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._replacement(catalog, dialect).expand()

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._replacement(catalog, dialect).migrate()

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._replacement(catalog, dialect).contract()

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._replacement(catalog, dialect).purge()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        return self._replacement(catalog, dialect).outcome()

    def inverse(self) -> tuple[Operation, ...]:
        return (replace(self, old=self.new, new=self.old),)
