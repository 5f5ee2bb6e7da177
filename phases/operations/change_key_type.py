"""Widen a primary key with everything that references it, while both versions of the application use it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from phases import names
from phases.catalog import Catalog, Column, Constraint, Definition, IncomingKey, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.model import Step, TableName
from phases.operations.base import (
    Operation,
    Steps,
    Touch,
    check_not_written,
    check_ordinary,
    check_trigger_order,
    without_undo,
)
from phases.operations.replacing import Replacement, bare
from phases.sql import identifier


@dataclass(frozen=True)
class ChangePrimaryKeyType(Operation):
    """Widen an integer primary key, its sequence or identity, and every column that references it.

    Each of these columns gets a hidden double of the wider type, kept in step by
    triggers, filled, indexed and referenced like the first. In the contract the
    doubles take the names, table by table, the key itself last. PostgreSQL fails
    statements that a session prepared before a type changed under a name, so the
    contract waits (exit code 3, naming them) while there are sessions that may hold one.
    Views, policies, triggers and statistics that read the columns are created again.

    Args:
        table: exact name of the table.
        column: exact name of the primary key's column.
        type: `"integer"` or `"bigint"`.
        schema: schema of the table; the connection's default where not given.
    """

    table: str
    column: str
    type: object = "bigint"
    schema: str | None = None

    def describe(self) -> str:
        return f"change type of primary key {self.table}.{self.column} to {self.type}"

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        table = catalog.table(self.table, self.schema)
        found = [Touch(table.name, self.column)]
        for key in self._incoming(table):
            referencing = catalog.tables[key.table]
            found += [Touch(key.table, column) for column in self._constraint(referencing, key).columns]
            found.append(Touch(key.table, f"constraint {key.constraint}"))
        for part in self._parts(catalog, dialect):
            on = part.table
            found += [Touch(on.name, f"index {i.name}") for i in on.indexes if part.old in i.columns]
            found += [Touch(on.name, f"constraint {c.name}") for c in on.constraints if part.old in c.columns]
        return tuple(dict.fromkeys((*found, *self.alone(catalog, dialect))))

    def alone(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        name = catalog.name(self.table, self.schema)
        if name not in catalog.tables:
            return ()
        dependents = (touch for part in self._parts(catalog, dialect) for touch in part.dependents.touches())
        # What another operation has reference the key would not be taken along.
        return Touch(name, self.column), *dependents

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        table = catalog.table(self.table, self.schema)
        check_ordinary(table, "ChangePrimaryKeyType")
        column, wanted = table.column(self.column), self._type(dialect)
        if self.column not in table.primary_key():
            raise Refused(
                f'"{self.column}" is not part of the primary key of "{table.name}"',
                remedy=f'write ChangeType("{self.table}", "{self.column}", "{wanted}")',
            )
        if not dialect.type_change(column.type, wanted).reversible:
            raise Refused(
                f'"{self.column}" of "{table.name}" is {column.type}, and {wanted} is not a wider type:'
                " only a key that keeps its values can be changed under those who reference it"
            )
        for key in self._incoming(table):
            self._check_reference(catalog, key, dialect)
        for part in self._parts(catalog, dialect):
            check_not_written(part.table, (part.old,), "ChangePrimaryKeyType changes")
            part.dependents.validate("changing the type")
            part.validate(None)
            check_trigger_order(part.table)

    def _check_reference(self, catalog: Catalog, key: IncomingKey, dialect: Dialect) -> None:
        referencing = catalog.tables[key.table]
        check_ordinary(referencing, "ChangePrimaryKeyType, which changes all that reference the key,")
        if len(key.columns) > 1:
            raise Refused(
                f'foreign key "{key.constraint}" of "{key.table}" references several columns of "{self.table}"',
                remedy="drop it in an earlier revision and add it again after this one",
            )
        for other in referencing.incoming:
            if set(self._constraint(referencing, key).columns) & set(other.columns):
                raise Refused(
                    f'"{key.table}" is referenced by "{other.table}" through the column that references "{self.table}"',
                    remedy=f'drop foreign key "{other.constraint}" in an earlier revision and add it again after',
                )

    def _type(self, dialect: Dialect) -> str:
        return dialect.type_name(dialect.type_text(self.type))

    def _incoming(self, table: Table) -> list[IncomingKey]:
        return [key for key in table.incoming if self.column in key.columns]

    @staticmethod
    def _constraint(table: Table, key: IncomingKey) -> Constraint:
        return next(c for c in table.constraints if c.name == key.constraint)

    def _shadow(self, table: Table, column: str, dialect: Dialect) -> Column:
        name, fact = table.name, table.column(column)
        double = names.owned("type", name.schema, name.name, column)
        named = names.owned("not_null", name.schema, name.name, column) if fact.not_null_name else None
        return replace(bare(fact, double), type=self._type(dialect), equality_is_identity=True, not_null_name=named)

    def _replace(self, catalog: Catalog, dialect: Dialect, table: Table, column: str) -> Replacement:
        shadow, old = self._shadow(table, column, dialect), table.column(column)
        up, down = f"{identifier(column)}::{shadow.type}", f"{identifier(shadow.name)}::{old.type}"
        return Replacement(catalog, dialect, table, column, shadow, up, down, keeps_name=True, followed=True)

    def _parts(self, catalog: Catalog, dialect: Dialect) -> tuple[Replacement, ...]:
        """The key, then each column that references it and is too narrow."""
        table, wanted = catalog.table(self.table, self.schema), self._type(dialect)
        double = self._shadow(table, self.column, dialect).name
        parts: dict[tuple[TableName, str], Replacement] = {}
        for key in self._incoming(table):
            other = catalog.tables[key.table]
            column = self._constraint(other, key).columns[0]
            if dialect.type_change(other.column(column).type, wanted).reversible:
                part = parts.get((other.name, column)) or self._replace(catalog, dialect, other, column)
                references = (*part.references, (key.constraint, self.column, double))
                parts[other.name, column] = replace(part, references=references)
        main = self._replace(catalog, dialect, table, self.column)
        unhook, rehook = self._hooks(catalog, dialect)
        return (replace(main, unhook=unhook, rehook=rehook), *parts.values())

    def _pointed(self, constraint: Constraint, double: str, dialect: Dialect) -> Constraint:
        text = dialect.expressions.rename_referenced(constraint.definition, {self.column: double})
        return replace(constraint, definition=text)

    def _hooks(self, catalog: Catalog, dialect: Dialect) -> tuple[Steps, Steps]:
        """Steps of a restore: reference the narrow key, let go of the wide one; later the other way round."""
        table = catalog.table(self.table, self.schema)
        main = self._replace(catalog, dialect, table, self.column)
        unhook: list[Step] = []
        rehook: list[Step] = []
        for key in self._incoming(table):
            own = self._constraint(catalog.tables[key.table], key)
            meanwhile = names.owned("meanwhile", key.table.schema, key.table.name, key.constraint)
            unhook += self._declare(key, self._pointed(own, main.quarantined, dialect), meanwhile, dialect)
            unhook.append(self._let_go(key, own, dialect))
            rehook += self._declare(key, self._pointed(own, main.new.name, dialect), key.constraint, dialect)
            rehook.append(self._let_go(key, replace(own, name=meanwhile), dialect))
        return tuple(unhook), tuple(rehook)

    @staticmethod
    def _let_go(key: IncomingKey, constraint: Constraint, dialect: Dialect) -> Step:
        dropped = dialect.drop_constraint(key.table, constraint)
        return dialect.together(f"drop foreign key {key.table.name}.{constraint.name}", dropped)

    def _declare(self, key: IncomingKey, constraint: Constraint, name: str, dialect: Dialect) -> list[Step]:
        added = dialect.add_constraint(key.table, constraint, name, constraint.definition)
        steps = [dialect.together(f"declare foreign key {key.table.name}.{name}", added)]
        if constraint.validated:
            validated = dialect.validate_constraint(key.table, name)
            steps.append(dialect.together(f"validate foreign key {key.table.name}.{name}", validated, scans=True))
        return steps

    def _repointed(self, catalog: Catalog, dialect: Dialect) -> list[tuple[IncomingKey, Constraint, str]]:
        """Foreign keys of columns that are wide enough already: the key, its new definition and first name."""
        table, wanted = catalog.table(self.table, self.schema), self._type(dialect)
        double, found = self._shadow(table, self.column, dialect).name, []
        for key in self._incoming(table):
            other = catalog.tables[key.table]
            constraint = self._constraint(other, key)
            if not dialect.type_change(other.column(constraint.columns[0]).type, wanted).reversible:
                name = names.owned("copy", key.table.schema, key.table.name, key.constraint)
                found.append((key, self._pointed(constraint, double, dialect), name))
        return found

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return tuple(step for part in self._parts(catalog, dialect) for step in part.expand())

    def migrate(self, catalog: Catalog, dialect: Dialect) -> Steps:
        steps = [step for part in self._parts(catalog, dialect) for step in part.migrate()]
        for key, constraint, name in self._repointed(catalog, dialect):
            drop = dialect.drop_constraint(key.table, replace(constraint, name=name))
            undo = dialect.together(f"drop foreign key {key.table.name}.{name}", drop)
            declare, *rest = self._declare(key, constraint, name, dialect)
            steps += [replace(declare, undo=(undo,)), *without_undo(rest)]
        return tuple(steps)

    def contract(self, catalog: Catalog, dialect: Dialect) -> Steps:
        main, *others = self._parts(catalog, dialect)
        steps: list[Step] = []
        done: tuple[Definition, ...] = ()
        for part in others:
            steps += replace(part, unchecked=done).contract()
            done += part.dependents.parts
        for key, constraint, name in self._repointed(catalog, dialect):
            own = self._constraint(catalog.tables[key.table], key)
            changes = [*dialect.drop_constraint(key.table, own)]
            changes += dialect.rename_constraint(key.table, name, constraint.name)
            back = dialect.rename_constraint(key.table, constraint.name, name)
            undo = (
                dialect.together(f"rename foreign key {key.table.name}.{constraint.name} back", back),
                *self._declare(key, own, own.name, dialect),
            )
            steps.append(dialect.together(f"drop foreign key {key.table.name}.{own.name}", changes, undo=undo))
        return (*steps, *replace(main, unchecked=done).contract())

    def purge(self, catalog: Catalog, dialect: Dialect) -> Steps:
        return tuple(step for part in self._parts(catalog, dialect) for step in part.purge())

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        for part in self._parts(catalog, dialect):
            catalog = replace(part, catalog=catalog, table=catalog.tables[part.table.name]).outcome()
        return catalog
