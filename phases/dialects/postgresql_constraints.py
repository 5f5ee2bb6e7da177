"""Constraints on PostgreSQL: declared first, which checks new rows, then validated under a weak lock."""

from __future__ import annotations

from collections.abc import Sequence

from phases import names
from phases.catalog import Column, Constraint, ConstraintKind, Server, Table
from phases.dialects.base import Change, Changes
from phases.dialects.postgresql_statements import alter
from phases.model import Lock, LockMode, Step, TableName, Transaction
from phases.sql import identifier, literal, qualified


def validation(name: str, table: TableName, constraint: str) -> Transaction:
    """Validate a CHECK or NOT NULL, and commit it in a moment in which nobody is in the middle of a COPY.

    From PostgreSQL 16 on a COPY … FROM that meets the change between two rows of a table with triggers reads memory
    that is no longer its own: it fails ("cache lookup failed for type"), or the server goes down. A foreign key is
    no part of what it reads.
    """
    validate = alter(table, f"VALIDATE CONSTRAINT {identifier(constraint)}", LockMode.SHARE_UPDATE_EXCLUSIVE)
    closing = Lock(table, LockMode.SHARE_ROW_EXCLUSIVE)
    # Of all its partitions, which are validated with it.
    lock = f"LOCK TABLE {qualified(table)} IN {closing.mode} MODE"
    return Transaction(name=name, statements=(validate.sql, lock), locks=validate.locks, scans=True, closing=(closing,))


class PostgreSQLConstraints:
    """The part of the dialect that adds, proves and drops constraints."""

    __slots__ = ()
    server: Server

    def together(self, name: str, changes: Sequence[Change], *, undo: Sequence[Step] = (), scans: bool = False) -> Step:
        raise TypeError("the dialect makes steps of changes")

    def set_not_null(self, table: TableName, column: Column) -> Changes:
        return (alter(table, f"ALTER COLUMN {identifier(column.name)} SET NOT NULL"),)

    def drop_not_null(self, table: TableName, column: Column) -> Changes:
        return (alter(table, f"ALTER COLUMN {identifier(column.name)} DROP NOT NULL"),)

    def require_values(self, table: TableName, column: Column) -> Sequence[Step]:
        if self.server.version >= (18, 0):
            return self._not_null_constraint(table, column)
        check = names.owned("not_null", table.schema, table.name, column.name)
        condition = f"CHECK ({identifier(column.name)} IS NOT NULL)"
        drop = alter(table, f"DROP CONSTRAINT {identifier(check)}")
        declare = alter(table, f"ADD CONSTRAINT {identifier(check)} {condition} NOT VALID")
        label = f"{table.name}.{column.name}"
        return (
            self.together(
                f"declare {label} NOT NULL",
                (declare,),
                undo=(self.together(f"withdraw NOT NULL of {label}", (drop,)),),
            ),
            validation(f"validate {label} NOT NULL", table, check),
            self.together(
                f"enforce {label} NOT NULL",
                (*self.set_not_null(table, column), drop),
                undo=(self.together(f"relax {label} NOT NULL", (*self.drop_not_null(table, column), declare)),),
            ),
        )

    def _not_null_constraint(self, table: TableName, column: Column) -> Sequence[Step]:
        # PostgreSQL 18 has NOT NULL … NOT VALID: one exclusive lock instead of two.
        name = column.not_null_name or names.composed(table.name, column.name, "not_null")
        label = f"{table.name}.{column.name}"
        declare = alter(table, f"ADD CONSTRAINT {identifier(name)} NOT NULL {identifier(column.name)} NOT VALID")
        withdraw = self.together(
            f"withdraw NOT NULL of {label}", (alter(table, f"DROP CONSTRAINT {identifier(name)}"),)
        )
        return (
            self.together(f"declare {label} NOT NULL", (declare,), undo=(withdraw,)),
            validation(f"validate {label} NOT NULL", table, name),
        )

    def add_constraint(self, table: TableName, constraint: Constraint, name: str, definition: str) -> Changes:
        locks = [Lock(table, LockMode.ACCESS_EXCLUSIVE)]
        if constraint.kind is ConstraintKind.FOREIGN and constraint.references:
            locks = [Lock(each, LockMode.SHARE_ROW_EXCLUSIVE) for each in (constraint.references, table)]
        text = definition.removesuffix(" NOT VALID")
        sql = f"ALTER TABLE {qualified(table)} ADD CONSTRAINT {identifier(name)} {text} NOT VALID"
        made = [Change(sql, tuple(locks))]
        if constraint.comment is not None:
            made.append(self._comment_on_constraint(table, name, constraint.comment))
        return tuple(made)

    def validate_constraint(self, table: TableName, name: str) -> Changes:
        return (alter(table, f"VALIDATE CONSTRAINT {identifier(name)}", LockMode.SHARE_UPDATE_EXCLUSIVE),)

    def prove(self, table: Table, constraint: Constraint, name: str) -> Step:
        label = f"validate {constraint.kind} {name}"
        if constraint.kind is ConstraintKind.FOREIGN:
            return self.together(label, self.validate_constraint(table.name, name), scans=True)
        return validation(label, table.name, name)

    def support(self, table: Table, constraint: Constraint) -> Sequence[Step]:
        return ()

    def attach_index(self, table: TableName, constraint: Constraint, name: str, index: str) -> Changes:
        kind = "PRIMARY KEY" if constraint.kind is ConstraintKind.PRIMARY else "UNIQUE"
        action = f"ADD CONSTRAINT {identifier(name)} {kind} USING INDEX {identifier(index)}"
        made = [alter(table, f"{action} {constraint.deferral}".rstrip())]
        if constraint.comment is not None:
            made.append(self._comment_on_constraint(table, name, constraint.comment))
        return tuple(made)

    def _comment_on_constraint(self, table: TableName, name: str, comment: str) -> Change:
        sql = f"COMMENT ON CONSTRAINT {identifier(name)} ON {qualified(table)} IS {literal(comment)}"
        return Change(sql)

    def drop_constraint(self, table: TableName, constraint: Constraint) -> Changes:
        locks = [Lock(table, LockMode.ACCESS_EXCLUSIVE)]
        if constraint.references and constraint.references != table:
            # Dropping a foreign key removes its triggers from the referenced table, too.
            locks.append(Lock(constraint.references, LockMode.ACCESS_EXCLUSIVE))
        sql = f"ALTER TABLE {qualified(table)} DROP CONSTRAINT {identifier(constraint.name)}"
        return (Change(sql, tuple(locks)),)

    def rename_constraint(self, table: TableName, old: str, new: str, constraint: Constraint | None = None) -> Changes:
        return (alter(table, f"RENAME CONSTRAINT {identifier(old)} TO {identifier(new)}"),)
