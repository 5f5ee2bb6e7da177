"""Demand values of a column, or stop demanding them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases.catalog import Catalog, Table
from phases.dialects.base import Dialect
from phases.dual_write import NullFill
from phases.errors import Refused
from phases.model import Step
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    reads,
    row_key_text,
    without_undo,
)
from phases.sql import identifier, qualified


@dataclass(frozen=True)
class SetNotNull(Operation):
    """Demand a value in every row.

    With `fill` rows without a value get one, from a trigger while old writers
    are there and from the backfill; a row it fails for, or has no value for, stays NULL
    and keeps the contract shut. Without it nothing but the contract changes: old writers
    may write NULL until they are gone.

    Args:
        table: exact name of the table.
        column: exact name of the column.
        fill: SQL expression over the table's other columns: what stands in for NULL.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    column: str
    fill: str | None = None
    schema: str | None = None

    def describe(self) -> str:
        return f"set {self.table}.{self.column} NOT NULL"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        return Touch(table, self.column), *reads(table, self.fill, dialect)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "SetNotNull")
        column = table.column(self.column)
        check_not_written(table, (self.column,), "SetNotNull names")
        if column.not_null:
            raise Refused(f'"{self.column}" of "{table.name}" is NOT NULL already')
        if column.generated is not None:
            raise Refused(f'"{self.column}" of "{table.name}" is a generated column')
        if self.fill is not None:
            check_expression(self.fill, table, dialect, "fill")
            check_not_written(table, sorted(dialect.expressions.columns(self.fill)), "fill reads")
            check_trigger_order(table)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        missing = f"{identifier(self.column)} IS NULL"
        condition = missing if self.fill is None else f"{missing} AND ({self.fill}) IS NULL"
        sql = f"SELECT {row_key_text(table, dialect)} FROM {qualified(table.name)} WHERE {condition} LIMIT 5"
        needed = (Touch(table.name, self.column), *reads(table.name, self.fill, dialect))
        if self.fill is None:
            problem = f'rows of "{table.name}" have no value in "{self.column}", and nothing says which they get'
            # A constraint that is only declared refuses any UPDATE of such a row: nothing later may find them.
            return (Precheck(sql, problem, 'add fill="<expression>"', needed),)
        problem = f'fill gives NULL for rows of "{table.name}"'
        remedy = f'write fill="coalesce({self.fill}, …)"'
        return (Precheck(sql, problem, remedy, needed, asks="fill"),)

    def _link(self, table: Table) -> NullFill | None:
        if self.fill is None:
            return None
        return NullFill(table.name, self.column, table.column(self.column), self.fill)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        link = self._link(table)
        if link is None:
            return ()
        name = f"{self.table}.{self.column}"
        undo = dialect.together(f"stop filling {name}", dialect.drop_null_fill(link))
        return (dialect.together(f"fill {name}", dialect.null_fill(link), undo=(undo,)),)

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        if self.fill is None:
            return ()
        table = catalog.table(self.table, self.schema)
        target, missing = f"{self.table}.{self.column}", f"{identifier(self.column)} IS NULL"
        filled = dialect.fill(table, {self.column: self.fill}, missing, target=target)
        return without_undo((filled, self._verified(table, dialect)))

    def _verified(self, table: Table, dialect: Dialect) -> Step:
        missing, fault = f"{identifier(self.column)} IS NULL", f'have no value in "{self.column}"'
        return dialect.verify(table, missing, target=f"{self.table}.{self.column}", fault=fault)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        # Once declared it refuses any UPDATE of a row without a value, so such rows are looked for first.
        required = (
            self._verified(table, dialect),
            *dialect.require_values(table.name, table.column(self.column)),
        )
        link = self._link(table)
        if link is None:
            return required
        name = f"{self.table}.{self.column}"
        undo = dialect.together(f"fill {name} again", dialect.null_fill(link))
        return (*required, dialect.together(f"stop filling {name}", dialect.drop_null_fill(link), undo=(undo,)))

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        written = () if self.fill is None else (self.column,)
        return changed_column(catalog, self.table, self.schema, self.column, not_null=True, written=written)

    def inverse(self) -> tuple[Operation, ...]:
        return (DropNotNull(self.table, self.column, schema=self.schema),)


@dataclass(frozen=True)
class DropNotNull(Operation):
    """Allow NULL in a column: at once, so that the new version may write it from its first moment.

    Old readers must be able to bear NULL before the new version is released.

    Args:
        table: exact name of the table.
        column: exact name of the column.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    column: str
    schema: str | None = None

    def describe(self) -> str:
        return f"allow NULL in {self.table}.{self.column}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return (Touch(catalog.name(self.table, self.schema), self.column),)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "DropNotNull")
        column = table.column(self.column)
        check_not_written(table, (self.column,), "DropNotNull names")
        if not column.not_null:
            raise Refused(f'"{self.column}" of "{table.name}" allows NULL already')
        if self.column in table.primary_key():
            raise Refused(f'"{self.column}" is part of the primary key of "{table.name}"')
        if column.sequence is not None and column.sequence.identity is not None:
            raise Refused(f'"{self.column}" of "{table.name}" is an identity column, which is always NOT NULL')

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        undo = dialect.require_values(table.name, table.column(self.column))
        changes = dialect.drop_not_null(table.name, table.column(self.column))
        return (dialect.together(f"allow NULL in {self.table}.{self.column}", changes, undo=undo),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        return changed_column(catalog, self.table, self.schema, self.column, not_null=False)

    def inverse(self) -> tuple[Operation, ...]:
        return (SetNotNull(self.table, self.column, schema=self.schema),)


def changed_column(
    catalog: Catalog, table: str, schema: str | None, column: str, *, not_null: bool, written: tuple[str, ...] = ()
) -> Catalog:
    """The catalog with one column that demands values, or does not."""
    found = catalog.table(table, schema)
    columns = tuple(replace(c, not_null=not_null) if c.name == column else c for c in found.columns)
    return catalog.with_table(replace(found, columns=columns, written=(*found.written, *written)))
