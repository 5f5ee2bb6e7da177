"""Rename a column while both names are in use."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, Table
from phases.dialects.base import Changes, Dialect
from phases.dual_write import DualWrite
from phases.errors import Refused
from phases.operations.base import (
    Operation,
    Steps,
    Touch,
    check_new_column,
    check_no_dependents,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    without_undo,
)
from phases.operations.copies import ColumnCopy
from phases.sql import identifier


@dataclass(frozen=True)
class RenameColumn(Operation):
    """Rename `table.old` to `table.new`.

    A second column is added and kept equal to the first by triggers, filled,
    given the same indexes and constraints, and compared row by row. At the
    contract the old column is renamed away, at the purge dropped.

    Args:
        table: exact name of the table.
        old: exact name of the column.
        new: its next name.
        schema: schema of the table; the connection's default where not given.
        null_on_insert: `"default"` for a nullable column whose default differs
            from call to call: an INSERT that gives NULL for the new name then
            gets the default, because it cannot be told from one that gives nothing.
    """

    table: str
    old: str
    new: str
    schema: str | None = None
    null_on_insert: str | None = None

    def describe(self) -> str:
        return f"rename column {self.table}.{self.old} to {self.new}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        table = catalog.tables.get(name)
        covering = [f"index {i.name}" for i in table.indexes if self.old in i.columns] if table else []
        covering += [f"constraint {c.name}" for c in table.constraints if self.old in c.columns] if table else []
        return tuple(Touch(name, part) for part in (self.old, self.new, *covering))

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "RenameColumn")
        column = table.column(self.old)
        check_not_written(table, (self.old,), "RenameColumn names")
        check_new_column(table, self.new, dialect)
        check_no_dependents(table, self.old, "renaming")
        self._check_column(table, column)
        self._check_intent(self._link(table))
        self._copy(catalog, dialect).validate()
        check_trigger_order(table)

    def _check_column(self, table: Table, column: Column) -> None:
        where = f'"{table.name}"."{column.name}"'
        if column.generated is not None:
            raise Refused(f"{where} is a generated column", remedy="add a second generated column")
        if column.constrained_domain:
            raise Refused(
                f"{where} is of a domain with constraints ({column.type}): adding a second such column"
                " makes PostgreSQL rewrite the table under an exclusive lock",
                remedy="move the constraints of the domain to CHECK constraints of the table first",
            )
        if column.name in table.primary_key():
            raise Refused(
                f"{where} is part of the primary key",
                remedy="rename columns of a primary key in a maintenance window, or keep the name",
            )

    def _check_intent(self, link: DualWrite) -> None:
        column = link.old
        if self.null_on_insert not in (None, "default"):
            raise Refused(f'null_on_insert is "{self.null_on_insert}"; it can only be "default"')
        if link.default_is_unshareable and not column.not_null and self.null_on_insert is None:
            raise Refused(
                f'"{self.old}" is nullable and its default ({column.default}) gives another value each'
                " time, so an INSERT that means NULL cannot be told from one that gives nothing",
                remedy='say null_on_insert="default" if such a row may get the default',
            )

    def _copy(self, catalog: Catalog, dialect: Dialect) -> ColumnCopy:
        table = catalog.table(self.table, self.schema)
        return ColumnCopy(catalog, dialect, table, self.old, self.new)

    def _link(self, table: Table, *, fills_old: bool = False) -> DualWrite:
        column = table.column(self.old)
        return DualWrite(table.name, f"{self.old}.{self.new}", column, self.new, fills_old)

    def _shadow(self, column: Column) -> Column:
        return replace(column, name=self.new, not_null=False, not_null_name=None, default=None, sequence=None)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        column, link = table.column(self.old), self._link(table)
        changes = [
            *dialect.add_column(table.name, self._shadow(column)),
            *dialect.copy_column_properties(table.name, column, self.new),
            *dialect.dual_write(link),
        ]
        if link.shared_default is not None:
            # Set apart from ADD COLUMN: rows that are there must stay NULL to be seen as unfilled.
            changes += dialect.set_default(table.name, self.new, link.shared_default)
        undo = dialect.together(
            f"remove {self.table}.{self.new} and its dual write",
            (*dialect.drop_dual_write(link), *dialect.drop_column(table.name, self.new)),
        )
        name = f"add {self.table}.{self.new} and dual writes with {self.old}"
        return (dialect.together(name, changes, undo=(undo,)),)

    def _differs(self, column: Column, dialect: Dialect) -> str:
        return dialect.differs(column, identifier(self.old), identifier(self.new))

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        column = table.column(self.old)
        differs = self._differs(column, dialect)
        target = f"{self.table}.{self.new}"
        required = dialect.require_values(table.name, self._shadow(column)) if column.not_null else ()
        steps = (
            dialect.fill(table, {self.new: identifier(self.old)}, differs, target=target),
            *self._copy(catalog, dialect).build(),
            *required,
            dialect.verify(table, differs, target=target),
        )
        return without_undo(steps)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        copy = self._copy(catalog, dialect)
        switch = dialect.together(
            f"quarantine {self.table}.{self.old}",
            self._switch(catalog, dialect),
            undo=self._restore(catalog, dialect),
        )
        return (*copy.release_keys(), switch)

    def _switch(self, catalog: Catalog, dialect: Dialect) -> Changes:
        """Everything that makes the old name disappear, in one short transaction."""
        table = catalog.table(self.table, self.schema)
        name, column, link = table.name, table.column(self.old), self._link(table)
        shadow = replace(column, name=self.new)
        changes = [*dialect.drop_dual_write(link), *self._copy(catalog, dialect).switch()]
        changes += dialect.move_sequence(name, column, shadow)
        if column.default is not None:
            changes += dialect.drop_default(name, self.old)
            if link.shared_default is None:
                changes += dialect.set_default(name, self.new, column.default)
        if column.not_null:
            changes += dialect.drop_not_null(name, self.old)
        return (*changes, *dialect.rename_column(name, self.old, self._quarantined(table)))

    def _quarantined(self, table: Table) -> str:
        return names.quarantine(table.name.schema, table.name.name, self.new, self.old)

    def _restore(self, catalog: Catalog, dialect: Dialect) -> Steps:
        """Bring the old column back: writable at once, then filled with what was written meanwhile."""
        table = catalog.table(self.table, self.schema)
        column, copy = table.column(self.old), self._copy(catalog, dialect)
        differs, target = self._differs(column, dialect), f"{self.table}.{self.old}"
        required = dialect.require_values(table.name, column) if column.not_null else ()
        return (
            dialect.together(f"bring back {target}", self._bring_back(catalog, dialect)),
            dialect.fill(table, {self.old: identifier(self.new)}, differs, target=target),
            *copy.rebuild(),
            *required,
            dialect.together(f"settle dual writes of {target}", self._settle(table, dialect)),
            dialect.verify(table, differs, target=target),
        )

    def _bring_back(self, catalog: Catalog, dialect: Dialect) -> Changes:
        table = catalog.table(self.table, self.schema)
        name, column = table.name, table.column(self.old)
        link = self._link(table, fills_old=True)
        changes = [*dialect.rename_column(name, self._quarantined(table), self.old)]
        changes += self._copy(catalog, dialect).switch_back()
        if column.default is not None:
            changes += dialect.set_default(name, self.old, column.default)
            if link.shared_default is None:
                changes += dialect.drop_default(name, self.new)
        return (*changes, *dialect.dual_write(link))

    def _settle(self, table: Table, dialect: Dialect) -> Changes:
        column = table.column(self.old)
        moved = dialect.move_sequence(table.name, replace(column, name=self.new), column)
        return (*moved, *dialect.redirect_dual_write(self._link(table)))

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        changes = dialect.drop_column(table.name, self._quarantined(table))
        return (dialect.together(f"drop quarantined {self.table}.{self.old}", changes),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        columns = tuple(replace(c, name=self.new) if c.name == self.old else c for c in table.columns)
        leaving, mirrored = (*table.leaving, self.old), (*table.mirrored, self.new)
        after = replace(table, columns=columns, leaving=leaving, mirrored=mirrored)
        return catalog.with_table(replace(after, written=(*table.written, self.new)))

    def inverse(self) -> tuple[Operation, ...]:
        return (replace(self, old=self.new, new=self.old),)
