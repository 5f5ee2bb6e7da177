"""CREATE, ALTER, DROP and RENAME of tables and indexes as actions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from linters import actions
from linters.actions import Action
from linters.frozen import changed
from linters.mysql import alterations
from linters.mysql.cursor import Cursor, Unknown, plain, written
from linters.mysql.elements import Definition, column_of, default_of, definitions, index_of, key_of
from linters.mysql.tokens import Token
from linters.values import Column, Constraint, Index, Kind, Mode, Name, Relation

OPTIONS = (
    "ENGINE ROW_FORMAT KEY_BLOCK_SIZE COMMENT AUTO_INCREMENT AUTOEXTEND_SIZE AVG_ROW_LENGTH CHECKSUM COMPRESSION"
    " CONNECTION DELAY_KEY_WRITE ENCRYPTION INSERT_METHOD MAX_ROWS MIN_ROWS PACK_KEYS PASSWORD STATS_AUTO_RECALC"
    " STATS_PERSISTENT STATS_SAMPLE_PAGES SECONDARY_ENGINE ENGINE_ATTRIBUTE PAGE_COMPRESSED PAGE_COMPRESSION_LEVEL"
    " ENCRYPTED ENCRYPTION_KEY_ID TRANSACTIONAL PAGE_CHECKSUM SEQUENCE STORAGE TABLE_CHECKSUM TYPE"
    " SECONDARY_ENGINE_ATTRIBUTE START"
).split()
PARTITION_WORDS = (
    "DROP PARTITION", "TRUNCATE PARTITION", "REORGANIZE PARTITION", "COALESCE PARTITION", "EXCHANGE PARTITION",
    "ANALYZE PARTITION", "CHECK PARTITION", "OPTIMIZE PARTITION", "REBUILD PARTITION", "REPAIR PARTITION",
    "DISCARD PARTITION", "IMPORT PARTITION", "CONVERT PARTITION", "CONVERT TABLE",
)  # fmt: skip
QUIET_PARTITION_WORDS = ("ANALYZE", "CHECK")


def create_table(cursor: Cursor) -> Iterator[Action]:
    temporary = cursor.accept("TEMPORARY")
    cursor.expect("TABLE")
    missing = cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.name()
    if cursor.accept("LIKE") or cursor.accept("(", "LIKE"):
        cursor.name()
        yield actions.CreateTable(name, Relation(name, temporary=temporary), missing)
        return
    lines: list[Definition | Index | Constraint] = []
    if cursor.looking_at("(") and cursor.peek(1).upper not in ("SELECT", "WITH"):
        lines = definitions(cursor, name)
    options, partitioned, is_copy = table_options(cursor)
    yield from made_table(name, lines, options, temporary, missing, is_copy, partitioned)


def table_options(cursor: Cursor) -> tuple[tuple[tuple[str, str], ...], bool, bool]:
    """Options of a table, whether it is partitioned, and whether a query fills it."""
    found: list[tuple[str, str]] = []
    partitioned = is_copy = False
    while not cursor.done:
        if (option := option_of(cursor)) is not None:
            found.append(option)
        elif cursor.accept("PARTITION", "BY"):
            partitioned = True
            cursor.at = len(cursor.tokens)
        elif cursor.one_of("SELECT", "WITH", "AS", "IGNORE", "REPLACE", "(", "VALUES", "TABLE"):
            is_copy = True
            cursor.at = len(cursor.tokens)
        elif not cursor.accept(","):
            raise Unknown(f"{cursor.rest()} is no option of a table that is known")
    return tuple(found), partitioned, is_copy


def option_of(cursor: Cursor) -> tuple[str, str] | None:
    start = cursor.at
    cursor.accept("DEFAULT")
    if cursor.one_of("CHARACTER SET", "CHARSET"):
        return "CHARSET", cursor.value().lower()
    if cursor.accept("COLLATE"):
        return "COLLATE", cursor.value().lower()
    if cursor.one_of("DATA DIRECTORY", "INDEX DIRECTORY", "TABLESPACE", "START TRANSACTION"):
        return "TABLESPACE", cursor.value()
    if cursor.accept("UNION"):
        cursor.accept("=")
        return "UNION", written(cursor.group())
    if cursor.accept("WITH", "SYSTEM", "VERSIONING"):
        return "SYSTEM VERSIONING", ""
    if cursor.peek().upper in OPTIONS and cursor.peek().kind == "word":
        return cursor.next().upper, cursor.value()
    cursor.at = start
    return None


def made_table(
    name: Name, lines: list[Definition | Index | Constraint], options: tuple[tuple[str, str], ...],
    temporary: bool, missing: bool, is_copy: bool, partitioned: bool,
) -> Iterator[Action]:  # fmt: skip
    columns: list[Column] = []
    constraints: list[Constraint] = []
    indexes: list[Index] = []
    for line in lines:
        if isinstance(line, Definition):
            columns.append(changed(line.column, constraints=()))
            constraints += line.column.constraints
            indexes += line.indexes
        elif isinstance(line, Index):
            indexes.append(line)
        else:
            constraints.append(line)
    keyed = next((i.columns for i in indexes if i.name.name == "PRIMARY"), ())
    columns = [changed(c, not_null=True) if c.name in keyed else c for c in columns]
    relation = Relation(
        name, "partitioned" if partitioned else "table", tuple(columns), tuple(constraints),
        complete=bool(lines) and not is_copy, temporary=temporary, options=options,
    )  # fmt: skip
    yield actions.CreateTable(name, relation, missing, is_copy=is_copy)
    for index in indexes:
        yield actions.CreateIndex(name, index)


class Alter:
    """Reads ALTER TABLE."""

    def __init__(self, cursor: Cursor, ignore: bool = False, online: bool = False) -> None:
        cursor.expect("TABLE")
        cursor.accept("IF", "EXISTS")
        self.cursor, self.table = cursor, cursor.name()
        self.algorithm, self.lock, self.wait = "", "NONE" if online else "", wait_of(cursor)
        self.parts: list[Action] = [actions.Rewrite(self.table, "ALTER IGNORE TABLE")] if ignore else []

    def read(self) -> Iterator[Action]:
        cursor = self.cursor
        while not cursor.done:
            if cursor.accept(","):
                continue
            self.parts += self.clause() or self.part()
        yield alterations.AlterTable(self.table, tuple(self.parts), self.algorithm, self.lock, self.wait)
        yield from self.parts

    def clause(self) -> list[Action]:
        """ALGORITHM, LOCK and what only says how; an empty list is nothing, and is told from none by its place."""
        cursor = self.cursor
        if cursor.accept("ALGORITHM"):
            self.algorithm = cursor.value().upper()
        elif cursor.accept("LOCK"):
            self.lock = cursor.value().upper()
        elif not cursor.one_of("WITH VALIDATION", "WITHOUT VALIDATION"):
            return []
        return [actions.Harmless("clause")]

    def part(self) -> list[Action]:
        cursor = self.cursor
        for words, known in PARTS:
            if cursor.accept(*words.split()):
                return known(self)
        for words in PARTITION_WORDS:
            if cursor.accept(*words.split()):
                return self.partitions(words.split()[0])
        if (option := option_of(cursor)) is not None:
            found = [option]
            while (option := option_of(cursor)) is not None:
                found.append(option)
            return [alterations.TableOptions(self.table, tuple(found))]
        raise Unknown(f"ALTER TABLE … {cursor.rest()} is not known to this linter")

    def add(self) -> list[Action]:
        cursor, table = self.cursor, self.table
        if cursor.accept("PARTITION"):
            cursor.one_of("IF NOT EXISTS")
            rest = {token.upper for token in cursor.tokens[cursor.at :]}
            cursor.at = len(cursor.tokens)
            return [alterations.AlterPartitions(table, "ADD", "VALUES" in rest)]
        if cursor.one_of("SYSTEM VERSIONING", "PERIOD FOR"):
            cursor.until()
            return [actions.Rewrite(table, "ADD SYSTEM VERSIONING")]
        start = cursor.at
        key = None if cursor.looking_at("COLUMN") else key_of(cursor, table)
        if key is not None:
            return [added(table, key)]
        cursor.at = start
        cursor.accept("COLUMN")
        missing = cursor.accept("IF", "NOT", "EXISTS")
        if cursor.looking_at("("):
            return [part for line in definitions(cursor, table) for part in self.added_line(line, missing)]
        return self.added_line(column_of(cursor, table), missing)

    def added_line(self, line: Definition | Index | Constraint, missing: bool) -> list[Action]:
        if not isinstance(line, Definition):
            return [added(self.table, line)]
        made: list[Action] = [actions.AddColumn(self.table, line.column, missing, line.position)]
        return made + [added(self.table, index) for index in line.indexes]

    def drop(self) -> list[Action]:
        cursor, table = self.cursor, self.table
        if cursor.accept("PRIMARY", "KEY"):
            return [actions.DropConstraint(table, "PRIMARY")]
        if cursor.accept("SYSTEM", "VERSIONING"):
            return [actions.Rewrite(table, "DROP SYSTEM VERSIONING")]
        if kind := cursor.one_of("FOREIGN KEY", "CONSTRAINT", "CHECK"):
            there = cursor.accept("IF", "EXISTS")
            if kind == "CONSTRAINT" and cursor.accept("PRIMARY", "KEY"):
                return [actions.DropConstraint(table, "PRIMARY")]
            return [actions.DropConstraint(table, cursor.identifier(), there)]
        if cursor.one_of("INDEX", "KEY"):
            cursor.accept("IF", "EXISTS")
            return [actions.DropIndex(Name(table.name, cursor.identifier()))]
        cursor.accept("COLUMN")
        cursor.accept("IF", "EXISTS")
        column = cursor.identifier()
        cursor.one_of("CASCADE", "RESTRICT")
        return [actions.DropColumn(table, column)]

    def modify(self) -> list[Action]:
        self.cursor.accept("COLUMN")
        self.cursor.accept("IF", "EXISTS")
        return self.changed(self.cursor.identifier(), "")

    def change(self) -> list[Action]:
        self.cursor.accept("COLUMN")
        self.cursor.accept("IF", "EXISTS")
        return self.changed(self.cursor.identifier(), self.cursor.identifier())

    def changed(self, column: str, to: str) -> list[Action]:
        line = column_of(self.cursor, self.table, to or column)
        made: list[Action] = [alterations.ModifyColumn(self.table, column, line.column, line.position)]
        return made + [added(self.table, index) for index in line.indexes]

    def rename(self) -> list[Action]:
        cursor, table = self.cursor, self.table
        if kind := cursor.one_of("COLUMN", "INDEX", "KEY"):
            cursor.accept("IF", "EXISTS")
            old = cursor.identifier()
            cursor.expect("TO")
            new = cursor.identifier()
            if kind == "COLUMN":
                return [actions.RenameColumn(table, old, new)]
            return [actions.RenameOther("INDEX", old, new, table)]
        cursor.one_of("TO", "AS", "=")
        return [actions.RenameTable(table, beside(cursor.name(), table))]

    def alter(self) -> list[Action]:
        cursor, table = self.cursor, self.table
        if cursor.one_of("INDEX", "KEY"):
            cursor.accept("IF", "EXISTS")
            name = cursor.identifier()
            how = cursor.one_of("VISIBLE", "INVISIBLE", "IGNORED", "NOT IGNORED")
            return [actions.Tune(table, f"INDEX {name} {how}", Mode.NONE)]
        if cursor.one_of("CHECK", "CONSTRAINT"):
            name = cursor.identifier()
            enforced = not cursor.accept("NOT")
            cursor.expect("ENFORCED")
            return [alterations.EnforceCheck(table, name, enforced)]
        cursor.accept("COLUMN")
        cursor.accept("IF", "EXISTS")
        column = cursor.identifier()
        if cursor.accept("DROP", "DEFAULT"):
            return [actions.DropDefault(table, column)]
        cursor.expect("SET")
        if cursor.one_of("INVISIBLE", "VISIBLE"):
            return [actions.Tune(table, f"COLUMN {column} VISIBILITY", Mode.NONE)]
        cursor.expect("DEFAULT")
        return [actions.SetDefault(table, column, default_of(cursor))]

    def convert(self) -> list[Action]:
        charset = self.cursor.value().lower()
        collation = self.cursor.value().lower() if self.cursor.accept("COLLATE") else ""
        return [alterations.ConvertCharset(self.table, charset, collation)]

    def order(self) -> list[Action]:
        self.cursor.at = len(self.cursor.tokens)
        return [actions.Rewrite(self.table, "ORDER BY")]

    def partition_by(self) -> list[Action]:
        self.cursor.at = len(self.cursor.tokens)
        return [alterations.AlterPartitions(self.table, "BY")]

    def partitions(self, what: str) -> list[Action]:
        cursor = self.cursor
        rest = [token.upper for token in cursor.tokens[cursor.at :]]
        cursor.at = len(cursor.tokens)
        if what in QUIET_PARTITION_WORDS:
            return [actions.Harmless(f"{what} PARTITION")]
        return [alterations.AlterPartitions(self.table, what, "VALUES" in rest, "WITHOUT" not in rest)]

    def quiet(self) -> list[Action]:
        return [actions.Tune(self.table, "KEYS", Mode.NONE)]


PARTS: tuple[tuple[str, Callable[[Alter], list[Action]]], ...] = (
    ("ADD", Alter.add),
    ("DROP PARTITION", lambda alter: alter.partitions("DROP")),
    ("DROP", Alter.drop),
    ("MODIFY", Alter.modify),
    ("CHANGE", Alter.change),
    ("RENAME", Alter.rename),
    ("ALTER", Alter.alter),
    ("CONVERT TO CHARACTER SET", Alter.convert),
    ("CONVERT TO CHARSET", Alter.convert),
    ("ORDER BY", Alter.order),
    ("FORCE", lambda alter: [actions.Rewrite(alter.table, "FORCE")]),
    ("PARTITION BY", Alter.partition_by),
    ("REMOVE PARTITIONING", lambda alter: [alterations.AlterPartitions(alter.table, "REMOVE")]),
    ("DISABLE KEYS", Alter.quiet),
    ("ENABLE KEYS", Alter.quiet),
)


def added(table: Name, key: Index | Constraint) -> Action:
    if isinstance(key, Constraint):
        return actions.AddConstraint(table, key)
    if key.name.name == "PRIMARY":
        return actions.AddConstraint(table, Constraint(Kind.PRIMARY, "PRIMARY", key.columns))
    return actions.CreateIndex(table, key)


def beside(name: Name, table: Name) -> Name:
    """A new name, in the database of the old one unless it says otherwise."""
    return name if name.schema else Name(table.schema, name.name)


def wait_of(cursor: Cursor) -> float | None:
    if cursor.accept("NOWAIT"):
        return 0
    return float(cursor.next().text) if cursor.accept("WAIT") else None


def create_index(cursor: Cursor, kind: str) -> Iterator[Action]:
    cursor.expect("INDEX")
    missing = cursor.accept("IF", "NOT", "EXISTS")
    name = cursor.identifier()
    if cursor.accept("USING"):
        cursor.next()
    cursor.expect("ON")
    table = cursor.name()
    wait = wait_of(cursor)
    index = index_of(cursor, table, name, kind)
    algorithm, lock = clauses(cursor)
    made = actions.CreateIndex(table, index, if_not_exists=missing)
    yield alterations.AlterTable(table, (made,), algorithm, lock, wait)
    yield made


def drop_index(cursor: Cursor) -> Iterator[Action]:
    cursor.accept("IF", "EXISTS")
    name = cursor.identifier()
    cursor.expect("ON")
    table = cursor.name()
    wait = wait_of(cursor)
    algorithm, lock = clauses(cursor)
    primary = name.upper() == "PRIMARY"
    made = actions.DropConstraint(table, "PRIMARY") if primary else actions.DropIndex(Name(table.name, name))
    yield alterations.AlterTable(table, (made,), algorithm, lock, wait)
    yield made


def clauses(cursor: Cursor) -> tuple[str, str]:
    found = {"ALGORITHM": "", "LOCK": ""}
    while word := cursor.one_of("ALGORITHM", "LOCK"):
        found[word] = cursor.value().upper()
    if not cursor.done:
        raise Unknown(f"{cursor.rest()} is not known here")
    return found["ALGORITHM"], found["LOCK"]


def rename_tables(cursor: Cursor) -> Iterator[Action]:
    """RENAME TABLE a TO b, c TO d: one step for all who look on."""
    cursor.accept("IF", "EXISTS")
    while not cursor.done:
        old = cursor.name()
        wait_of(cursor)
        cursor.expect("TO")
        yield actions.RenameTable(old, beside(cursor.name(), old))
        cursor.accept(",")


def names(cursor: Cursor) -> list[Name]:
    found = [cursor.name()]
    while cursor.accept(","):
        found.append(cursor.name())
    return found


def texts(tokens: list[Token]) -> str:
    return " ".join(plain(token) for token in tokens)
