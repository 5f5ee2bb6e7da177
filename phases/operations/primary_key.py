"""Give a table a primary key while it is in use."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, Constraint, ConstraintKind, Index, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import Step
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_index_free,
    check_not_written,
    check_ordinary,
    one_or_many,
    row_key_text,
)
from phases.operations.constraints import check_free
from phases.operations.indexes import duplicates
from phases.sql import identifier, listed, qualified


@dataclass(frozen=True)
class AddPrimaryKey(Operation):
    """Make columns the primary key of a table that has none.

    Its index is built concurrently in expand and refuses equal rows from then
    on, whoever writes them. The contract compares all rows, demands values and
    makes it the key; old writers may write NULL until they are gone.

    Args:
        table: exact name of the table.
        columns: exact names.
        name: exact name; `<table>_pkey` where not given.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    columns: Sequence[str]
    name: str | None = None
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", one_or_many(self.columns))

    def describe(self) -> str:
        return f"make ({', '.join(self.columns)}) the primary key of {self.table}"

    @property
    def key_name(self) -> str:
        return self.name or names.composed(self.table, "pkey")

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        return *(Touch(table, column) for column in self.columns), Touch(table, f"constraint {self.key_name}")

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "AddPrimaryKey")
        if key := table.primary_key():
            raise Refused(
                f'"{table.name}" has a primary key: ({", ".join(key)})',
                remedy="AddUnique makes a second key; ChangePrimaryKeyType changes the type of this one",
            )
        if not self.columns:
            raise Refused("the primary key has no columns")
        for column in self.columns:
            table.column(column)
        check_not_written(table, self.columns, "AddPrimaryKey names")
        check_free(table, self.key_name, dialect)
        check_index_free(catalog, self.key_name, table.name.schema)

    def _optional(self, table: Table) -> Iterator[Column]:
        return (table.column(name) for name in self.columns if not table.column(name).not_null)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.table(self.table, self.schema)
        checks = [duplicates(table, self.columns, dialect)]
        for column in self._optional(table):
            condition = f"{identifier(column.name)} IS NULL"
            sql = f"SELECT {row_key_text(table, dialect)} FROM {qualified(table.name)} WHERE {condition} LIMIT 5"
            problem = f'rows of "{table.name}" have no value in "{column.name}"'
            needed = (Touch(table.name, column.name),)
            backstop = "the verification in the contract"
            checks.append(Precheck(sql, problem, "give them one first, with Backfill", needed, backstop=backstop))
        return tuple(checks)

    def _create(self, table: Table, dialect: Dialect) -> str:
        return dialect.index_statement(
            table.name, self.key_name, self.columns, unique=True, where=None, using="btree", include=()
        )

    def _constraint(self) -> Constraint:
        definition = f"PRIMARY KEY ({listed(self.columns)})"
        return Constraint(self.key_name, ConstraintKind.PRIMARY, definition, tuple(self.columns), index=self.key_name)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        return (dialect.build_index(table.name, self.key_name, self._create(table, dialect)),)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, constraint = catalog.table(self.table, self.schema), self._constraint()
        steps: list[Step] = []
        for column in self._optional(table):
            missing, fault = f"{identifier(column.name)} IS NULL", f'have no value in "{column.name}"'
            steps.append(dialect.verify(table, missing, target=f"{self.table}.{column.name}", fault=fault))
            steps += dialect.require_values(table.name, column)
        undo = (
            dialect.together(f"drop primary key {self.key_name}", dialect.drop_constraint(table.name, constraint)),
            dialect.build_index(table.name, self.key_name, self._create(table, dialect), undo=False),
        )
        attach = dialect.attach_index(table.name, constraint, self.key_name, self.key_name)
        steps.append(dialect.together(f"attach primary key {self.key_name}", attach, undo=undo))
        return tuple(steps)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, key = catalog.table(self.table, self.schema), tuple(self.columns)
        index = Index(
            table.name.schema,
            self.key_name,
            self._create(table, dialect),
            key,
            unique=True,
            constraint=self.key_name,
            plain_key=key,
        )
        columns = tuple(replace(c, not_null=c.not_null or c.name in key) for c in table.columns)
        constraints = (*table.constraints, self._constraint())
        changed = replace(table, columns=columns, constraints=constraints, indexes=(*table.indexes, index))
        return catalog.with_table(changed)
