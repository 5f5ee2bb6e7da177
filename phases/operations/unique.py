"""Demand that no two rows are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Index, Table
from phases.dialects.base import Dialect
from phases.operations.base import Operation, Precheck, Steps, Touch, check_index_free, check_ordinary, one_or_many
from phases.operations.constraints import check_free
from phases.operations.indexes import duplicates
from phases.sql import listed


@dataclass(frozen=True)
class AddUnique(Operation):
    """Add a UNIQUE constraint.

    Its index is built concurrently in expand and refuses equal rows from then
    on, whoever writes them; the contract makes it a constraint.

    Args:
        table: exact name of the table.
        columns: exact names.
        name: exact name; `<table>_<columns>_key` where not given.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    columns: Sequence[str]
    name: str | None = None
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", one_or_many(self.columns))

    def describe(self) -> str:
        return f"make {self.table} ({', '.join(self.columns)}) unique"

    @property
    def key_name(self) -> str:
        return self.name or names.composed(self.table, *self.columns, "key")

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        return tuple(Touch(table, column) for column in self.columns)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "AddUnique")
        check_free(table, self.key_name, dialect)
        check_index_free(catalog, self.key_name, table.name.schema)
        for column in self.columns:
            table.column(column)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        return (duplicates(catalog.table(self.table, self.schema), self.columns, dialect),)

    def _create(self, table: Table, dialect: Dialect) -> str:
        return dialect.index_statement(
            table.name, self.key_name, self.columns, unique=True, where=None, using="btree", include=()
        )

    def _constraint(self) -> Constraint:
        definition = f"UNIQUE ({listed(self.columns)})"
        return Constraint(self.key_name, ConstraintKind.UNIQUE, definition, tuple(self.columns), index=self.key_name)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        return (dialect.build_index(table.name, self.key_name, self._create(table, dialect)),)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        if not dialect.attaches_unique:
            return ()
        table = catalog.table(self.table, self.schema)
        constraint = self._constraint()
        undo = (
            dialect.together(
                f"drop unique constraint {self.key_name}", dialect.drop_constraint(table.name, constraint)
            ),
            dialect.build_index(table.name, self.key_name, self._create(table, dialect), undo=False),
        )
        attach = dialect.attach_index(table.name, constraint, self.key_name, self.key_name)
        return (dialect.together(f"attach unique constraint {self.key_name}", attach, undo=undo),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, columns = catalog.table(self.table, self.schema), tuple(self.columns)
        create = self._create(table, dialect)
        index = Index(
            table.name.schema,
            self.key_name,
            create,
            columns,
            unique=True,
            constraint=self.key_name,
            plain_key=columns,
        )
        constraints = (*table.constraints, self._constraint())
        return catalog.with_table(replace(table, constraints=constraints, indexes=(*table.indexes, index)))
