"""Columns that leave a table: put aside in the contract with all that judges them, brought back by a restore."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Column, Constraint, ConstraintKind, Index, Table
from phases.dialects.base import Change, Changes, Dialect
from phases.errors import Refused
from phases.model import Step
from phases.operations.base import Steps


@dataclass(frozen=True)
class Leaving:
    """Columns of one table that go together.

    Args:
        dialect: of the server.
        table: the table as it was before.
        columns: exact names.
        optional: columns that do not demand values any more by the time they go.
    """

    dialect: Dialect
    table: Table
    columns: tuple[str, ...]
    optional: tuple[str, ...] = ()

    def validate(self) -> None:
        """Refuse what would take more than these columns with it.

        Raises:
            Refused: naming the key, constraint or index in the way.
        """
        table, going = self.table, set(self.columns)
        for column in self.columns:
            if column in table.primary_key():
                raise Refused(f'"{column}" is part of the primary key of "{table.name}"')
        for key in table.incoming:
            if shared := going & set(key.columns):
                raise Refused(
                    f'foreign key "{key.constraint}" of "{key.table}" references "{table.name}"."{min(shared)}"',
                    remedy="drop that foreign key in an earlier revision",
                )
        for constraint in table.constraints:
            if going & set(constraint.columns) and not set(constraint.columns) <= going:
                raise Refused(
                    f'constraint "{constraint.name}" of "{table.name}" also covers other columns'
                    f" ({', '.join(constraint.columns)}) and would go with the column",
                    remedy="drop or replace it in an earlier revision",
                )
        for index in table.indexes:
            if going & set(index.columns) and not set(index.columns) <= going and index.constraint is None:
                raise Refused(
                    f'index "{index.name}" of "{table.name}" also covers other columns'
                    f" ({', '.join(index.columns)}) and would go with the column",
                    remedy=f'drop it first, in the same revision: DropIndex("{index.name}")',
                )
        if len(going) == len(table.columns):
            raise Refused(f'"{table.name}" would have no column left', remedy="drop the table")

    def _named(self, column: str) -> str:
        return names.quarantine(self.table.name.schema, self.table.name.name, "dropped", column)

    def _on(self, part: Constraint | Index) -> bool:
        return bool(set(self.columns) & set(part.columns))

    def _judging(self) -> list[Constraint]:
        return [c for c in self.table.constraints if self._on(c) and c.kind is not ConstraintKind.FOREIGN]

    def _unique(self) -> list[Index]:
        return [i for i in self.table.indexes if self._on(i) and i.unique and i.constraint is None]

    def _required(self) -> list[Column]:
        own = [self.table.column(name) for name in self.columns if name not in self.optional]
        return [column for column in own if column.not_null and not fills_itself(column)]

    def release_keys(self) -> Steps:
        """First steps of the contract: drop foreign keys, each apart, because each locks a second table."""
        dialect, table = self.dialect, self.table.name
        steps: list[Step] = []
        for key in self.table.constraints:
            if not self._on(key) or key.kind is not ConstraintKind.FOREIGN:
                continue
            dropped = dialect.drop_constraint(table, key)
            steps.append(dialect.together(f"drop foreign key {key.name}", dropped, undo=self._declared(key)))
        return tuple(steps)

    def _declared(self, constraint: Constraint) -> list[Step]:
        dialect, table, name = self.dialect, self.table.name, constraint.name
        added = dialect.add_constraint(table, constraint, name, constraint.definition)
        needed = dialect.support(self.table, constraint) if constraint.kind is ConstraintKind.FOREIGN else ()
        steps = [*needed, dialect.together(f"declare {constraint.kind} {name}", added)]
        if constraint.validated:
            steps.append(dialect.prove(self.table, constraint, name))
        return steps

    def put_aside(self) -> Changes:
        """Rename the columns away, and drop what would refuse rows that are written without them."""
        return *self.make_optional(), *self.rename_away()

    def make_optional(self) -> Changes:
        """Drop what would refuse rows that are written without the columns."""
        dialect, name = self.dialect, self.table.name
        changes: list[Change] = []
        for constraint in self._judging():
            changes += dialect.drop_constraint(name, constraint)
        for index in self._unique():
            changes += dialect.drop_index_inside(name, index)
        for column in self._required():
            changes += dialect.drop_not_null(name, column)
        return tuple(changes)

    def rename_away(self) -> Changes:
        renamed = (self.dialect.rename_column(self.table.name, c, self._named(c)) for c in self.columns)
        return tuple(change for changes in renamed for change in changes)

    def bring_back(self) -> Changes:
        """Name the columns again; what judges them follows once they are filled."""
        back = (self.dialect.rename_column(self.table.name, self._named(c), c) for c in self.columns)
        return tuple(change for changes in back for change in changes)

    def judge_again(self) -> Steps:
        """Build and validate what `put_aside` dropped."""
        dialect, table = self.dialect, self.table.name
        steps: list[Step] = []
        for index in self.table.indexes:
            if self._on(index) and index.unique:
                steps.append(dialect.build_index(table, index.name, index.definition, undo=False))
            if self._on(index) and index.unique and index.constraint is None and index.comment is not None:
                comment = dialect.comment_on_index(table, index.name, index.comment)
                steps.append(dialect.together(f"comment on index {index.name}", comment))
        for constraint in self._judging():
            if constraint.kind is ConstraintKind.UNIQUE:
                attach = dialect.attach_index(table, constraint, constraint.name, constraint.name)
                steps.append(dialect.together(f"attach unique constraint {constraint.name}", attach))
            else:
                steps += self._declared(constraint)
        for column in self._required():
            steps += dialect.require_values(table, replace(column, default=dialect.stand_in(column)))
        return tuple(steps)

    def purge(self) -> Steps:
        """Drop the columns for good."""
        dialect, table = self.dialect, self.table.name
        steps = []
        for column in self.columns:
            followers = [i.name for i in self.table.indexes if column in i.columns and not i.unique]
            changes = dialect.drop_column(table, self._named(column), followers)
            steps.append(dialect.together(f"drop quarantined {table.name}.{column}", changes))
        return tuple(steps)


def fills_itself(column: Column) -> bool:
    """Whether rows that are written without the column get a value."""
    return column.default is not None or column.sequence is not None or column.generated is not None
