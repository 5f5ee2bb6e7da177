"""What statements of the version that is live would no longer find, or would be refused."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.postgresql.costs import requires_a_value
from linters.rules.base import COMPATIBILITY, At, Found, code, quoted, rule, schema_of, sql_name
from linters.values import Kind, Name

T = "CREATE TABLE t (id bigint PRIMARY KEY, a int, b text NOT NULL DEFAULT 'x', c int UNIQUE);"
CONTRACT = ("contract",)


def own(at: At) -> Name:
    return at.session.resolve(at.action.table)


@rule(
    "drop-column",
    COMPATIBILITY,
    actions.DropColumn,
    condition="a column of a table in use is dropped",
    effect="SELECT, INSERT and UPDATE of the live version that name the column fail; the values are gone",
    safer="release a version that does not use the column, wait until the old one is gone, then drop it",
    harmless_in=CONTRACT,
    given=T,
    bad="ALTER TABLE t DROP COLUMN a",
    good="ALTER TABLE t ALTER a DROP NOT NULL",
)
def drop_column(at: At) -> Iterator[Found]:
    table, column = at.session.relation(at.action.table), at.action.column
    if not at.in_use(table.name) or (table.complete and table.column(column) is None):
        return
    along = [c.name for c in table.constraints if column in c.columns and len(c.columns) > 1]
    along += [i.name.name for i in at.session.indexes_of(table.name) if column in i.columns and len(i.columns) > 1]
    message = f"statements that name {table.name}.{column} fail"
    if along:
        message += f"; {', '.join(dict.fromkeys(along))} goes with it, without a word"
    yield Found(message, operation=code("DropColumn", table.name.name, column, schema=schema_of(table.name)))


@rule(
    "drop-table",
    COMPATIBILITY,
    actions.DropTable,
    condition="a table, view or sequence in use is dropped",
    effect="every statement of the live version that names it fails; the rows are gone",
    safer="release a version that does not use it, wait until the old one is gone, then drop it",
    harmless_in=CONTRACT,
    given=T,
    bad="DROP TABLE t",
    good="COMMENT ON TABLE t IS 'leaves with the next release'",
)
def drop_table(at: At) -> Iterator[Found]:
    table = own(at)
    if at.session.given.complete and at.action.kind != "sequence" and not at.session.knows(table):
        return
    if at.in_use(table) and not made_again(at, table):
        operation = code("DropTable", table.name, schema=schema_of(table)) if at.action.kind == "table" else ""
        yield Found(f"statements that name {at.action.kind} {table} fail", operation=operation)


def made_again(at: At, table: Name) -> bool:
    """Whether the same transaction puts a view or a table in the place of one that goes."""
    found = (*at.siblings, *at.ahead())
    making = (actions.CreateView, actions.CreateTable, actions.RenameTable)
    return any(isinstance(a, making) and name_of(a, at) == table and a is not at.action for a in found)


@rule(
    "rename-column",
    COMPATIBILITY,
    actions.RenameColumn,
    condition="a column of a table in use is renamed",
    effect="statements of the live version that use the old name fail, functions too; no release can be atomic",
    safer="a second column, kept in step by triggers, backfilled, and the first one dropped once nobody uses it",
    harmless_in=CONTRACT,
    given=T,
    bad="ALTER TABLE t RENAME a TO z",
    good="ALTER TABLE t ADD COLUMN z int",
)
def rename_column(at: At) -> Iterator[Found]:
    table = own(at)
    known = at.session.relation(table).column(at.action.column)
    mine = known is not None and known.born and known.born == at.session.script  # the live version does not know it
    if at.in_use(table) and not mine and not turned_back(at, table):
        yield Found(
            f"statements that name {table}.{at.action.column} fail",
            f"ALTER TABLE {sql_name(table)} ADD COLUMN {quoted(at.action.to)} …;\n"
            f"-- triggers keep {quoted(at.action.column)} and {quoted(at.action.to)} in step; backfill in batches",
            code("RenameColumn", table.name, at.action.column, at.action.to, schema=schema_of(table)),
        )


def turned_back(at: At, table: Name) -> bool:
    """Whether the same transaction gives the name back, to this column or to the one that takes its place."""
    found = (*at.siblings, *at.ahead())
    renames = [a for a in found if isinstance(a, actions.RenameColumn) and at.session.resolve(a.table) == table]
    return any(a.to == at.action.column for a in renames)


@rule(
    "rename-table",
    COMPATIBILITY,
    actions.RenameTable,
    condition="a table, view or sequence in use gets another name or schema",
    effect="statements of the live version that use the old name fail",
    safer="rename it and create a view under the old name, in one transaction",
    harmless_in=CONTRACT,
    given=T,
    bad="ALTER TABLE t RENAME TO u",
    good="CREATE VIEW u AS SELECT * FROM t",
)
def rename_table(at: At) -> Iterator[Found]:
    old, new = own(at), at.action.to
    if not at.in_use(old):
        return
    if made_again(at, old):
        return
    operation = ""
    if old.schema == at.session.resolve(new).schema and at.action.kind == "table":
        operation = code("RenameTable", old.name, new.name, schema=schema_of(old))
    yield Found(
        f"statements that name {old} fail",
        f"BEGIN;\nALTER TABLE {sql_name(old)} RENAME TO {quoted(new.name)};\n"
        f"CREATE VIEW {sql_name(old)} AS SELECT * FROM {quoted(new.name)};\nCOMMIT;",
        operation,
    )


def name_of(action: actions.Action, at: At) -> Name:
    name: Name = action.to if isinstance(action, actions.RenameTable) else action.table  # type: ignore[attr-defined]
    return at.session.resolve(name)


@rule(
    "required-column",
    COMPATIBILITY,
    actions.AddColumn,
    condition="a column is added that is NOT NULL without a default",
    effect="the statement fails if there is a row, and INSERT of the live version fails if there is none",
    safer="add it with a DEFAULT, or nullable, and demand a value once every writer gives one",
    given=T,
    bad="ALTER TABLE t ADD COLUMN z int NOT NULL",
    good="ALTER TABLE t ADD COLUMN z int NOT NULL DEFAULT 0",
)
def required_column(at: At) -> Iterator[Found]:
    table, column = own(at), at.action.column
    if at.in_use(table) and requires_a_value(column):
        yield Found(
            f"{column.name} is NOT NULL and has no default: rows that are there have none, INSERT gives none",
            f"ALTER TABLE {sql_name(table)} ADD COLUMN {quoted(column.name)} {column.type};\n"
            f"-- backfill it, and SET NOT NULL through a validated CHECK once every writer gives a value",
            code(
                "AddColumn",
                table.name,
                column.name,
                str(column.type),
                nullable=False,
                fill="…",
                schema=schema_of(table),
            ),
        )


@rule(
    "drop-default",
    COMPATIBILITY,
    actions.DropDefault,
    condition="the default of a column is dropped",
    effect="INSERT of the live version that leaves the column out fails, or stores NULL",
    safer="keep the default until every writer gives a value",
    harmless_in=CONTRACT,
    given=T,
    bad="ALTER TABLE t ALTER b DROP DEFAULT",
    good="ALTER TABLE t ALTER b SET DEFAULT 'y'",
)
def drop_default(at: At) -> Iterator[Found]:
    table, found = own(at), at.session.relation(at.action.table).column(at.action.column)
    if not at.in_use(table):
        return
    if found is not None and found.default is None and not found.sequence:
        return
    if found is not None and found.born and found.born == at.session.script and not found.not_null:
        return  # the live version does not know the column
    yield Found(
        f"INSERT that leaves {table}.{at.action.column} out fails, or stores NULL",
        operation=code("DropDefault", table.name, at.action.column, schema=schema_of(table)),
    )


@rule(
    "generated-always",
    COMPATIBILITY,
    actions.AddIdentity,
    condition="a column that is there becomes GENERATED ALWAYS AS IDENTITY",
    effect="INSERT of the live version that gives the column a value fails",
    safer="GENERATED BY DEFAULT, and ALWAYS once no live version gives a value",
    harmless_in=CONTRACT,
    given="CREATE TABLE t (id bigint NOT NULL, a int);",
    bad="ALTER TABLE t ALTER id ADD GENERATED ALWAYS AS IDENTITY",
    good="ALTER TABLE t ALTER id ADD GENERATED BY DEFAULT AS IDENTITY",
)
def generated_always(at: At) -> Iterator[Found]:
    table = own(at)
    if at.in_use(table) and at.action.always:
        yield Found(
            f"INSERT that gives {table}.{at.action.column} a value fails",
            f"ALTER TABLE {sql_name(table)} ALTER {quoted(at.action.column)} ADD GENERATED BY DEFAULT AS IDENTITY;",
        )


@rule(
    "rename-enum-value",
    COMPATIBILITY,
    actions.RenameEnumValue,
    condition="a value of an enum type is renamed",
    effect="the live version writes and compares a value that is gone, and reads one it does not know",
    safer="add the new value, move the rows, and leave the old one",
    harmless_in=CONTRACT,
    given="CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE TABLE t (m mood);",
    bad="ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'",
    good="ALTER TYPE mood ADD VALUE 'blue'",
)
def rename_enum_value(at: At) -> Iterator[Found]:
    known = at.session.enums.get(at.action.type.name)
    if known is None or known.born != at.session.era:
        yield Found(f"'{at.action.value}' of {at.action.type} is gone for statements that write or compare it")


@rule(
    "drop-object",
    COMPATIBILITY,
    actions.DropOther,
    condition="a function, type, schema, domain or extension is dropped",
    effect="statements of the live version that use it fail",
    safer="release a version that does not use it, wait until the old one is gone, then drop it",
    harmless_in=CONTRACT,
    given="CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    bad="DROP FUNCTION f()",
    good="CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 2'",
)
def drop_object(at: At) -> Iterator[Found]:
    quiet = ("RULE", "STATISTIC EXT", "PUBLICATION", "SUBSCRIPTION", "ROLE", "EVENT TRIGGER", "CAST")
    name = at.action.name.rpartition(".")[2]
    if at.action.kind in quiet or name in own_routines(at):
        return
    known = at.session.routines.get(name) if at.action.kind == "FUNCTION" else None
    if known is not None and known.of_triggers and not at.action.cascade:
        return  # no statement calls it, and while a trigger does the server refuses
    yield Found(f"statements that use {at.action.kind.lower()} {at.action.name} fail")


def own_routines(at: At) -> set[str]:
    """Functions that are dropped and created again in one transaction keep their callers."""
    return {a.routine.name for a in (*at.siblings, *at.ahead()) if isinstance(a, actions.CreateRoutine)}


@rule(
    "rename-object",
    COMPATIBILITY,
    actions.RenameOther,
    condition="a function, type, schema or domain gets another name or schema",
    effect="statements of the live version that use the old name fail",
    safer="create it under the new name, and drop the old one once nobody uses it",
    harmless_in=CONTRACT,
    given="CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';",
    bad="ALTER FUNCTION f() RENAME TO g",
    good="CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 1'",
)
def rename_object(at: At) -> Iterator[Found]:
    if at.action.kind in ("FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE", "TYPE", "DOMAIN", "SCHEMA", "ATTRIBUTE"):
        yield Found(f"statements that use {at.action.kind.lower()} {at.action.name} fail")


@rule(
    "drop-unique",
    COMPATIBILITY,
    actions.DropConstraint,
    actions.DropIndex,
    condition="a unique constraint or index is dropped",
    effect="INSERT … ON CONFLICT of the live version that names its columns fails; duplicates come in",
    safer="keep it until no live version upserts by it",
    harmless_in=CONTRACT,
    given=T,
    bad="ALTER TABLE t DROP CONSTRAINT t_c_key",
    good="ALTER TABLE t ADD COLUMN d int",
)
def drop_unique(at: At) -> Iterator[Found]:
    if isinstance(at.action, actions.DropConstraint):
        table = at.session.relation(at.action.table)
        constraint = table.constraint(at.action.name)
        gone = constraint.kind in (Kind.UNIQUE, Kind.PRIMARY, Kind.EXCLUSION) if constraint else False
        guessed = constraint is None and not table.complete and at.action.name.endswith(("_key", "_pkey"))
        columns, name = (constraint.columns if constraint else ()), table.name
        gone = gone or guessed
    else:
        index = at.session.indexes.get(at.session.resolve(at.action.index))
        if index is None:
            return
        gone, columns, name = index.unique, index.columns, index.table
    if gone and at.in_use(name):
        yield Found(f"ON CONFLICT ({', '.join(columns) or '…'}) of {name} finds nothing to go by")


@rule(
    "revoke",
    COMPATIBILITY,
    actions.Revoke,
    condition="a privilege is revoked",
    effect="statements of the live version that need it fail",
    safer="release a version that does not need it first",
    harmless_in=CONTRACT,
    given=T,
    bad="REVOKE SELECT ON t FROM PUBLIC",
    good="GRANT SELECT ON t TO PUBLIC",
)
def revoke(at: At) -> Iterator[Found]:
    if at.action.tables and not any(map(at.in_use, at.action.tables)):
        return
    yield Found(f"statements of {at.action.role} that need {at.action.what} fail")


@rule(
    "row-security-hides",
    COMPATIBILITY,
    actions.RowSecurity,
    condition="row level security is switched on before there is a policy",
    effect="the live version sees no row, and its writes fail",
    safer="create the policies first, then enable it",
    given=T,
    bad="ALTER TABLE t ENABLE ROW LEVEL SECURITY",
    good="SET lock_timeout = '2s'; CREATE POLICY everyone ON t USING (true); ALTER TABLE t ENABLE ROW LEVEL SECURITY",
)
def row_security(at: At) -> Iterator[Found]:
    table = at.session.relation(at.action.table)
    if at.action.what in ("ENABLE", "FORCE") and at.in_use(table.name) and not table.policies:
        yield Found(f"without a policy nobody but its owner sees a row of {table.name}")
