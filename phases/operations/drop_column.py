"""Drop a column while old writers and readers still use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.catalog import Catalog, Table
from phases.dialects.base import Dialect
from phases.dual_write import NullFill, has_identity
from phases.errors import Refused
from phases.model import Step
from phases.operations.base import (
    Operation,
    Precheck,
    Steps,
    Touch,
    check_expression,
    check_no_dependents,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    column_mentions,
    one_or_many,
    reads,
)
from phases.operations.leaving import Leaving, fills_itself
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
            a default; `"NULL"` says that old readers can bear NULL. They find NULL, too, where it
            fails or has no value.
        schema: schema of the table; the connection's default where not given.
        functions: functions that name the column, as `"schema.function"`: you see to it that
            they can do without it before the contract.
    """

    table: str
    column: str
    fill: str | None = None
    schema: str | None = None
    functions: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "functions", one_or_many(self.functions))

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
        self._leaving(table, dialect).validate()
        if column.not_null and not fills_itself(column) and self.fill is None:
            raise Refused(
                f'"{self.column}" is NOT NULL and has no default: writers that no longer know it would fail,'
                " and nothing says what old readers find in their rows",
                remedy='add fill="<expression>", or fill="NULL" if old readers can bear NULL',
            )
        if self._filled:
            check_expression(self._fill, table, dialect, "fill")
            check_not_written(table, sorted(dialect.expressions.columns(self._fill)), "fill reads")
            check_trigger_order(table)

    def prechecks(self, catalog: Catalog, dialect: Dialect) -> tuple[Precheck, ...]:
        name, remedy = catalog.name(self.table, self.schema), "make them do without it before the contract"
        return (column_mentions(name, (self.column,), self.functions, dialect, remedy),)

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
        steps: list[Step] = []
        if self.fill is not None and column.not_null and not has_identity(column):
            # An expression may have no value for a row, or fail: the writer's statement must not.
            changes = dialect.drop_not_null(table.name, column)
            missing, fault = f"{identifier(self.column)} IS NULL", f'have no value in "{self.column}"'
            checked = dialect.verify(table, missing, target=target, fault=fault)
            required = (checked, *dialect.require_values(table.name, column))
            steps.append(dialect.together(f"make {target} optional", changes, undo=required))
        if self._filled:
            undo = dialect.together(f"stop filling {target}", dialect.drop_null_fill(self._link(table)))
            changes = dialect.null_fill(self._link(table))
            steps.append(dialect.together(f"fill {target} for old readers", changes, undo=(undo,)))
        return tuple(steps)

    def _leaving(self, table: Table, dialect: Dialect) -> Leaving:
        return Leaving(dialect, table, (self.column,), (self.column,) if self.fill is not None else ())

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        leaving = self._leaving(table, dialect)
        stopped = dialect.drop_null_fill(self._link(table)) if self._filled else ()
        quarantine = dialect.together(
            f"quarantine {self.table}.{self.column}",
            (*stopped, *leaving.put_aside()),
            undo=self._restore(table, dialect),
        )
        return (*leaving.release_keys(), quarantine)

    def _restore(self, table: Table, dialect: Dialect) -> Steps:
        """Bring the column back: named again at once, then filled, then judged again."""
        leaving, target = self._leaving(table, dialect), f"{self.table}.{self.column}"
        back, missing = leaving.bring_back(), f"{identifier(self.column)} IS NULL"
        if not self._filled:
            return (dialect.together(f"bring back {target}", back), *leaving.judge_again())
        return (
            dialect.together(f"bring back {target}", (*back, *dialect.null_fill(self._link(table)))),
            dialect.fill(table, {self.column: self._fill}, missing, target=target),
            *leaving.judge_again(),
        )

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return self._leaving(catalog.table(self.table, self.schema), dialect).purge()

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        columns = tuple(c for c in table.columns if c.name != self.column)
        return catalog.with_table(replace(table, columns=columns, leaving=(*table.leaving, self.column)))
