"""Indexes, constraints and whole tables of MySQL and MariaDB that are not changed at once."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.mysql import alterations
from linters.mysql.ways import Algorithm, AlterCost, is_mariadb
from linters.rules.base import HAZARD, At, Found
from linters.rules.mysql.base import SHADOW, AlterTable, T, costly, found, is_costly, rule, table_of
from linters.values import Kind


@rule(
    "index-blocks-writes",
    HAZARD,
    AlterTable,
    actions.CreateIndex,
    condition="a FULLTEXT or SPATIAL index, or one of an expression, is built on a table in use",
    effect="writers wait while it is built",
    safer=f"a search service beside the database, a quiet hour, or {SHADOW}",
    given="CREATE TABLE t (id INT PRIMARY KEY, a INT, tx TEXT);",
    bad="CREATE FULLTEXT INDEX t_tx ON t (tx)",
    good="CREATE INDEX t_a ON t (a)",
)
def index(at: At) -> Iterator[Found]:
    for part, way in costly(at, actions.CreateIndex):
        yield found(at, f"index {part.index.name.name}", way)


@rule(
    "foreign-key-copies",
    HAZARD,
    AlterTable,
    condition="a foreign key is added while foreign_key_checks is on",
    effect="the table is copied while writers wait",
    safer="SET foreign_key_checks = 0 for this statement, ALGORITHM=INPLACE, LOCK=NONE; look for orphans afterwards",
    given=T,
    bad="ALTER TABLE t ADD CONSTRAINT t_r FOREIGN KEY (a) REFERENCES r (id)",
    good="SET foreign_key_checks = 0; ALTER TABLE t ADD CONSTRAINT t_r FOREIGN KEY (a) REFERENCES r (id),"
    " ALGORITHM=INPLACE, LOCK=NONE; SET foreign_key_checks = 1",
)
def foreign_key(at: At) -> Iterator[Found]:
    for part, way in costly(at, actions.AddConstraint):
        constraint, table = part.constraint, table_of(at)
        if constraint.kind is Kind.FOREIGN:
            columns = ", ".join(constraint.columns)
            target = ", ".join(constraint.referenced_columns)
            yield found(
                at,
                f"FOREIGN KEY ({columns})",
                way,
                "SET foreign_key_checks = 0;\n"
                f"ALTER TABLE {table} ADD FOREIGN KEY ({columns}) REFERENCES {constraint.references} ({target}),"
                " ALGORITHM=INPLACE, LOCK=NONE;\nSET foreign_key_checks = 1;\n"
                f"SELECT … FROM {table} LEFT JOIN {constraint.references} … WHERE … IS NULL;  -- orphans",
            )


@rule(
    "check-copies",
    HAZARD,
    AlterTable,
    condition="a CHECK is added, or enforced, on a table in use",
    effect="the table is copied while writers wait",
    safer=f"keep the rule in the application; on MySQL NOT ENFORCED costs nothing; or {SHADOW}",
    given=T,
    bad="ALTER TABLE t ADD CONSTRAINT t_a CHECK (a > 0)",
    good="ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT",
)
def check(at: At) -> Iterator[Found]:
    for part, way in costly(at, actions.AddConstraint, alterations.EnforceCheck):
        if isinstance(part, alterations.EnforceCheck) or part.constraint.kind is Kind.CHECK:
            yield found(at, "the CHECK", way)


@rule(
    "primary-key-rebuilds",
    HAZARD,
    AlterTable,
    condition="a primary key is added, dropped or exchanged on a table in use",
    effect="every row moves; without a new key in the same statement writers wait for the copy",
    safer=f"DROP PRIMARY KEY and ADD PRIMARY KEY in one statement, LOCK=NONE, in a quiet hour; or {SHADOW}",
    given=T,
    bad="ALTER TABLE t DROP PRIMARY KEY",
    good="ALTER TABLE t ADD INDEX t_b (b)",
)
def primary_key(at: At) -> Iterator[Found]:
    for part, way in costly(at, actions.AddConstraint, actions.DropConstraint, actions.DropIndex):
        if isinstance(part, actions.DropConstraint | actions.DropIndex):
            yield found(at, "dropping the key", way)
            return
        if part.constraint.kind is Kind.PRIMARY:
            yield found(at, "PRIMARY KEY", way)
            return


@rule(
    "charset-copies",
    HAZARD,
    AlterTable,
    condition="CONVERT TO CHARACTER SET of a table with texts that are stored or sorted otherwise",
    effect="the table is copied while writers wait; what was unique may no longer be",
    safer=f"a column at a time, by {SHADOW}",
    given="CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200)) CHARSET=latin1;",
    bad="ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4",
    good="ALTER TABLE t DEFAULT CHARACTER SET utf8mb4",
)
def charset(at: At) -> Iterator[Found]:
    for part, way in costly(at, alterations.ConvertCharset):
        yield found(at, f"CONVERT TO {part.charset}", way)


@rule(
    "table-rebuilds",
    HAZARD,
    AlterTable,
    condition="ENGINE, ROW_FORMAT, FORCE, OPTIMIZE or another clause writes the whole table again",
    effect="the table is written again; a replica falls behind by as long, and the log of the changes may overflow",
    safer=f"a quiet hour with room in innodb_online_alter_log_max_size, or {SHADOW}",
    given=T,
    bad="ALTER TABLE t ENGINE=InnoDB",
    good="ALTER TABLE t COMMENT='x'",
)
def rebuilds(at: At) -> Iterator[Found]:
    for part, way in costly(at, alterations.TableOptions, actions.Rewrite):
        what = part.by if isinstance(part, actions.Rewrite) else part.options[0][0]
        yield found(at, what, way)


@rule(
    "partitions-move-rows",
    HAZARD,
    AlterTable,
    condition="rows of a table in use go to other partitions: PARTITION BY, REMOVE, REORGANIZE, REBUILD, COALESCE",
    effect="writers wait while the rows are copied",
    safer=f"add and drop whole partitions; for another layout {SHADOW}",
    given=T + "CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10));",
    bad="ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4",
    good="ALTER TABLE p ADD PARTITION (PARTITION p1 VALUES LESS THAN (20))",
)
def partitions(at: At) -> Iterator[Found]:
    for part, way in costly(at, alterations.AlterPartitions):
        yield found(at, f"{part.what} PARTITION", way)


@rule(
    "exchange-reads-rows",
    HAZARD,
    AlterTable,
    condition="EXCHANGE PARTITION WITH VALIDATION, which is what it does unless told otherwise",
    effect="reads and writes of both tables wait while every row is looked at",
    safer="check the rows beforehand, and EXCHANGE … WITHOUT VALIDATION",
    given="CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10));"
    "CREATE TABLE q (id INT PRIMARY KEY);",
    bad="ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE q",
    good="ALTER TABLE p EXCHANGE PARTITION p0 WITH TABLE q WITHOUT VALIDATION",
)
def exchange(at: At) -> Iterator[Found]:
    for part in at.action.parts:
        if isinstance(part, alterations.AlterPartitions) and part.what == "EXCHANGE" and part.checked:
            yield Found(f"every row that comes into {table_of(at)} is looked at while everybody waits")


@rule(
    "drop-partition",
    HAZARD,
    AlterTable,
    condition="DROP or TRUNCATE PARTITION of a table in use",
    effect="its rows are gone",
    safer="EXCHANGE it with an empty table WITHOUT VALIDATION first, and keep that for a while",
    given="CREATE TABLE p (id INT PRIMARY KEY) PARTITION BY RANGE (id)"
    " (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20));",
    bad="ALTER TABLE p TRUNCATE PARTITION p0",
    good="ALTER TABLE p ADD PARTITION (PARTITION p2 VALUES LESS THAN (30))",
    harmless_in=("contract",),
)
def drop_partition(at: At) -> Iterator[Found]:
    for part in at.action.parts:
        if isinstance(part, alterations.AlterPartitions) and part.what in ("DROP", "TRUNCATE", "DISCARD"):
            yield Found(f"the rows of that partition of {table_of(at)} are gone")


@rule(
    "mixed-alter",
    HAZARD,
    AlterTable,
    condition="parts that are cheap alone stand in one ALTER, whose algorithm must do for all of them",
    effect="the table is written again, although no part needs it",
    safer="a statement for each part, each with the ALGORITHM it is to have",
    given=T,
    bad="ALTER TABLE t ADD COLUMN c INT, ADD INDEX t_a (a)",
    good="ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT; ALTER TABLE t ADD INDEX t_a (a)",
)
def mixed(at: At) -> Iterator[Found]:
    cost = at.cost
    if not isinstance(cost, AlterCost) or cost.error or not at.in_use(at.action.table) or len(cost.parts) < 2:
        return
    if is_costly(cost.way) and not any(is_costly(way) for _, way in cost.parts) and not at.action.algorithm:
        yield found(at, "all of it together", cost.way, f"ALTER TABLE {table_of(at)} …;  -- once for each part")


@rule(
    "blocking-asked-for",
    HAZARD,
    AlterTable,
    condition="ALGORITHM=COPY, LOCK=SHARED or LOCK=EXCLUSIVE asks for more than the server needs",
    effect="writers wait, or readers too, for what could be done beside them",
    safer="leave the clause out, or ask for ALGORITHM=INSTANT or LOCK=NONE",
    given=T,
    bad="ALTER TABLE t ADD INDEX t_a (a), LOCK=SHARED",
    good="ALTER TABLE t ADD INDEX t_a (a), LOCK=NONE",
)
def asked(at: At) -> Iterator[Found]:
    cost, action = at.cost, at.action
    if not isinstance(cost, AlterCost) or cost.error or not at.in_use(action.table):
        return
    if any(is_costly(way) for _, way in cost.parts):
        return
    copies = action.algorithm == "COPY"
    locks = action.lock in ("SHARED", "EXCLUSIVE") and cost.way.algorithm > Algorithm.INSTANT
    inplace = action.algorithm == "INPLACE" and not is_mariadb(at.session) and is_costly(cost.way)
    if copies or locks or inplace:
        clause = f"LOCK={action.lock}" if locks and not copies else f"ALGORITHM={action.algorithm}"
        yield found(at, clause, cost.way)


@rule(
    "statement-fails",
    HAZARD,
    AlterTable,
    condition="the server refuses the statement, or the ALGORITHM or LOCK that it asks for",
    effect="the migration stops; what was done before it stays done",
    safer="take away what stands in the way first; for a change that needs a copy, a shadow table",
    given=T,
    bad="ALTER TABLE t MODIFY a BIGINT, ALGORITHM=INSTANT",
    good="ALTER TABLE t ADD COLUMN c INT, ALGORITHM=INSTANT",
)
def refused(at: At) -> Iterator[Found]:
    if at.cost.error and at.in_use(at.action.table):
        yield Found(f"the server refuses this: {at.cost.error}")
