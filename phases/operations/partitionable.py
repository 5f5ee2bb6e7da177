"""What keeps a table from becoming a partitioned one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction

from phases import names
from phases.catalog import ConstraintKind, Index, Table
from phases.dialects.base import Dialect
from phases.errors import Refused
from phases.names import TRIGGER_PREFIX
from phases.sql import identifier, listed

BOUNDS = {
    "range": r"FOR\s+VALUES\s+FROM\b.*\bTO\b",
    "list": r"FOR\s+VALUES\s+IN\b",
    "hash": r"FOR\s+VALUES\s+WITH\s*\(\s*MODULUS\s+(\d+)\s*,\s*REMAINDER\s+\d+\s*\)\s*$",
}
"""How the bounds of each method begin."""
EXAMPLES = {
    "range": "FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')",
    "list": "FOR VALUES IN ('north', 'south')",
    "hash": "FOR VALUES WITH (MODULUS 4, REMAINDER 0)",
}
BEFORE_ROW_SINCE = (13, 0)


def check_bounds(method: str, partitions: Mapping[str, str], dialect: Dialect) -> None:
    """Refuse text that is no bound of a partition by the method, and remainders that leave rows without one."""
    covered = Fraction(0)
    for name, bound in partitions.items():
        try:
            statements = dialect.expressions.split(f"CREATE TABLE a PARTITION OF b {bound}")
        except ValueError as problem:
            raise Refused(f'the bound of "{name}" is not SQL: {problem}', remedy=EXAMPLES[method]) from None
        matched = re.match(BOUNDS[method], bound.strip(), re.I | re.S)
        more = re.search(r"\)\s*\w", re.sub(r"'[^']*'|\bFROM\b|\bTO\b", "", bound, flags=re.I))
        if matched is None or len(statements) != 1 or more:
            raise Refused(
                f'"{name}" {bound}: this is no bound of a partition by {method}, or more than a bound',
                remedy=EXAMPLES[method],
            )
        covered += Fraction(1, int(matched[1])) if method == "hash" and int(matched[1]) else 0
    if method == "hash" and covered != 1:
        raise Refused(
            "rows of some remainders would have no partition, or there are too many",
            remedy="give a partition for every remainder from 0 to MODULUS - 1",
        )


def check_keys(table: Table, columns: Sequence[str]) -> None:
    """Refuse a table without a primary key, and unique keys without the columns that rows are partitioned by."""
    for name in columns:
        table.column(name)
    primary = next((c for c in table.constraints if c.kind is ConstraintKind.PRIMARY), None)
    if primary is None:
        raise Refused(
            f'"{table.name}" has no primary key, so nothing says which rows of both tables are the same',
            remedy=f'AddPrimaryKey("{table.name.name}", …) in an earlier revision',
        )
    if primary.deferral:
        raise Refused(f'the primary key "{primary.name}" of "{table.name}" is deferrable')
    for index in table.indexes:
        if index.unique and index.valid:
            check_unique(table, index, columns)
    for name in primary.columns:
        column = table.column(name)
        if not column.equality_is_identity or column.constrained_domain or column.generated is not None:
            raise Refused(
                f'"{name}" in the primary key of "{table.name}" is of type {column.type}, in which values may be'
                " equal and not the same",
                remedy="rows with a key of integers, dates, uuid or text can be copied",
            )


def check_unique(table: Table, index: Index, columns: Sequence[str]) -> None:
    lacking = [column for column in columns if column not in index.plain_key]
    if not lacking:
        return
    what = f'"{index.name}" of "{table.name}" does not have {listed(lacking)}, which rows are partitioned by:'
    said = f"{what} no partition knows what is in the others"
    if index.constraint is None:
        raise Refused(said, remedy=f'DropIndex("{index.name}"), and CreateIndex with it, in earlier revisions')
    name, keys = table.name.name, (*index.plain_key, *lacking)
    wanted = ", ".join(f'"{column}"' for column in keys)
    if index.plain_key != table.primary_key():
        instead = f'DropConstraint("{name}", "{index.constraint}"), AddUnique("{name}", [{wanted}])'
        raise Refused(said, remedy=f"in earlier revisions {instead}")
    other = names.composed(name, *keys, "key")
    exchanged = (
        f"ALTER TABLE {identifier(name)} DROP CONSTRAINT {identifier(index.name)},"
        f" ADD CONSTRAINT {identifier(index.name)} PRIMARY KEY USING INDEX {identifier(other)}"
    )
    raise Refused(
        said,
        remedy="partition by a column that it has; or make the key longer in earlier revisions:"
        f' CreateIndex("{name}", [{wanted}], name="{other}", unique=True), then'
        f" RunSQL(contract='{exchanged}', restore=…)",
    )


def check_properties(table: Table) -> None:
    """Refuse what a partitioned table cannot have, or what would stay with the table that goes."""
    for constraint in table.constraints:
        if constraint.kind is ConstraintKind.EXCLUSION:
            raise Refused(f'"{constraint.name}" of "{table.name}" is an exclusion constraint')
        if not constraint.validated:
            raise Refused(f'"{constraint.name}" of "{table.name}" is not validated', remedy="validate it first")
    for key in table.incoming:
        raise Refused(
            f'foreign key "{key.constraint}" of "{key.table}" references "{table.name}", and would stay with the'
            " table that goes",
            remedy=f'DropConstraint("{key.table.name}", "{key.constraint}") in an earlier revision; it can be'
            " added again after this one",
        )
    if table.row_security:
        raise Refused(
            f'"{table.name}" has row level security, which would not hold for its partitions',
            remedy="partition it in a maintenance window",
        )
    if table.published:
        raise Refused(
            f'"{table.name}" is published by {", ".join(table.published)}, and subscribers would be sent nothing'
            " of the partitions",
            remedy="take it out of the publication first",
        )


def check_triggers(table: Table, columns: Sequence[str], dialect: Dialect, *, keeps_key: bool) -> None:
    """Refuse triggers that would make statements fail once they are those of a partitioned table."""
    before = [trigger.name for trigger in table.triggers if trigger.before_row]
    if ours := [trigger.name for trigger in table.triggers if trigger.name.startswith(TRIGGER_PREFIX)]:
        raise Refused(f'trigger "{ours[0]}" of "{table.name}" belongs to a change that is not done')
    for trigger in table.triggers:
        if re.search(r"\bREFERENCING\b.*\bFOR EACH ROW\b", trigger.definition, re.S):
            raise Refused(
                f'trigger "{trigger.name}" of "{table.name}" has a transition table FOR EACH ROW, as none of a'
                " partitioned table has",
                remedy="write it FOR EACH STATEMENT first",
            )
    if before and dialect.server.version < BEFORE_ROW_SINCE:
        raise Refused(
            f'trigger "{before[0]}" of "{table.name}" fires BEFORE rows, as no trigger of a partitioned table does'
            f" on {dialect.server}"
        )
    if before and not keeps_key:
        raise Refused(
            f'trigger "{before[0]}" of "{table.name}" fires BEFORE rows: should it change'
            f" {listed(columns)}, statements would fail from the contract on",
            remedy="add keeps_key=True if it leaves them as they are",
        )
