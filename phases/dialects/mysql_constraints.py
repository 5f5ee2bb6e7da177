"""Foreign keys, unique and primary keys on MySQL and MariaDB.

A foreign key is added in place only while a session does not look at foreign keys: it is enforced from then on for
every other session, and rows that were there before are compared afterwards. A unique index is a unique constraint.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from phases import names
from phases.catalog import Constraint, ConstraintKind, Index, Table
from phases.dialects import mysql_statements as statements
from phases.dialects.base import Change, Changes
from phases.errors import Refused
from phases.model import OF_SESSION, Step, TableName
from phases.sql import identifier, listed, qualified

UNCHECKED = (
    Change("SET SESSION foreign_key_checks = 0", done=OF_SESSION),
    Change("SET SESSION foreign_key_checks = 1", done=OF_SESSION),
)
OTHER = "_other"
"""The referenced table's name in a question, which may be about the table itself."""
PARTIAL = re.compile(r"\(\d+\)|\(\(|^CREATE (?:FULLTEXT|SPATIAL)")
"""What the text of an index has that is not over whole columns."""


class MySQLConstraints:
    """The part of the dialect that adds and drops constraints."""

    __slots__ = ()

    def together(self, name: str, changes: Sequence[Change]) -> Step:
        raise TypeError("the dialect makes steps of changes")

    def verify(self, table: Table, mismatch: str, *, target: str, fault: str = "") -> Step:
        raise TypeError("the dialect compares rows")

    def build_index(self, table: TableName, name: str, create: str, *, undo: bool = True) -> Step:
        raise TypeError("the dialect builds indexes")

    def add_constraint(self, table: TableName, constraint: Constraint, name: str, definition: str) -> Changes:
        if constraint.kind is not ConstraintKind.FOREIGN:
            raise Refused(
                f'{constraint.kind} "{name}" of "{table}": the server would copy the table behind a lock',
                remedy="leave it out, or add it in a maintenance window",
            )
        return (UNCHECKED[0], statements.add_foreign_key(table, name, definition, constraint.references), UNCHECKED[1])

    def prove(self, table: Table, constraint: Constraint, name: str) -> Step:
        other = constraint.references
        if constraint.kind is not ConstraintKind.FOREIGN or other is None:
            raise Refused(f'{constraint.kind} "{name}" of "{table.name}" cannot be added to rows that are there')
        pairs = zip(constraint.columns, constraint.referenced_columns, strict=True)
        own = identifier(table.name.name)
        same = " AND ".join(f"{identifier(OTHER)}.{identifier(b)} = {own}.{identifier(a)}" for a, b in pairs)
        given = " AND ".join(f"{own}.{identifier(column)} IS NOT NULL" for column in constraint.columns)
        there = f"SELECT 1 FROM {qualified(other)} AS {identifier(OTHER)} WHERE {same}"
        fault = f'reference rows that "{other}" does not have'
        return self.verify(table, f"{given} AND NOT EXISTS ({there})", target=name, fault=fault)

    def support(self, table: Table, constraint: Constraint) -> Sequence[Step]:
        """The server would build the index itself, and leave it behind."""
        name, full = constraint.name, qualified(table.name)
        index = next((index for index in table.indexes if covers(index, constraint.columns)), None)
        if index is not None:
            return self._kept(table, index, constraint)
        create = f"CREATE INDEX {identifier(name)} ON {full} ({listed(constraint.columns)})"
        return (self.build_index(table.name, name, create),)

    def _kept(self, table: Table, index: Index, constraint: Constraint) -> Sequence[Step]:
        """An index that the server made for a foreign key gets another name, unless somebody has named it."""
        keys = (c.name for c in table.constraints if c.kind is ConstraintKind.FOREIGN)
        if index.name not in (constraint.columns[0], constraint.name, *keys):
            return ()
        aside = names.quarantine(table.name.schema, table.name.name, "index", index.name)
        there = statements.rename_index(table.name, index.name, aside)
        back = statements.rename_index(table.name, aside, index.name)
        return (self.together(f"keep index {index.name}", (there, back)),)

    def drop_constraint(self, table: TableName, constraint: Constraint) -> Changes:
        if constraint.kind is ConstraintKind.FOREIGN:
            return (statements.drop_foreign_key(table, constraint.name, constraint.references),)
        if constraint.kind is ConstraintKind.UNIQUE:
            return (statements.drop_index(table, constraint.name),)
        return (statements.drop_check(table, constraint.name),)

    def drop_key_aside(self, table: TableName, key: Constraint) -> Changes:
        return (statements.drop_foreign_key(table, key.name, None),)

    def attach_index(self, table: TableName, constraint: Constraint, name: str, index: str) -> Changes:
        return ()  # a unique index is the constraint

    def rename_constraint(self, table: TableName, old: str, new: str, constraint: Constraint | None = None) -> Changes:
        if constraint is not None and constraint.kind is ConstraintKind.UNIQUE:
            return (statements.rename_index(table, old, new),)
        if constraint is None or constraint.kind is not ConstraintKind.FOREIGN:
            raise Refused(f'"{old}" of "{table}" cannot be renamed', remedy="keep its name")
        # The second is there before the first goes; neither reads a row.
        added = self.add_constraint(table, constraint, new, constraint.definition)
        return (*added, statements.drop_foreign_key(table, old, constraint.references))


def covers(index: Index, columns: Sequence[str]) -> bool:
    """Whether the keys of an index begin with these columns."""
    plain = index.plain_key or (() if PARTIAL.search(index.definition) else index.columns)
    return tuple(plain[: len(columns)]) == tuple(columns)
