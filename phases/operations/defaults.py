"""Set and drop the default of a column."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases.catalog import Catalog, Column, Table, Volatility
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.operations.add_column import check_default
from phases.operations.base import Operation, Steps, Touch, check_not_written, check_ordinary


@dataclass(frozen=True)
class SetDefault(Operation):
    """Give a column a default, in expand: whoever gives nothing gets it from then on, old writers included.

    Rows that are there stay as they are.

    Args:
        table: exact name of the table.
        column: exact name of the column.
        default: SQL expression without columns.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    column: str
    default: str
    schema: str | None = None

    def describe(self) -> str:
        return f"set the default of {self.table}.{self.column}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return (Touch(catalog.name(self.table, self.schema), self.column),)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "SetDefault")
        check_plain(table, self.column)
        check_default(self.default, dialect)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        column = table.column(self.column)
        former, name = column.default, f"the default of {self.table}.{self.column}"
        if former is None:
            back = dialect.drop_default(table.name, column)
        else:
            back = dialect.set_default(table.name, column, former)
        undo = dialect.together(f"put back {name}", back)
        changes = dialect.set_default(table.name, column, self.default)
        return (dialect.together(f"set {name}", changes, undo=(undo,)),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        return with_default(catalog, catalog.table(self.table, self.schema), self.column, self.default, dialect)


@dataclass(frozen=True)
class DropDefault(Operation):
    """Take the default of a column away, in the contract: old writers may count on it until they are gone.

    Args:
        table: exact name of the table.
        column: exact name of the column.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    column: str
    schema: str | None = None

    def describe(self) -> str:
        return f"drop the default of {self.table}.{self.column}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return (Touch(catalog.name(self.table, self.schema), self.column),)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "DropDefault")
        if check_plain(table, self.column).default is None:
            raise Refused(f'"{self.column}" of "{table.name}" has no default')

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        column = table.column(self.column)
        former, name = str(column.default), f"the default of {self.table}.{self.column}"
        undo = dialect.together(f"put back {name}", dialect.set_default(table.name, column, former))
        changes = dialect.drop_default(table.name, column)
        return (dialect.together(f"drop {name}", changes, undo=(undo,)),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        return with_default(catalog, catalog.table(self.table, self.schema), self.column, None, dialect)


def check_plain(table: Table, name: str) -> Column:
    """Refuse columns whose value comes from somewhere else."""
    column = table.column(name)
    check_not_written(table, (name,), "the operation names")
    if column.generated is not None or column.sequence is not None:
        kind = "a generated column" if column.generated is not None else "fed by a sequence"
        raise Refused(f'"{name}" of "{table.name}" is {kind}')
    return column


def with_default(catalog: Catalog, table: Table, name: str, default: str | None, dialect: Dialect) -> Catalog:
    volatility = dialect.volatility(default) if default is not None else Volatility.IMMUTABLE
    changed = replace(table.column(name), default=default, default_volatility=volatility)
    columns = tuple(changed if column.name == name else column for column in table.columns)
    return catalog.with_table(replace(table, columns=columns))
