"""Columns that cost a rewrite or a scan when they come, and types that change."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.rules.base import HAZARD, At, Found, code, quoted, rule, schema_of, sql_name
from linters.values import Column, Kind, Name

T = "CREATE TABLE r (id bigint PRIMARY KEY); CREATE TABLE t (id bigint PRIMARY KEY, n int, v varchar(20));"


def add_operation(table: Name, column: Column, **named: object) -> str:
    return code("AddColumn", table.name, column.name, str(column.type), schema=schema_of(table), **named)


@rule(
    "add-column-rewrites",
    HAZARD,
    actions.AddColumn,
    condition="a column is added whose value differs from row to row: a volatile default, serial, identity, STORED",
    effect="reads and writes wait while the table and all its indexes are written again",
    safer="add the column without it, SET DEFAULT for new rows, and backfill the others in batches",
    given=T,
    bad="ALTER TABLE t ADD COLUMN token uuid DEFAULT gen_random_uuid()",
    good="ALTER TABLE t ADD COLUMN token uuid; ALTER TABLE t ALTER token SET DEFAULT gen_random_uuid()",
)
def rewriting_column(at: At) -> Iterator[Found]:
    if not at.worked_on(at.cost.rewrites):
        return
    table, column = at.session.resolve(at.action.table), at.action.column
    start = f"ALTER TABLE {sql_name(table)}"
    steps = [f"{start} ADD COLUMN {quoted(column.name)} {column.type};"]
    operation = ""
    if column.default is not None and not column.generated:
        steps += [
            f"{start} ALTER {quoted(column.name)} SET DEFAULT {column.default};",
            f"UPDATE {sql_name(table)} SET {quoted(column.name)} = {column.default} WHERE …;  -- in batches",
        ]
        operation = add_operation(table, column, default=str(column.default), nullable=not column.not_null or None)
    elif column.generated:
        steps += ["-- a trigger computes it for what is written, batches for the rows that are there"]
        operation = add_operation(table, column, fill=str(column.default))
    elif column.sequence:
        steps += ["-- a sequence of its own, SET DEFAULT nextval(…), batches for the rows that are there"]
    else:
        steps = [
            f"{start} ADD COLUMN {quoted(column.name)} …;  -- the base type",
            f"{start} ADD CONSTRAINT … CHECK (…) NOT VALID;",
            f"{start} VALIDATE CONSTRAINT …;",
        ]
    yield Found(f"adding {column.name} writes {table} again: {at.cost.why}", "\n".join(steps), operation)


@rule(
    "add-column-scans",
    HAZARD,
    actions.AddColumn,
    condition="a column is added with a CHECK, or with a default and REFERENCES, or VIRTUAL and NOT NULL",
    effect="reads and writes wait while every row is checked, although all have the same value",
    safer="add the column first, then the constraint NOT VALID, then VALIDATE",
    given=T,
    bad="ALTER TABLE t ADD COLUMN z int DEFAULT 1 CHECK (z > 0)",
    good="""ALTER TABLE t ADD COLUMN z int DEFAULT 1;
ALTER TABLE t ADD CONSTRAINT t_z CHECK (z > 0) NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT t_z;""",
)
def scanning_column(at: At) -> Iterator[Found]:
    if at.cost.rewrites or not at.worked_on(at.cost.scans):
        return
    table, column = at.session.resolve(at.action.table), at.action.column
    yield Found(
        f"adding {column.name} reads every row of {table}: {at.cost.why}",
        f"ALTER TABLE {sql_name(table)} ADD COLUMN {quoted(column.name)} {column.type};\n"
        f"ALTER TABLE {sql_name(table)} ADD CONSTRAINT … NOT VALID;\n"
        f"ALTER TABLE {sql_name(table)} VALIDATE CONSTRAINT …;",
    )


@rule(
    "add-column-builds-index",
    HAZARD,
    actions.AddColumn,
    condition="a column is added with UNIQUE or PRIMARY KEY",
    effect="reads and writes wait while its index is built",
    safer="add the column, CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX",
    given=T,
    bad="ALTER TABLE t ADD COLUMN z int UNIQUE",
    good="""ALTER TABLE t ADD COLUMN z int;
CREATE UNIQUE INDEX CONCURRENTLY t_z ON t (z);
ALTER TABLE t ADD CONSTRAINT t_z UNIQUE USING INDEX t_z;""",
)
def unique_column(at: At) -> Iterator[Found]:
    if not at.worked_on(at.cost.builds):
        return
    table, column = at.session.resolve(at.action.table), at.action.column
    name = quoted(f"{table.name}_{column.name}_key")
    kind = next(c.kind.value for c in column.constraints if c.kind in (Kind.UNIQUE, Kind.PRIMARY))
    yield Found(
        f"adding {column.name} builds its index while reads and writes of {table} wait",
        f"ALTER TABLE {sql_name(table)} ADD COLUMN {quoted(column.name)} {column.type};\n"
        f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {sql_name(table)} ({quoted(column.name)});\n"
        f"ALTER TABLE {sql_name(table)} ADD CONSTRAINT {name} {kind} USING INDEX {name};",
        f"{add_operation(table, column)}, {code('AddUnique', table.name, [column.name], schema=schema_of(table))}",
    )


@rule(
    "change-type-rewrites",
    HAZARD,
    actions.ChangeType,
    condition="a column gets a type whose values are stored otherwise, or USING",
    effect="reads and writes wait while the table and all its indexes are written again",
    safer="a second column, kept in step by triggers, backfilled in batches, that takes the name",
    given=T,
    bad="ALTER TABLE t ALTER n TYPE bigint",
    good="ALTER TABLE t ALTER v TYPE varchar(40)",
)
def rewriting_type(at: At) -> Iterator[Found]:
    table = at.session.resolve(at.action.table)
    if at.cost.rewrites and at.worked_on(at.cost.rewrites):
        yield Found(
            f"{at.action.column} TYPE {at.action.type} writes {table} again: {at.cost.why or at.cost.assumed}",
            type_steps(at),
            type_operation(at),
        )


def type_operation(at: At) -> str:
    table = at.session.resolve(at.action.table)
    up = str(at.action.using) if at.action.using is not None else None
    return code("ChangeType", table.name, at.action.column, str(at.action.type), up=up, schema=schema_of(table))


def type_steps(at: At) -> str:
    table, column = sql_name(at.session.resolve(at.action.table)), at.action.column
    second = quoted(f"{column}_2")
    value = str(at.action.using) if at.action.using is not None else f"{quoted(column)}::{at.action.type}"
    return (
        f"ALTER TABLE {table} ADD COLUMN {second} {at.action.type};\n"
        f"-- triggers keep {quoted(column)} and {second} in step\n"
        f"UPDATE {table} SET {second} = {value} WHERE …;  -- in batches\n"
        f"-- then the names are switched in one short transaction"
    )


@rule(
    "change-type-checks",
    HAZARD,
    actions.ChangeType,
    condition="a type changes for free, but the column has a CHECK, or an index computed from it",
    effect="reads and writes wait while every row is checked, or the index is built again",
    safer="drop the CHECK, or the index, first, and bring it back NOT VALID, or CONCURRENTLY",
    given="CREATE TABLE t (id bigint PRIMARY KEY, v varchar(20) CHECK (v <> ''));",
    bad="ALTER TABLE t ALTER v TYPE varchar(40)",
    good="""ALTER TABLE t DROP CONSTRAINT t_v_check;
ALTER TABLE t ALTER v TYPE varchar(40);
ALTER TABLE t ADD CONSTRAINT t_v_check CHECK (v <> '') NOT VALID;
ALTER TABLE t VALIDATE CONSTRAINT t_v_check;""",
)
def checked_type(at: At) -> Iterator[Found]:
    if at.cost.rewrites or not at.worked_on([*at.cost.scans, *at.cost.builds]):
        return
    table = at.session.resolve(at.action.table)
    yield Found(
        f"{at.action.column} TYPE {at.action.type} leaves the rows of {table} as they are, but {at.cost.why}",
        "",
        type_operation(at),
    )
