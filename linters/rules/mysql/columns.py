"""Columns of MySQL and MariaDB that come, go or change other than at once."""

from __future__ import annotations

from collections.abc import Iterator

from linters import actions
from linters.mysql import alterations
from linters.mysql.columns import stands
from linters.mysql.ways import COPY, Algorithm
from linters.rules.base import HAZARD, At, Found
from linters.rules.mysql.base import SHADOW, AlterTable, T, column_of, costly, found, parts, rule, table_of

E = "CREATE TABLE t (id INT PRIMARY KEY, e ENUM('a', 'b') NOT NULL, v VARCHAR(20));"


def is_position_only(part: alterations.ModifyColumn, at: At) -> bool:
    """Whether a MODIFY says nothing but another place."""
    names = [c.name for c in at.session.relation(at.action.table).columns]
    old = at.session.column(at.action.table, part.column)
    moves = bool(part.position) and not (part.column in names and stands(part.column, part.position, names))
    return moves and old.type == part.to.type and old.not_null == part.to.not_null


@rule(
    "change-type-copies",
    HAZARD,
    AlterTable,
    condition="MODIFY or CHANGE to a type whose values are stored otherwise, or to a VARCHAR that crosses 255 bytes",
    effect="the table is copied; writers wait until the copy is done, and a replica falls behind by as long",
    safer=f"a second column, kept in step by triggers and backfilled, that takes the name; or {SHADOW}",
    given=T,
    bad="ALTER TABLE t MODIFY a BIGINT",
    good="ALTER TABLE t MODIFY v VARCHAR(40)",
)
def change_type(at: At) -> Iterator[Found]:
    for part, way in costly(at, alterations.ModifyColumn):
        old = at.session.column(at.action.table, part.column)
        if way.algorithm is COPY and not (part.to.labels and old.labels) and not is_position_only(part, at):
            yield found(at, f"{part.column} {part.to.type}", way, steps(at, part))


def steps(at: At, part: alterations.ModifyColumn) -> str:
    table, second = table_of(at), f"{part.column}_2"
    return (
        f"ALTER TABLE {table} ADD COLUMN {second} {part.to.type}, ALGORITHM=INSTANT;\n"
        f"-- triggers keep {part.column} and {second} in step\n"
        f"UPDATE {table} SET {second} = {part.column} WHERE …;  -- in batches\n"
        f"ALTER TABLE {table} RENAME COLUMN {part.column} TO {part.column}_old,"
        f" RENAME COLUMN {second} TO {part.column}, ALGORITHM=INSTANT;"
    )


@rule(
    "enum-values-copy",
    HAZARD,
    AlterTable,
    condition="values of an ENUM or SET go, change places, or come anywhere but at the end",
    effect="the table is copied while writers wait",
    safer="add values at the end only, with ALGORITHM=INSTANT, and leave those that nobody uses",
    given=E,
    bad="ALTER TABLE t MODIFY e ENUM('a', 'c', 'b') NOT NULL",
    good="ALTER TABLE t MODIFY e ENUM('a', 'b', 'c') NOT NULL",
)
def enum_values(at: At) -> Iterator[Found]:
    for part, way in costly(at, alterations.ModifyColumn):
        old = at.session.column(at.action.table, part.column)
        if way.algorithm is COPY and part.to.labels and old.labels:
            yield found(at, f"{part.column} {part.to.type.name.upper()}", way)


@rule(
    "nullability-rebuilds",
    HAZARD,
    AlterTable,
    condition="MODIFY or CHANGE makes a column NOT NULL, or takes NOT NULL away",
    effect="the table is written again; without strict mode a NULL becomes 0 or ''",
    safer=f"leave it, and check for NULL in the application; or {SHADOW}",
    given=T,
    bad="ALTER TABLE t MODIFY a INT NOT NULL",
    good="ALTER TABLE t MODIFY a INT DEFAULT 0",
)
def nullability(at: At) -> Iterator[Found]:
    for part, way in costly(at, alterations.ModifyColumn):
        old = at.session.column(at.action.table, part.column)
        if way.algorithm is Algorithm.INPLACE and old.not_null != part.to.not_null:
            what = "NOT NULL" if part.to.not_null else "NULL"
            yield found(at, f"{part.column} {what}", way)


@rule(
    "column-position-rebuilds",
    HAZARD,
    AlterTable,
    condition="a column that is there gets another place",
    effect="the table is written again for the order in which SELECT * shows its columns",
    safer="leave columns where they are, and name them in queries",
    dialects=("mysql",),
    given=T,
    bad="ALTER TABLE t MODIFY b INT AFTER id",
    good="ALTER TABLE t ADD COLUMN c INT",
)
def position(at: At) -> Iterator[Found]:
    for part, way in costly(at, alterations.ModifyColumn):
        old = at.session.column(at.action.table, part.column)
        rebuilds = way.algorithm is Algorithm.INPLACE and old.not_null == part.to.not_null
        if rebuilds or is_position_only(part, at):
            yield found(at, f"{part.column} {part.position}", way)


@rule(
    "column-position-copies",
    HAZARD,
    AlterTable,
    condition="a column gets another place in a table with VIRTUAL columns",
    effect="the table is copied while writers wait",
    safer="leave columns where they are, and name them in queries",
    dialects=("mariadb",),
    given="CREATE TABLE t (id INT PRIMARY KEY, a INT, g INT AS (a + 1) VIRTUAL, b INT);",
    bad="ALTER TABLE t MODIFY b INT AFTER id",
    good="ALTER TABLE t ADD COLUMN c INT",
)
def position_mariadb(at: At) -> Iterator[Found]:
    yield from position(at)


@rule(
    "add-column-copies",
    HAZARD,
    AlterTable,
    condition="a column comes that is STORED, AUTO_INCREMENT, checked, a reference, or has an expression for a default",
    effect="the table is copied, or written again; where a value is computed for each row, writers wait",
    safer="a plain column with a constant default, ALGORITHM=INSTANT; fill it in batches",
    given=T,
    bad="ALTER TABLE t ADD COLUMN g INT AS (a + 1) STORED",
    good="ALTER TABLE t ADD COLUMN g INT AS (a + 1) VIRTUAL",
)
def add_column(at: At) -> Iterator[Found]:
    for part, way in costly(at, actions.AddColumn):
        column = part.column
        safer = (
            f"ALTER TABLE {table_of(at)} ADD COLUMN {column.name} {column.type}, ALGORITHM=INSTANT;\n"
            f"UPDATE {table_of(at)} SET {column.name} = … WHERE …;  -- in batches"
        )
        yield found(at, f"adding {column.name}", way, safer)


@rule(
    "drop-column-rebuilds",
    HAZARD,
    AlterTable,
    condition="a column goes that an index of several columns has, or from a table that cannot lose it INSTANTly",
    effect="the table is written again",
    safer="drop or replace the index first, then the column with ALGORITHM=INSTANT",
    given="CREATE TABLE t (id INT PRIMARY KEY, a INT, b INT, KEY ab (a, b));",
    bad="ALTER TABLE t DROP COLUMN b",
    good="ALTER TABLE t DROP INDEX ab, ADD INDEX a2 (a)",
)
def drop_column(at: At) -> Iterator[Found]:
    for part, way in costly(at, actions.DropColumn):
        yield found(at, f"dropping {column_of(part)}", way)


@rule(
    "instant-budget",
    HAZARD,
    AlterTable,
    condition="columns of a table have come or gone INSTANTly so often that the next one writes the table again",
    effect="the table is written again, or the statement fails where it says ALGORITHM=INSTANT",
    safer="look at TOTAL_ROW_VERSIONS of INFORMATION_SCHEMA.INNODB_TABLES; OPTIMIZE TABLE in a quiet hour starts anew",
    dialects=("mysql",),
    version=(8, 4),
    given=T + "".join(f"ALTER TABLE t ADD COLUMN x{i} INT;" for i in range(64)),
    bad="ALTER TABLE t ADD COLUMN y INT, ALGORITHM=INSTANT",
    good="ALTER TABLE t ALTER a SET DEFAULT 1, ALGORITHM=INSTANT",
)
def budget(at: At) -> Iterator[Found]:
    limit = "INSTANT changes"
    if at.in_use(at.action.table) and limit in at.cost.why:
        yield Found(at.cost.why)


@rule(
    "reference-ignored",
    HAZARD,
    AlterTable,
    actions.CreateTable,
    condition="REFERENCES is written beside a column, which MySQL reads and forgets up to 8.4",
    effect="there is no foreign key, and nobody says so",
    safer="a FOREIGN KEY with a line of its own",
    dialects=("mysql",),
    version=(8, 0),
    given=T,
    bad="CREATE TABLE n (id INT PRIMARY KEY, r_id INT REFERENCES r (id))",
    good="CREATE TABLE n (id INT PRIMARY KEY, r_id INT, FOREIGN KEY (r_id) REFERENCES r (id))",
)
def ignored(at: At) -> Iterator[Found]:
    from linters.mysql.ways import since

    if since(at.session, 9, 0):
        return
    for part, _ in parts(at, actions.AddColumn):
        for constraint in part.column.constraints:
            if constraint.references is not None:
                yield Found(f"REFERENCES {constraint.references} beside {part.column.name} is forgotten")
    if isinstance(at.action, actions.CreateTable):
        for constraint in at.action.relation.constraints:
            if constraint.inline:
                yield Found(f"REFERENCES beside {constraint.columns[0]} is forgotten: there is no foreign key")
