"""A second table like the first, but for what is to change: made while it is empty, when any change is free."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from phases import names
from phases.catalog import Column, Constraint, ConstraintKind, Index, Table
from phases.dialects import mysql_limits
from phases.dialects.base import Change, Changes
from phases.dialects.mysql_backfill import BYTES, NUMBERS, base_type, key_of
from phases.dialects.mysql_statements import ONLINE, conditions, literal, of
from phases.errors import Refused
from phases.model import TableName
from phases.rebuilding import Rebuilding
from phases.sql import Expressions, identifier, listed, qualified

FAMILIES = {
    **dict.fromkeys((*NUMBERS, "float", "double"), "numbers"),
    **dict.fromkeys(mysql_limits.COLLATED - {"json"}, "texts"),
    **dict.fromkeys(("date", "datetime", "timestamp"), "moments"),
    **dict.fromkeys(BYTES, "bytes"),
}
"""Types whose values can be compared with each other, so that a row that would lose something is found."""
ROW_FORMATS = ("DYNAMIC", "COMPACT", "COMPRESSED", "REDUNDANT")
JSON_CHECK = "json_valid"
COMPLETE = "as it is to be"
METHOD = r"\s*(?:LINEAR\s+)?(?:RANGE|LIST|HASH|KEY)\s*(?:COLUMNS\s*)?\(((?:[^()]|\([^()]*\))+)\)"
"""How a clause of partitions begins, and what rows are partitioned by."""
EXAMPLE = (
    "for example: partition_by=\"RANGE COLUMNS (born) (PARTITION old VALUES LESS THAN ('2026-01-01'), PARTITION …)\""
)


class MySQLRebuilds:
    """The part of the dialect that makes an empty table with another shape."""

    __slots__ = ()

    @property
    def _expressions(self) -> Expressions:
        raise TypeError("the dialect has the reader of expressions")

    def column_definition(self, column: Column) -> str:
        raise TypeError("the dialect writes columns")

    def type_name(self, type_: str) -> str:
        raise TypeError("the dialect knows the types")

    def rebuild(
        self, table: Table, draft: TableName, made: TableName, wanted: Rebuilding
    ) -> tuple[Table, Changes, Sequence[Index]]:
        check_copyable(table)
        check_wanted(table, wanted)
        if wanted.partition_by:
            self._check_partitions(table, wanted)
        columns = tuple(self._column(column, table, wanted) for column in table.columns)
        former = former_key(table, wanted)
        late = [i for i in table.indexes if i.plain_key and not i.unique and not numbered(table, i)]
        parts = [*self._columns(table, columns), *keys(table, wanted, former), *options(wanted)]
        parts += [f"DROP INDEX {identifier(index.name)}" for index in late]
        return self._after(table, wanted, columns, former), make(table, draft, made, parts, wanted.partition_by), late

    def _check_partitions(self, table: Table, wanted: Rebuilding) -> None:
        """Refuse what is no clause, and keys without the columns that rows are partitioned by."""
        try:
            split = self._expressions.split(f"ALTER TABLE a PARTITION BY {wanted.partition_by}")
            clause = re.match(METHOD, wanted.partition_by, re.I | re.S)
            columns = self._expressions.columns(f"concat({clause[1]})") if clause and len(split) == 1 else frozenset()
        except ValueError as problem:
            raise Refused(f"partition_by is not SQL: {problem}", remedy=EXAMPLE) from None
        if not columns:
            raise Refused("partition_by does not say by which columns", remedy=EXAMPLE)
        for name in sorted(columns):
            table.column(name)
        uniques = {index.name: index.columns for index in table.indexes if index.unique and index.name != "PRIMARY"}
        if key := wanted.primary_key or table.primary_key():
            uniques["PRIMARY"] = key
        uniques |= dict([former] if (former := former_key(table, wanted)) else [])
        for name, key in sorted(uniques.items()):
            if missing := sorted(columns - set(key)):
                raise Refused(
                    f'unique key "{name}" ({", ".join(key)}) of "{table.name}" has not "{missing[0]}", by which rows'
                    " would be partitioned: the server could not keep it unique",
                    remedy="add the column to the key in an earlier revision, or partition by columns of all keys",
                )

    def _column(self, column: Column, table: Table, wanted: Rebuilding) -> Column:
        types = dict(wanted.types)
        made = replace(column, type=self.type_name(types[column.name])) if column.name in types else column
        text = base_type(made.type) in mysql_limits.COLLATED - {"json"} and column.generated is None
        if not text:
            made = replace(made, collation=None)
        elif wanted.collation and not any(JSON_CHECK in check.definition for check in inline(table, column)):
            made = replace(made, collation=wanted.collation)
        else:
            made = replace(made, collation=column.collation or table.collation or None)
        required = column.name in wanted.not_null or column.name in wanted.primary_key
        return replace(made, not_null=True) if required else made

    def _columns(self, table: Table, columns: Sequence[Column]) -> Iterator[str]:
        for old, new in zip(table.columns, columns, strict=True):
            explicit = replace(old, collation=effective(old, table))
            if new == explicit:
                continue
            # The condition of a column is a part of its definition.
            checks = "".join(f" {check.definition}" for check in inline(table, old))
            yield f"MODIFY COLUMN {self.column_definition(new)}{checks}"

    def _after(
        self, table: Table, wanted: Rebuilding, columns: Sequence[Column], former: tuple[str, tuple[str, ...]] | None
    ) -> Table:
        indexes, constraints = list(table.indexes), list(table.constraints)
        schema = table.name.schema
        if wanted.primary_key:
            key = wanted.primary_key
            indexes = [i for i in indexes if i.name != "PRIMARY"]
            constraints = [c for c in constraints if c.kind is not ConstraintKind.PRIMARY]
            text = f"PRIMARY KEY ({listed(key)})"
            indexes.append(Index(schema, "PRIMARY", text, key, unique=True, constraint="PRIMARY", plain_key=key))
            constraints.append(Constraint("PRIMARY", ConstraintKind.PRIMARY, text, key, index="PRIMARY"))
        if former is not None:
            name, key = former
            text = f"CREATE UNIQUE INDEX {identifier(name)} ON {qualified(table.name)} ({listed(key)})"
            indexes.append(Index(schema, name, text, key, unique=True, plain_key=key))
        for name, condition in wanted.checks:
            constraints.append(Constraint(name, ConstraintKind.CHECK, f"CHECK ({condition})"))
        return replace(
            table,
            kind="partitioned table" if wanted.partition_by else table.kind,
            columns=tuple(columns),
            indexes=tuple(indexes),
            constraints=tuple(constraints),
            collation=wanted.collation or table.collation,
        )


def make(table: Table, draft: TableName, made: TableName, parts: Sequence[str], partitions: str) -> Changes:
    """An empty table like another, then changed, which its comment shows until it has its name.

    Nobody has it yet: there is nothing to wait for, and nothing to copy.
    """
    full, there = qualified(draft), either_there(made)
    comment = f"COMMENT={literal(table.comment or '')}"
    marked = (
        there.replace(" LIMIT 1", "") + f" UNION SELECT 1 FROM information_schema.tables WHERE {is_complete(draft)}"
    )
    by = f" PARTITION BY {partitions}" if partitions else ""
    changed = f"{', '.join([*parts, f'COMMENT={literal(COMPLETE)}'])}, ALGORITHM=COPY{by}"
    return (
        Change(f"CREATE TABLE {full} LIKE {qualified(table.name)}", (), either_there(draft, made)),
        Change(f"ALTER TABLE {full} {changed}", (), marked),
        # Together with a copy MariaDB may leave the table behind under the name it had.
        Change(f"ALTER TABLE {full} {comment}, {ONLINE}, RENAME TO {qualified(made)}", (), there),
    )


def is_complete(draft: TableName) -> str:
    return conditions({**of(draft), "table_comment": COMPLETE})


def effective(column: Column, table: Table) -> str | None:
    text = base_type(column.type) in mysql_limits.COLLATED - {"json"} and column.generated is None
    return column.collation or (table.collation or None if text else None)


def inline(table: Table, column: Column) -> list[Constraint]:
    """The CHECK that is written behind a column, which MariaDB gives the column's name."""
    return [c for c in table.constraints if c.kind is ConstraintKind.CHECK and c.name == column.name]


def numbered(table: Table, index: Index) -> bool:
    """Whether AUTO_INCREMENT needs an index."""
    return table.column(index.columns[0]).sequence is not None


def former_key(table: Table, wanted: Rebuilding) -> tuple[str, tuple[str, ...]] | None:
    """Name and columns of the unique index that the key becomes by which both tables find their rows."""
    key = table.row_key()
    known = [index.plain_key for index in table.indexes if index.unique and index.name != "PRIMARY"]
    if not wanted.primary_key or wanted.primary_key == key or key in known:
        return None
    return names.composed(table.name.name, *key, "key"), key


def keys(table: Table, wanted: Rebuilding, former: tuple[str, tuple[str, ...]] | None) -> Iterator[str]:
    if wanted.primary_key:
        if table.primary_key():
            yield "DROP PRIMARY KEY"
        yield f"ADD PRIMARY KEY ({listed(wanted.primary_key)})"
    if former is not None:
        yield f"ADD UNIQUE INDEX {identifier(former[0])} ({listed(former[1])})"


def options(wanted: Rebuilding) -> Iterator[str]:
    for name, condition in wanted.checks:
        yield f"ADD CONSTRAINT {identifier(name)} CHECK ({condition})"
    if wanted.collation:
        yield f"DEFAULT CHARACTER SET {wanted.collation.split('_')[0]} COLLATE {wanted.collation}"
    if wanted.row_format:
        yield f"ROW_FORMAT={wanted.row_format.upper()}"


def either_there(*tables: TableName) -> str:
    """Question whether one of these tables is there."""
    listed_names = ", ".join(literal(table.name) for table in tables)
    schema = of(tables[0])["table_schema"]
    return (
        f"SELECT 1 FROM information_schema.tables WHERE table_schema = {literal(schema)}"
        f" AND table_name IN ({listed_names}) LIMIT 1"
    )


def check_copyable(table: Table) -> None:
    """Refuse a table that another cannot take the place of.

    Raises:
        Refused: it has foreign keys, triggers, or no key.
    """
    key_of(table)
    keys = [f'"{c.name}" of "{table.name}"' for c in table.constraints if c.kind is ConstraintKind.FOREIGN]
    keys += [f'"{key.constraint}" of "{key.table}"' for key in table.incoming]
    if keys:
        raise Refused(
            f'foreign key {", ".join(keys)} would stay with the table that goes when "{table.name}" is written again,'
            " and its cascades fire no triggers",
            remedy="drop it in an earlier revision (RunSQL with ALTER TABLE … DROP FOREIGN KEY …), and add it again"
            " once this one is purged",
        )
    if table.triggers:
        raise Refused(
            f'trigger "{table.triggers[0].name}" would stay with the table that goes when "{table.name}" is written'
            " again",
            remedy="drop it in an earlier revision with RunSQL, and create it again after the contract of this one",
        )


def check_wanted(table: Table, wanted: Rebuilding) -> None:
    """Refuse changes that cannot be carried both ways.

    Raises:
        Refused: with what to write.
    """
    up, down = dict(wanted.up), dict(wanted.down)
    for name, type_ in wanted.types:
        column, mapped = table.column(name), name in up and name in down
        if column.generated is not None:
            raise Refused(f'"{name}" of "{table.name}" is generated', remedy="drop it and add it again with RunSQL")
        old, new = FAMILIES.get(base_type(column.type)), FAMILIES.get(base_type(type_))
        if not mapped and (name in up or name in down or old is None or old != new):
            raise Refused(
                f'a value of "{name}" ({column.type}) may not be one of {type_}, and rows are kept the same both ways'
                " until the purge",
                remedy=f'add up={{"{name}": "<expression over {name}>"}} and down={{"{name}": "<expression over'
                f' {name}>"}}',
            )
        if mapped and name in table.row_key():
            raise Refused(
                f'"{name}" is part of the key of "{table.name}", by which both tables find their rows: up and down'
                " cannot change it",
                remedy="give it another type of the same kind, without up and down",
            )
    if wanted.row_format and wanted.row_format.upper() not in ROW_FORMATS:
        raise Refused(f'there is no row format "{wanted.row_format}"', remedy=" ".join(ROW_FORMATS))
    if wanted.collation:
        check_collation(table, wanted.collation)


def check_collation(table: Table, collation: str) -> None:
    if not re.fullmatch(r"[a-z0-9]+_\w+", collation, re.I):
        raise Refused(
            f'"{collation}" is no collation that says its character set', remedy='for example: "utf8mb4_unicode_ci"'
        )
    for column in table.columns:
        if column.generated is not None and base_type(column.type) in mysql_limits.COLLATED:
            raise Refused(
                f'"{column.name}" of "{table.name}" is generated, and would keep the collation it was made with',
                remedy="drop it in an earlier revision, and add it again with RunSQL after the contract of this one",
            )
