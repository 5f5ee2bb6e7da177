"""Drop a table that only the old version uses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Constraint, ConstraintKind, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import Step, TableName
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_ordinary,
    mentions,
    one_or_many,
)
from phases.operations.constraints import declared

YIELDING = ("CASCADE", "SET NULL")
"""What foreign keys do that let a referenced row be deleted."""


@dataclass(frozen=True)
class DropTable(Operation):
    """Drop a table.

    Nothing is done before the contract, which renames it away; the purge drops
    it, and its rows with it. Until then foreign keys with `ON DELETE CASCADE` and
    `SET NULL` keep it in step with the rows it references; others are dropped
    before it is renamed away, and checked again by a restore.

    Args:
        table: exact name of the table.
        keeps_referenced: True says that the new version deletes no rows that rows of this
            table reference, and changes no key of them: the foreign key would refuse it.
        functions: functions whose text has the name, as `"schema.function"`: nobody calls
            them after the contract, or it means something else.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    keeps_referenced: bool = False
    functions: Sequence[str] = ()
    schema: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", one_or_many(self.functions))

    def describe(self) -> str:
        return f"drop table {self.table}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return (Touch(catalog.name(self.table, self.schema)),)

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        return self.touches(catalog, dialect)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "DropTable")
        if table.readers:
            raise Refused(
                f'dropping "{table.name}" would break {", ".join(table.readers)}',
                remedy="drop or rewrite them in an earlier revision; nothing is ever dropped with CASCADE",
            )
        self._check_incoming(table)
        for key in () if self.keeps_referenced else self._refusing(table):
            raise Refused(
                f'foreign key "{key.name}" of "{table.name}" keeps writers that no longer know the table from'
                f' deleting rows of "{key.references}"',
                remedy="add keeps_referenced=True if they delete none, or in an earlier revision"
                f' DropConstraint("{self.table}", "{key.name}")',
            )

    def _check_incoming(self, table: Table) -> None:
        for key in table.incoming:
            if key.table == table.name:
                continue
            remedy = f'drop that table first, in the same revision, or DropConstraint("{key.table.name}", ' + (
                f'"{key.constraint}") in an earlier one'
            )
            if key.table.name.startswith(names.QUARANTINE_PREFIX):
                remedy = "it waits for its purge: migrator apply --phase purge"
            raise Refused(
                f'foreign key "{key.constraint}" of "{key.table}" references "{table.name}": writers that no longer'
                " know the table could not insert rows",
                remedy=remedy,
            )

    @staticmethod
    def _keys(table: Table) -> list[Constraint]:
        """Foreign keys to other tables."""
        return [c for c in table.constraints if c.kind is ConstraintKind.FOREIGN and c.references != table.name]

    def _refusing(self, table: Table) -> list[Constraint]:
        return [key for key in self._keys(table) if key.on_delete not in YIELDING]

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        table = catalog.name(self.table, self.schema)
        return (mentions(table, self.functions, dialect, "rewrite them"),)

    def _quarantined(self, table: Table) -> str:
        return names.quarantine(table.name.schema, table.name.name)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        aside = TableName(table.name.schema, self._quarantined(table))
        steps: list[Step] = []
        for key in self._refusing(table):
            back = declared(dialect, table, key)
            steps_back = (*dialect.support(table, key), *(back if key.validated else back[:1]))
            undo = tuple(replace(step, undo=()) for step in steps_back)
            steps.append(
                dialect.together(f"drop foreign key {key.name}", dialect.drop_constraint(table.name, key), undo=undo)
            )
        undo = (dialect.together(f"bring back table {self.table}", dialect.rename_table(aside, self.table)),)
        changes = dialect.rename_table(table.name, aside.name)
        return (*steps, dialect.together(f"quarantine table {self.table}", changes, undo=undo))

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        aside = TableName(table.name.schema, self._quarantined(table))
        # Each leaves triggers on the table it references: one lock on a table in use at a time.
        # That table may have got another name since, so no statement has it.
        dropped = [
            dialect.together(f"drop foreign key {key.name} to {key.references}", dialect.drop_key_aside(aside, key))
            for key in self._keys(table)
            if key.on_delete in YIELDING
        ]
        return (
            *dropped,
            dialect.together(f"drop quarantined table {self.table} and its rows", dialect.drop_table(aside)),
        )

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        name = catalog.name(self.table, self.schema)
        tables = {
            other.name: replace(other, incoming=tuple(key for key in other.incoming if key.table != name))
            for other in catalog.tables.values()
            if other.name != name
        }
        # The name stays taken until the contract is done.
        return replace(catalog, tables=tables)
