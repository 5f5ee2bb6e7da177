"""Rename what statements seldom name: indexes and constraints."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases.catalog import Catalog, Index, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import TableName
from phases.operations.base import (
    Operation,
    Steps,
    Touch,
    check_index_free,
    check_name,
    check_not_written,
    check_ordinary,
    check_stays,
)
from phases.operations.constraints import check_free, constraints_of, find_constraint, index_of
from phases.operations.indexes import find_index


def with_renamed_index(catalog: Catalog, table: Table, index: Index, renamed: Index) -> Catalog:
    """The catalog in which an index of a table has another name."""
    indexes = tuple(renamed if i is index else i for i in table.indexes)
    changed = catalog.with_table(replace(table, indexes=indexes))
    return replace(changed, relations=changed.relations - {TableName(index.schema, index.name)})


@dataclass(frozen=True)
class RenameIndex(Operation):
    """Rename an index, at once: no statement of an application names one.

    Hints in comments (`pg_hint_plan`) do: give them both names first.

    Args:
        old: exact name of the index.
        new: exact name it gets.
        schema: its schema; the connection's default where not given.
    """

    old: str
    new: str
    schema: str | None = None

    def describe(self) -> str:
        return f"rename index {self.old} to {self.new}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table, _ = find_index(catalog, self.old, self.schema)
        return tuple(Touch(table.name, f"index {name}") for name in (self.old, self.new))

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table, index = find_index(catalog, self.old, self.schema)
        check_ordinary(table, "RenameIndex")
        check_name(self.new, dialect, "index")
        check_index_free(catalog, self.new, index.schema)
        check_not_written(table, index.columns, f'"{self.old}" covers')
        check_stays(table, index.columns, f'"{self.old}" covers')
        if index.constraint is not None:
            raise Refused(
                f'index "{index.name}" serves the constraint "{index.constraint}" and has its name',
                remedy=f'rename both: RenameConstraint("{table.name.name}", "{index.constraint}", "{self.new}")',
            )

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table, _ = find_index(catalog, self.old, self.schema)
        back = dialect.rename_index(table.name, self.new, self.old)
        undo = dialect.together(f"rename index {self.new} to {self.old}", back)
        changes = dialect.rename_index(table.name, self.old, self.new)
        return (dialect.together(self.describe(), changes, undo=(undo,)),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table, index = find_index(catalog, self.old, self.schema)
        return with_renamed_index(catalog, table, index, replace(index, name=self.new))

    def inverse(self) -> tuple[Operation, ...]:
        return (RenameIndex(self.new, self.old, schema=self.schema),)


@dataclass(frozen=True)
class RenameConstraint(Operation):
    """Rename a constraint, in the contract; its index, where it has one, goes with it.

    It can have one name at a time, and the old version counts on the one it
    knows: in `ON CONFLICT ON CONSTRAINT`, in `SET CONSTRAINTS`, in the name it
    looks for in an error. The new version lives to see both, so it must name
    neither (`ON CONFLICT (columns)`) or bear both.

    Args:
        table: exact name of the table.
        old: exact name of the constraint.
        new: exact name it gets.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    old: str
    new: str
    schema: str | None = None

    def describe(self) -> str:
        return f"rename constraint {self.table}.{self.old} to {self.new}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.table(self.table, self.schema)
        covered = [c.columns for c in constraints_of(table, dialect) if c.name == self.old]
        names = (f"{kind} {name}" for kind in ("constraint", "index") for name in (self.old, self.new))
        return tuple(
            Touch(table.name, part) for part in (*names, *(column for columns in covered for column in columns))
        )

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        constraint = find_constraint(table, self.old, dialect)
        check_ordinary(table, "RenameConstraint")
        check_free(table, self.new, dialect, in_contract=True)
        check_not_written(table, constraint.columns, f'"{self.old}" covers')
        check_stays(table, constraint.columns, f'"{self.old}" covers')
        full = TableName(table.name.schema, self.new)
        if index_of(table, constraint) is not None and full not in catalog.leaving:
            check_index_free(catalog, self.new, table.name.schema)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        table = catalog.table(self.table, self.schema)
        constraint = find_constraint(table, self.old, dialect)
        back = dialect.rename_constraint(table.name, self.new, self.old, constraint)
        undo = dialect.together(f"rename constraint {self.table}.{self.new} to {self.old}", back)
        changes = dialect.rename_constraint(table.name, self.old, self.new, constraint)
        return (dialect.together(self.describe(), changes, undo=(undo,)),)

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        table = catalog.table(self.table, self.schema)
        constraint = find_constraint(table, self.old, dialect)
        index = index_of(table, constraint)
        renamed = replace(constraint, name=self.new, index=self.new if index is not None else constraint.index)
        constraints = tuple(renamed if c is constraint else c for c in table.constraints)
        changed = replace(table, constraints=constraints, leaving_constraints=(*table.leaving_constraints, self.old))
        if index is None:
            return catalog.with_table(changed)
        served = self.new if index.constraint is not None else None
        after = with_renamed_index(catalog, changed, index, replace(index, name=self.new, constraint=served))
        leaving = TableName(index.schema, index.name)
        return replace(after, relations=after.relations | {leaving}, leaving=after.leaving | {leaving})

    def inverse(self) -> tuple[Operation, ...]:
        return (RenameConstraint(self.table, self.new, self.old, schema=self.schema),)
