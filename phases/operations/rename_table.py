"""Rename a table that two versions use under two names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.catalog import Catalog, Server, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import TableName
from phases.operations.base import (
    RENAMED,
    Operation,
    Precheck,
    Steps,
    Touch,
    check_name,
    check_ordinary,
    check_table_free,
    mentions,
    one_or_many,
)

INVOKER_SINCE = (15, 0)


@dataclass(frozen=True)
class RenameTable(Operation):
    """Rename a table.

    Expand puts a view of the table under the new name, with the table's owner,
    privileges and comments; rows go through it both ways, defaults, generated
    and identity columns, `RETURNING`, `ON CONFLICT (columns)`, `FOR UPDATE` and
    `LOCK` included. The contract drops the view and gives the table its name,
    in one transaction. Indexes, constraints and sequences keep theirs. What is
    granted to or revoked from the table meanwhile has to be on the view as well.

    Until the contract the new version must do without what no view can:
    `COPY … FROM` and `TRUNCATE`, `ON CONFLICT ON CONSTRAINT`, `GROUP BY` of the
    primary key alone, `ctid`, `xmin` and `tableoid`, `TABLESAMPLE`,
    `WHERE CURRENT OF`, `pg_get_serial_sequence`, and before PostgreSQL 17
    `MERGE INTO`. `COPY (SELECT …) TO` works.

    Args:
        old: exact name of the table.
        new: exact name it gets.
        functions: functions whose text has the old name, as `"schema.function"`: you
            give them the new one between expand and contract, or it means something else.
        schema: schema of the table; the connection's default where not given.
    """

    old: str
    new: str
    functions: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", one_or_many(self.functions))

    def describe(self) -> str:
        return f"rename table {self.old} to {self.new}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        old, new = self._names(catalog)
        found = [Touch(old), Touch(new)]
        for name in (old, new):
            for key in catalog.tables[name].incoming if name in catalog.tables else ():
                # The steps of an operation on this foreign key would name the table by one of its names.
                other = catalog.tables[key.table]
                columns = [c.columns for c in other.constraints if c.name == key.constraint]
                found.append(Touch(key.table, f"constraint {key.constraint}"))
                found += [Touch(key.table, column) for covered in columns for column in covered]
        return tuple(found)

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def _names(self, catalog: Catalog) -> tuple[TableName, TableName]:
        return catalog.name(self.old, self.schema), catalog.name(self.new, self.schema)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.old, self.schema)
        check_ordinary(table, "RenameTable")
        check_name(self.new, dialect, "table")
        check_table_free(catalog, catalog.name(self.new, self.schema))
        if table.row_security:
            self._check_row_security(table, catalog.server)

    @staticmethod
    def _check_row_security(table: Table, server: Server) -> None:
        if server.version < INVOKER_SINCE:
            raise Refused(
                f'"{table.name}" has row level security, and a view on {server} asks only for the rights of its owner',
                remedy="rename it on PostgreSQL 15 or later, or in a maintenance window",
            )
        if partial := table.partial_readers():
            raise Refused(
                f'"{table.name}" has row level security, and {", ".join(partial)} may not read all its columns,'
                " which a view that heeds it demands",
                remedy="grant SELECT on the table first, or rename it in a maintenance window",
            )

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.name(self.old, self.schema)
        published = Precheck(
            dialect.published(table),
            f'"{table}" is published, and subscribers know it by its name',
            "take it out of the publication first, or rename it here and there in a maintenance window",
        )
        granted = Precheck(
            dialect.granted_apart(table, self._names(catalog)[1]),
            f'some may use "{table}", and not "{self.new}"',
            "grant the same on the whole database, or rename the table in a maintenance window",
        )
        return (
            published,
            granted,
            mentions(table, self.functions, dialect, "give them the new name before the contract"),
        )

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.old, self.schema)
        _, new = self._names(catalog)
        undo = dialect.together(f"drop view {self.new}", dialect.drop_view(new))
        made = dialect.create_view(new, table)
        return (dialect.together(f"create view {self.new} of {self.old}", made, undo=(undo,)),)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return dialect.swap_view(self._names(catalog)[1], catalog.table(self.old, self.schema))

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.old, self.schema)
        old, new = self._names(catalog)
        # Both names are taken, and neither is of a table for other operations, until the contract is done.
        without = replace(catalog.without_table(old), relations=catalog.relations)
        return without.with_table(replace(table, name=new, kind=RENAMED))

    def inverse(self) -> tuple[Operation, ...]:
        return (RenameTable(self.new, self.old, self.functions, schema=self.schema),)
