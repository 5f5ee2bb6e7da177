"""Statements of a classical revision that were judged safe, carried out in the expand phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.catalog import Catalog, Column, Constraint, ConstraintKind, Table
from phases.dialects.base import Change, Dialect
from phases.errors import Refused
from phases.model import Lock, Loss, TableName
from phases.operations.base import Operation, Steps, Touch, check_new_column, check_ordinary
from phases.sql import identifier, qualified


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and what it changes.

    Args:
        summary: one line for people.
        creates: relations whose names it takes.
        table: the table it creates, or adds columns or an index to.
        is_new: the table is created by the statement itself.
        columns: columns it creates; `key` those of the primary key.
        locks: what it locks of what was there before.
        reads: columns of existing tables it depends on; no part stands for all of a table.
        undo: SQL that takes it back; empty where it leaves with something else, or stays.
        undo_locks: what that SQL locks.
        index: name of an index built concurrently, outside any transaction.
        done, otherwise: of a statement that commits by itself, as in `phases.model.Script`.
    """

    sql: str
    summary: str
    creates: tuple[TableName, ...] = ()
    table: TableName | None = None
    is_new: bool = False
    columns: tuple[Column, ...] = ()
    key: tuple[str, ...] = ()
    locks: tuple[Lock, ...] = ()
    reads: tuple[Touch, ...] = ()
    undo: str = ""
    undo_locks: tuple[Lock, ...] = ()
    index: str = ""
    done: str = ""
    otherwise: str = ""


@dataclass(frozen=True)
class Adopted(Operation):
    """Statements that commit together, or one index that is built concurrently.

    Args:
        statements: in the order they run; they lock no more than one table that was there before,
            unless one of them locks several.
        created: tables that earlier statements of the same revision create.
        accepted: what comments of the revision say does no harm, in words.
    """

    statements: tuple[Statement, ...]
    created: frozenset[TableName] = frozenset()
    accepted: tuple[str, ...] = ()

    def describe(self) -> str:
        first = [statement.summary for statement in self.statements[:3]]
        more = len(self.statements) - len(first)
        return ", ".join(first) + (f" and {more} more" if more else "")

    def touches(self, catalog: Catalog, dialect: Dialect) -> tuple[Touch, ...]:
        found: list[Touch] = []
        for statement in self.statements:
            found += statement.reads
            if statement.table is None:
                continue
            if statement.is_new or statement.index:
                found.append(Touch(statement.table, f"index {statement.index}" if statement.index else None))
            else:
                found += [Touch(statement.table, column.name) for column in statement.columns]
        return tuple(found)

    def validate(self, catalog: Catalog, dialect: Dialect) -> None:
        for statement in self.statements:
            for name in statement.creates:
                if catalog.taken(name.name, name.schema):
                    raise Refused(
                        f'"{name}" already exists',
                        remedy="where the database has all of this already: migrator baseline",
                    )
            for lock in statement.locks:
                catalog.table(lock.table.name, lock.table.schema)
            if statement.table is not None and not statement.is_new:
                table = catalog.table(statement.table.name, statement.table.schema)
                if statement.table not in self.created:
                    check_ordinary(table, statement.summary)
                for column in statement.columns:
                    check_new_column(table, column.name, dialect)
            catalog = after(statement, catalog)

    def expand(self, catalog: Catalog, dialect: Dialect) -> Steps:
        first = self.statements[0]
        if first.index and first.table is not None:
            return (dialect.build_index(first.table, first.index, first.sql),)
        changes = [Change(s.sql, s.locks, s.done, s.otherwise) for s in self.statements]
        backwards = [Change(s.undo, s.undo_locks) for s in reversed(self.statements) if s.undo or s.undo_locks]
        undo = with_statements(f"take back: {self.describe()}", backwards, dialect)
        return (dialect.together(self.describe(), changes, undo=undo, loses=self._loss()),)

    def _loss(self) -> Loss | None:
        """Rows of created tables, and values of added columns that the default would not give again."""
        made = {s.table for s in self.statements if s.is_new and s.undo}
        what, counts = [], []
        for statement in self.statements:
            if not statement.undo or statement.table is None or not (statement.is_new or statement.columns):
                continue
            condition = "true" if statement.is_new else " OR ".join(map(written, statement.columns))
            if not statement.is_new and statement.table in made:
                continue
            what.append(
                f"rows of {statement.table.name}"
                if statement.is_new
                else f"values of {', '.join(f'{statement.table.name}.{c.name}' for c in statement.columns)}"
            )
            found = f"SELECT 1 FROM {qualified(statement.table)} WHERE {condition} LIMIT 1000"
            counts.append(f"(SELECT count(*) FROM ({found}) AS written)")
        return Loss(" and ".join(what), f"SELECT {' + '.join(counts)}") if what else None

    def outcome(self, catalog: Catalog, dialect: Dialect) -> Catalog:
        for statement in self.statements:
            catalog = after(statement, catalog)
        return catalog


def written(column: Column) -> str:
    """Condition under which a value of an added column came from a writer."""
    name = identifier(column.name)
    given = f"{name} IS NOT NULL"
    return f"({given} AND {name} IS DISTINCT FROM ({column.default}))" if column.default is not None else given


def with_statements(name: str, changes: Sequence[Change], dialect: Dialect) -> Steps:
    """One step of the changes; those without a statement lend it their locks."""
    if not any(change.sql for change in changes):
        return ()
    locks = tuple(lock for change in changes for lock in change.locks)
    kept = [change for change in changes if change.sql]
    return (dialect.together(name, [replace(kept[0], locks=(*kept[0].locks, *locks)), *kept[1:]]),)


def after(statement: Statement, catalog: Catalog) -> Catalog:
    """The catalog a statement leaves, as far as later plans need it."""
    if statement.table is not None and statement.is_new:
        key = (Constraint(f"{statement.table.name}_pkey", ConstraintKind.PRIMARY, "", statement.key),)
        made = Table(statement.table, columns=statement.columns, constraints=key if statement.key else ())
        catalog = catalog.with_table(made)
    elif statement.table is not None and statement.table in catalog.tables and statement.columns:
        table = catalog.tables[statement.table]
        catalog = catalog.with_table(replace(table, columns=(*table.columns, *statement.columns)))
    return replace(catalog, relations=catalog.relations | set(statement.creates))
