"""What statements of the version that is live would no longer find, or would be refused, on MySQL and MariaDB."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.mysql import alterations
from linters.rules.base import COMPATIBILITY, At, Found
from linters.rules.compatibility import CONTRACT, own
from linters.rules.mysql.base import T, rule
from linters.values import Name


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
    good="ALTER TABLE t ALTER a SET DEFAULT 0",
)
def drop_column(at: At) -> Iterator[Found]:
    table, column = at.session.relation(at.action.table), at.action.column
    if not at.in_use(table.name) or (table.complete and table.column(column) is None):
        return
    along = [i.name.name for i in at.session.indexes_of(table.name) if column in i.columns]
    lost = f"; index {', '.join(along)} loses it, without a word" if along else ""
    yield Found(f"statements that name {table.name}.{column} fail{lost}")


@rule(
    "drop-table",
    COMPATIBILITY,
    actions.DropTable,
    condition="a table or view in use is dropped",
    effect="every statement of the live version that names it fails; the rows are gone",
    safer="release a version that does not use it, wait until the old one is gone, then drop it",
    harmless_in=CONTRACT,
    given=T,
    bad="DROP TABLE t",
    good="ALTER TABLE t COMMENT='leaves with the next release'",
)
def drop_table(at: At) -> Iterator[Found]:
    table = own(at)
    missing = at.action.if_exists and at.session.given.complete and not at.session.knows(table)
    if at.in_use(table) and not missing:
        yield Found(f"statements that name {at.action.kind} {table} fail")


@rule(
    "rename-column",
    COMPATIBILITY,
    actions.RenameColumn,
    alterations.ModifyColumn,
    condition="a column of a table in use is renamed, by RENAME COLUMN or CHANGE",
    effect="statements of the live version that use the old name fail; no release can be atomic",
    safer="a second column, kept in step by triggers, backfilled, and the first one dropped once nobody uses it",
    harmless_in=CONTRACT,
    given=T,
    bad="ALTER TABLE t RENAME COLUMN a TO z",
    good="ALTER TABLE t ADD COLUMN z INT",
)
def rename_column(at: At) -> Iterator[Found]:
    table, action = own(at), at.action
    to = action.to if isinstance(action, actions.RenameColumn) else action.to.name
    if to.lower() != action.column.lower() and at.in_use(table):
        yield Found(
            f"statements that name {table}.{action.column} fail",
            f"ALTER TABLE {table} ADD COLUMN {to} …, ALGORITHM=INSTANT;\n"
            f"-- triggers keep {action.column} and {to} in step; backfill in batches",
        )


@rule(
    "rename-table",
    COMPATIBILITY,
    actions.RenameTable,
    condition="a table in use gets another name",
    effect="statements of the live version that use the old name fail; all of them wait until the last one is done",
    safer="a view under the new name, which the next version uses; the table is renamed when the old one is gone",
    harmless_in=CONTRACT,
    given=T,
    bad="RENAME TABLE t TO u",
    good="CREATE VIEW u AS SELECT id, a FROM t",
)
def rename_table(at: At) -> Iterator[Found]:
    old = own(at)
    renamed = [a for a in at.siblings if isinstance(a, actions.RenameTable)]
    taken = [name_after(a, at) for a in renamed]
    comes_in = name_after(at.action, at) in [at.session.resolve(a.table) for a in renamed]
    if at.in_use(old) and old not in taken and not comes_in:
        yield Found(
            f"statements that name {old} fail",
            f"CREATE VIEW {at.action.to} AS SELECT * FROM {old};  -- until nobody names {old}",
        )


def name_after(action: actions.RenameTable, at: At) -> Name:
    return at.session.resolve(action.to)


@rule(
    "required-column",
    COMPATIBILITY,
    actions.AddColumn,
    condition="a column is added that is NOT NULL without a default",
    effect="INSERT of the live version fails in strict mode; rows that are there get 0 or ''",
    safer="add it with a DEFAULT, and drop that once every writer gives a value",
    given=T,
    bad="ALTER TABLE t ADD COLUMN z INT NOT NULL",
    good="ALTER TABLE t ADD COLUMN z INT NOT NULL DEFAULT 0",
)
def required_column(at: At) -> Iterator[Found]:
    table, column = own(at), at.action.column
    demanded = column.not_null and column.default is None and not column.generated and not column.sequence
    if at.in_use(table) and demanded:
        yield Found(
            f"{column.name} is NOT NULL and has no default: INSERT of the live version gives none",
            f"ALTER TABLE {table} ADD COLUMN {column.name} {column.type} NOT NULL DEFAULT …, ALGORITHM=INSTANT;",
        )


@rule(
    "drop-default",
    COMPATIBILITY,
    actions.DropDefault,
    alterations.ModifyColumn,
    condition="the default of a column is dropped, or left out of a MODIFY, where a value is needed",
    effect="INSERT of the live version that leaves the column out fails",
    safer="keep the default until every writer gives a value; MODIFY says everything about a column again",
    harmless_in=CONTRACT,
    given="CREATE TABLE t (id INT PRIMARY KEY, b INT NOT NULL DEFAULT 7);",
    bad="ALTER TABLE t ALTER b DROP DEFAULT",
    good="ALTER TABLE t ALTER b SET DEFAULT 8",
)
def drop_default(at: At) -> Iterator[Found]:
    table, action = own(at), at.action
    column = at.session.relation(action.table).column(action.column)
    if not at.in_use(table) or (column is not None and column.default is None):
        return
    if isinstance(action, alterations.ModifyColumn) and (
        column is None or not column.not_null or not action.to.not_null or action.to.default is not None
    ):
        return
    yield Found(f"INSERT that leaves {table}.{action.column} out fails")


@rule(
    "enum-value-removed",
    COMPATIBILITY,
    alterations.ModifyColumn,
    condition="a value of an ENUM or SET goes, or gets another name",
    effect="the live version writes and compares a value that is gone; rows that have it make the statement fail",
    safer="leave it, and add the others at the end",
    given="CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a', 'b'));",
    bad="ALTER TABLE t MODIFY e ENUM('a')",
    good="ALTER TABLE t MODIFY e ENUM('a', 'b', 'c')",
)
def enum_value(at: At) -> Iterator[Found]:
    old = at.session.column(at.action.table, at.action.column)
    gone = [label for label in old.labels if at.action.to.labels and label not in at.action.to.labels]
    if gone and at.in_use(at.action.table):
        yield Found(f"'{gone[0]}' of {own(at)}.{at.action.column} is gone for statements that write or compare it")


@rule(
    "drop-object",
    COMPATIBILITY,
    actions.DropOther,
    condition="a database, procedure, function or sequence is dropped",
    effect="statements of the live version that use it fail",
    safer="release a version that does not use it, wait until the old one is gone, then drop it",
    harmless_in=CONTRACT,
    given="CREATE PROCEDURE p() SELECT 1;",
    bad="DROP PROCEDURE p",
    good="CREATE PROCEDURE q() SELECT 2",
)
def drop_object(at: At) -> Iterator[Found]:
    kind, name = at.action.kind, at.action.name.rpartition(".")[2]
    if kind in ("TRIGGER", "EVENT"):
        return
    known = at.session.routines.get(name)
    absent = kind in ("PROCEDURE", "FUNCTION") and known is None and at.session.given.complete
    if not absent and not (known is not None and known.body == "script"):
        yield Found(f"statements that use {kind.lower()} {at.action.name} fail")


@rule(
    "drop-unique",
    COMPATIBILITY,
    actions.DropIndex,
    condition="a unique index is dropped",
    effect="INSERT … ON DUPLICATE KEY UPDATE and REPLACE of the live version insert duplicates",
    safer="keep it until no live version upserts by it",
    harmless_in=CONTRACT,
    given="CREATE TABLE t (id INT PRIMARY KEY, a INT, UNIQUE KEY t_a (a));",
    bad="ALTER TABLE t DROP INDEX t_a",
    good="ALTER TABLE t ADD INDEX t_b (a)",
)
def drop_unique(at: At) -> Iterator[Found]:
    index = at.session.indexes.get(at.action.index)
    if index is not None and index.unique and at.in_use(index.table):
        yield Found(f"ON DUPLICATE KEY UPDATE of {index.table} by ({', '.join(index.columns)}) inserts duplicates")


@rule(
    "revoke",
    COMPATIBILITY,
    actions.Revoke,
    condition="a privilege is revoked",
    effect="statements of the live version that need it fail",
    safer="release a version that does not need it first",
    harmless_in=CONTRACT,
    given=T,
    bad="REVOKE SELECT ON shop.t FROM app",
    good="GRANT SELECT ON shop.t TO app",
)
def revoke(at: At) -> Iterator[Found]:
    yield Found(f"statements of {at.action.role} that need {at.action.what} fail")
