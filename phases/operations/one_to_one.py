"""Two tables whose rows belong together, one to one: the second references the first by a unique key."""

from __future__ import annotations

from collections.abc import Sequence

from phases.catalog import Constraint, ConstraintKind, Table
from phases.errors import Refused


def reference(table: Table, other: Table, key: Sequence[str]) -> Constraint | None:
    """The foreign key from columns of the second table to the primary key of the first."""
    wanted = set(zip(key, table.primary_key(), strict=True))
    for constraint in other.constraints:
        found = set(zip(constraint.columns, constraint.referenced_columns, strict=False))
        if constraint.kind is ConstraintKind.FOREIGN and constraint.references == table.name and found == wanted:
            return constraint
    return None


def check_rights(table: Table, other: Table) -> None:
    """Refuse where triggers could not write both, or a reader of the first would see what he may not."""
    if table.owner != other.owner:
        raise Refused(
            f'"{table.name}" belongs to {table.owner} and "{other.name}" to {other.owner}: nobody may write both',
            remedy=f'ALTER TABLE "{other.name}" OWNER TO {table.owner}',
        )
    readers = {grant.grantee for grant in table.grants if grant.privilege == "SELECT"}
    allowed = {grant.grantee for grant in other.grants if grant.privilege == "SELECT"}
    if "PUBLIC" not in allowed and (curious := sorted(readers - allowed)):
        raise Refused(
            f'{curious[0]} may read "{table.name}" and not "{other.name}", whose columns it could read then',
            remedy=f'GRANT SELECT ON "{other.name}" TO {curious[0]}, or revoke it from "{table.name}"',
        )


def check_key(table: Table, other: Table, key: Sequence[str]) -> None:
    """Refuse keys by which rows cannot be told to belong together, one to one.

    Args:
        key: columns of the second table, in the order of the primary key of the first.
    """
    primary = table.primary_key()
    if not primary:
        raise Refused(f'"{table.name}" has no primary key, so nothing says which rows belong together')
    if len(primary) != len(key):
        raise Refused(f'key names {len(key)} columns; the primary key of "{table.name}" has {len(primary)}')
    for old, new in zip(primary, key, strict=True):
        check_same(table, old, other, new)
    if not is_unique(other, key):
        raise Refused(
            f'nothing says that {", ".join(key)} of "{other.name}" is unique: a row of "{table.name}" could have two',
            remedy="AddUnique for it in an earlier revision, not deferrable",
        )


def check_same(table: Table, old: str, other: Table, new: str) -> None:
    mine, theirs = table.column(old), other.column(new)
    where = f'"{other.name}"."{new}"'
    if (mine.type, mine.collation) != (theirs.type, theirs.collation):
        raise Refused(
            f'{where} is {theirs.type}, "{table.name}"."{old}" is {mine.type}',
            remedy="ChangeType one of them in an earlier revision",
        )
    if not mine.equality_is_identity or mine.constrained_domain:
        raise Refused(
            f"{where} is of type {mine.type}, in which values may be equal and not the same",
            remedy="a key of integers, uuid or text can be merged by",
        )
    if not theirs.not_null:
        raise Refused(
            f'{where} allows NULL: such rows belong to none of "{table.name}"',
            remedy=f'SetNotNull("{other.name.name}", "{new}") in an earlier revision',
        )
    if theirs.generated is not None or theirs.sequence is not None:
        raise Refused(f'{where} gets a value by itself: it cannot take that of "{table.name}"')


def is_unique(other: Table, key: Sequence[str]) -> bool:
    """Whether the server finds a row by the key alone, at once."""
    deferred = {c.name for c in other.constraints if c.deferral}
    return any(
        index.unique and index.valid and index.constraint not in deferred and set(index.plain_key) == set(key)
        for index in other.indexes
    )


def check_moving(other: Table, name: str) -> None:
    """Refuse columns of the second table that could not be written from the first."""
    column, where = other.column(name), f'"{other.name}"."{name}"'
    if column.generated is not None or column.sequence is not None:
        raise Refused(
            f"{where} gets a value by itself, so what the first table has could not be written to it",
            remedy="name it in forget, if it may be dropped with its table",
        )
    if column.constrained_domain:
        raise Refused(
            f"{where} is of a domain with constraints ({column.type}), which may refuse a row without a value",
            remedy="move the constraints of the domain to CHECK constraints of the table first",
        )
