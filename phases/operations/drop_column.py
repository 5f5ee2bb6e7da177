"""Drop a column while old writers and readers still use it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, Constraint, ConstraintKind, Table
from phases.dialects.base import Change, Changes, Dialect
from phases.dual_write import NullFill
from phases.errors import Refused
from phases.model import Step
from phases.operations.base import (
    Operation,
    Steps,
    Touch,
    check_expression,
    check_no_dependents,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    reads,
)
from phases.sql import identifier


@dataclass(frozen=True)
class DropColumn(Operation):
    """Drop a column.

    Expand makes it optional for writers that no longer know it. The contract
    renames it away, the purge drops it.

    Args:
        table: exact name of the table.
        column: exact name of the column.
        fill: SQL expression over the other columns: what old readers find in
            rows written without the column. Required where it is NOT NULL without
            a default; `"NULL"` says that old readers can bear NULL.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    column: str
    fill: str | None = None
    schema: str | None = None

    def describe(self) -> str:
        return f"drop column {self.table}.{self.column}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.name(self.table, self.schema)
        return Touch(table, self.column), *reads(table, self.fill if self._filled else None, dialect)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "DropColumn")
        column = table.column(self.column)
        check_not_written(table, (self.column,), "DropColumn names")
        check_no_dependents(table, self.column, "dropping")
        self._check_parts(table)
        if len(table.columns) == 1:
            raise Refused(f'"{self.column}" is the only column of "{table.name}"', remedy="drop the table")
        if column.not_null and not self._fills_itself(column) and self.fill is None:
            raise Refused(
                f'"{self.column}" is NOT NULL and has no default: writers that no longer know it would fail,'
                " and nothing says what old readers find in their rows",
                remedy='add fill="<expression>", or fill="NULL" if old readers can bear NULL',
            )
        if self._filled:
            check_expression(self._fill, table, dialect, "fill")
            check_not_written(table, sorted(dialect.expressions.columns(self._fill)), "fill reads")
            check_trigger_order(table)

    def _check_parts(self, table: Table) -> None:
        if self.column in table.primary_key():
            raise Refused(f'"{self.column}" is part of the primary key of "{table.name}"')
        for key in table.incoming:
            if self.column in key.columns:
                raise Refused(
                    f'foreign key "{key.constraint}" of "{key.table}" references "{table.name}"."{self.column}"',
                    remedy="drop that foreign key in an earlier revision",
                )
        for constraint in table.constraints:
            shared = self.column in constraint.columns and len(constraint.columns) > 1
            if shared:
                raise Refused(
                    f'constraint "{constraint.name}" of "{table.name}" also covers other columns'
                    f" ({', '.join(constraint.columns)}) and would go with the column",
                    remedy="drop or replace it in an earlier revision",
                )
        for index in table.indexes:
            if self.column in index.columns and len(index.columns) > 1 and index.constraint is None:
                raise Refused(
                    f'index "{index.name}" of "{table.name}" also covers other columns'
                    f" ({', '.join(index.columns)}) and would go with the column",
                    remedy=f'drop it first, in the same revision: DropIndex("{index.name}")',
                )

    @staticmethod
    def _fills_itself(column: Column) -> bool:
        return column.default is not None or column.sequence is not None or column.generated is not None

    @property
    def _filled(self) -> bool:
        return self.fill is not None and self.fill.strip().upper() != "NULL"

    @property
    def _fill(self) -> str:
        return self.fill or "NULL"

    def _link(self, table: Table) -> NullFill:
        return NullFill(table.name, self.column, table.column(self.column), self._fill)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        column, target = table.column(self.column), f"{self.table}.{self.column}"
        if self._filled:
            undo = dialect.together(f"stop filling {target}", dialect.drop_null_fill(self._link(table)))
            changes = dialect.null_fill(self._link(table))
            return (dialect.together(f"fill {target} for old readers", changes, undo=(undo,)),)
        if self.fill is not None and column.not_null:
            changes = dialect.drop_not_null(table.name, self.column)
            required = dialect.require_values(table.name, column)
            return (dialect.together(f"make {target} optional", changes, undo=required),)
        return ()

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        keys = [c for c in table.constraints if self.column in c.columns and c.kind is ConstraintKind.FOREIGN]
        steps: list[Step] = []
        for key in keys:
            added = dialect.add_constraint(table.name, key, key.name, key.definition)
            undo = [dialect.together(f"declare foreign key {key.name}", added)]
            if key.validated:
                validated = dialect.validate_constraint(table.name, key.name)
                undo.append(dialect.together(f"validate foreign key {key.name}", validated, scans=True))
            dropped = dialect.drop_constraint(table.name, key)
            steps.append(dialect.together(f"drop foreign key {key.name}", dropped, undo=undo))
        quarantine = dialect.together(
            f"quarantine {self.table}.{self.column}",
            self._put_aside(table, dialect),
            undo=self._restore(table, dialect),
        )
        return (*steps, quarantine)

    def _quarantined(self, table: Table) -> str:
        return names.quarantine(table.name.schema, table.name.name, "dropped", self.column)

    def _put_aside(self, table: Table, dialect: Dialect) -> Changes:
        name, column = table.name, table.column(self.column)
        changes: list[Change] = []
        if self._filled:
            changes += dialect.drop_null_fill(self._link(table))
        for constraint in self._judging(table):
            changes += dialect.drop_constraint(name, constraint)
        for index in table.indexes:
            if self.column in index.columns and index.unique and index.constraint is None:
                changes += dialect.drop_index_inside(name, index)
        if self._still_required(column):
            changes += dialect.drop_not_null(name, self.column)
        return (*changes, *dialect.rename_column(name, self.column, self._quarantined(table)))

    def _still_required(self, column: Column) -> bool:
        optional = self.fill is not None and not self._filled
        return column.not_null and not optional and not self._fills_itself(column)

    def _judging(self, table: Table) -> list[Constraint]:
        return [c for c in table.constraints if self.column in c.columns and c.kind is not ConstraintKind.FOREIGN]

    def _restore(self, table: Table, dialect: Dialect) -> Steps:
        """Bring the column back: named again at once, then filled, then judged again."""
        name, column = table.name, table.column(self.column)
        target, missing = f"{self.table}.{self.column}", f"{identifier(self.column)} IS NULL"
        back = [*dialect.rename_column(name, self._quarantined(table), self.column)]
        if self._filled:
            back += dialect.null_fill(self._link(table))
        steps: list[Step] = [dialect.together(f"bring back {target}", back)]
        if self._filled:
            steps.append(dialect.fill(table, {self.column: self._fill}, missing, target=target))
        for index in table.indexes:
            if self.column in index.columns and index.unique:
                steps.append(dialect.build_index(name, index.name, index.definition, undo=False))
        for constraint in self._judging(table):
            steps += self._judge_again(table, constraint, dialect)
        if self._still_required(column):
            steps += dialect.require_values(name, column)
        return tuple(steps)

    def _judge_again(self, table: Table, constraint: Constraint, dialect: Dialect) -> list[Step]:
        name = constraint.name
        if constraint.kind is ConstraintKind.UNIQUE:
            attach = dialect.attach_index(table.name, constraint, name, name)
            return [dialect.together(f"attach unique constraint {name}", attach)]
        added = dialect.add_constraint(table.name, constraint, name, constraint.definition)
        steps = [dialect.together(f"declare {constraint.kind} {name}", added)]
        if constraint.validated:
            validated = dialect.validate_constraint(table.name, name)
            steps.append(dialect.together(f"validate {constraint.kind} {name}", validated, scans=True))
        return steps

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        changes = dialect.drop_column(table.name, self._quarantined(table))
        return (dialect.together(f"drop quarantined {self.table}.{self.column}", changes),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        columns = tuple(c for c in table.columns if c.name != self.column)
        return catalog.with_table(replace(table, columns=columns, leaving=(*table.leaving, self.column)))
