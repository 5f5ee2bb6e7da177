"""No statement of either version fails on MySQL or MariaDB, at any step of an operation, and no row is lost."""

from __future__ import annotations

import time

from tests.compatibility.living import Case
from tests.plugins.applications import Shape

BASE = (
    """CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, email varchar(190) UNIQUE,
      full_name varchar(60) NOT NULL DEFAULT 'nobody', nick varchar(60) NOT NULL DEFAULT '', note varchar(60),
      seen int NOT NULL DEFAULT 0, KEY users_full_name_idx (full_name, seen), KEY users_nick_idx (nick, seen))""",
    "INSERT INTO users (full_name, note) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    " SELECT CONCAT('user ', i), CONCAT('note ', i) FROM n",
)
REQUIRED = ("ALTER TABLE users ALTER COLUMN nick DROP DEFAULT",)


def text(writer, number):
    return f"{writer} {number}"


def number(_, count):
    return count


def unique(writer, count):
    return f"{writer} {count} {time.time_ns()}"


def maybe(writer, number):
    return f"{writer} {number}" if number % 3 else None


def upper(writer, number):
    return f"{writer} {number}".upper() if number % 2 else f"{writer} {number}"


def word(writer, number):
    return f"{writer}/{number}"


def numbered(_, number):
    return f"note {number}"


def count(_, number):
    return number


def org(_, number):
    return number % 9 + 1


NICK = {"nick": text}
ORGS = (
    "CREATE TABLE orgs (id int PRIMARY KEY)",
    "INSERT INTO orgs VALUES (1), (2), (3), (4), (5), (6), (7), (8), (9)",
    "ALTER TABLE users ADD COLUMN org_id int NOT NULL DEFAULT 1",
)


CASES = {
    "create table": Case(
        'CreateTable("orders", Column("id", "bigint", primary_key=True, identity="BY DEFAULT"),'
        ' Column("email", "varchar(190)", unique=True), Column("total", "integer"),'
        ' Column("seen", "integer", nullable=False, default="0"))',
        Shape(NICK),
        Shape({"total": number}, table="orders"),
    ),
    "add nullable column": Case('AddColumn("users", "age", "integer")', Shape(NICK), Shape({**NICK, "age": number})),
    "add column, constant default": Case(
        'AddColumn("users", "age", "integer", nullable=False, default="0")',
        Shape(NICK),
        Shape({**NICK, "age": number}),
        "SELECT COUNT(*) FROM users WHERE age IS NULL",
    ),
    "add column, volatile default": Case(
        'AddColumn("users", "token", "varchar(60)", nullable=False, default="uuid()")',
        Shape(NICK),
        Shape({**NICK, "token": text}),
        "SELECT COUNT(*) FROM users WHERE token IS NULL",
        in_place=True,
    ),
    "rename unique column": Case(
        'RenameColumn("users", "code", "reference")',
        Shape({**NICK, "code": unique}),
        Shape({**NICK, "reference": unique}),
        "SELECT COUNT(*) FROM users WHERE NOT (code <=> reference)",
        ("ALTER TABLE users ADD COLUMN code varchar(90) UNIQUE",),
    ),
    "drop nullable column": Case('DropColumn("users", "note")', Shape({**NICK, "note": maybe}), Shape(NICK)),
    "set NOT NULL, fill": Case(
        """SetNotNull("users", "note", fill="'none'")""",
        Shape(NICK, reads=("note",)),
        Shape({**NICK, "note": text}),
        "SELECT COUNT(*) FROM users WHERE note IS NULL",
        ("UPDATE users SET note = NULL WHERE id % 2 = 0",),
        in_place=True,
    ),
    "drop NOT NULL": Case(
        'DropNotNull("users", "nick")', Shape({"full_name": text, "nick": text}), Shape({"nick": maybe}), in_place=True
    ),
    "set and drop defaults": Case(
        """SetDefault("users", "note", "concat('a', 'b')"), DropDefault("users", "full_name")""",
        Shape(NICK, reads=("note",)),
        Shape({**NICK, "full_name": text}, reads=("note",)),
    ),
    "drop table": Case(
        'DropTable("users")',
        Shape(NICK),
        Shape({"what": text}, table="log"),
        given=(
            "CREATE TABLE log (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, email varchar(190) UNIQUE,"
            " what varchar(60), seen int NOT NULL DEFAULT 0)",
        ),
    ),
    "backfill": Case(
        """Backfill("users", {"amount": "1"}, where="amount IS NULL AND id <= 900")""",
        Shape(NICK, reads=("amount",)),
        Shape(NICK, reads=("amount",)),
        "SELECT COUNT(*) FROM users WHERE amount IS NULL AND id <= 900",
        ("ALTER TABLE users ADD COLUMN amount int",),
    ),
    "rename required column": Case(
        'RenameColumn("users", "nick", "handle")',
        Shape({**NICK, "full_name": upper}),
        Shape({"handle": text, "full_name": upper}),
        "SELECT COUNT(*) FROM users WHERE NOT (BINARY nick <=> BINARY handle)",
        REQUIRED,
    ),
    "rename nullable column": Case(
        'RenameColumn("users", "note", "remark")',
        Shape({**NICK, "note": maybe}),
        Shape({**NICK, "remark": maybe}),
        "SELECT COUNT(*) FROM users WHERE NOT (note <=> remark)",
    ),
    "add column, fill": Case(
        """AddColumn("users", "shown", "varchar(80)", nullable=False, fill="full_name || '!'")""",
        Shape({**NICK, "full_name": text}),
        Shape({**NICK, "shown": text}),
        "SELECT COUNT(*) FROM users WHERE shown IS NULL",
        in_place=True,
    ),
    "drop required column, fill": Case(
        """DropIndex("users_nick_idx"), DropColumn("users", "nick", fill="full_name")""",
        Shape({**NICK, "full_name": text}),
        Shape({"full_name": text}),
        "SELECT COUNT(*) FROM users WHERE nick IS NULL",
        REQUIRED,
        in_place=True,
    ),
    "split a column": Case(
        """DropIndex("users_nick_idx"), TransformColumns("users", "nick",
           [Column("head", "varchar(40)", nullable=False), Column("tail", "varchar(60)")],
           up={"head": "substring_index(nick, ' ', 1)",
               "tail": "nullif(substr(nick, char_length(substring_index(nick, ' ', 1)) + 2), '')"},
           down={"nick": "head || coalesce(' ' || tail, '')"})""",
        Shape({**NICK, "full_name": text}),
        Shape({"head": word, "tail": maybe, "full_name": text}),
        "SELECT COUNT(*) FROM users WHERE NOT (nick <=> CONCAT(head, COALESCE(CONCAT(' ', tail), '')))",
        in_place=True,
    ),
    "change type by expressions": Case(
        """ChangeType("users", "note", "int", to="mark", up="substr(note, 6)", down="'note ' || mark")""",
        Shape({**NICK, "note": numbered}),
        Shape({**NICK, "mark": count}),
        "SELECT COUNT(*) FROM users WHERE NOT (note <=> CONCAT('note ', mark))",
    ),
    "rebuild": Case(
        'RebuildTable("users", primary_key=["seen", "id"], types={"note": "varchar(90)"}, not_null=["nick"],'
        ' collation="utf8mb4_bin", checks={"named": "full_name <> \'\'"})',
        Shape({**NICK, "full_name": upper, "note": maybe}),
        Shape({**NICK, "full_name": upper, "note": maybe}),
        every=True,
    ),
    "rename column with a default and a foreign key": Case(
        'RenameColumn("users", "org_id", "organisation")',
        Shape({**NICK, "org_id": org}),
        Shape({**NICK, "organisation": org}),
        "SELECT COUNT(*) FROM users WHERE NOT (org_id <=> organisation)",
        (*ORGS, "ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs (id) ON DELETE CASCADE"),
        in_place=True,
    ),
    "add and drop foreign keys": Case(
        'AddForeignKey("users", "org_id", "orgs", "id"), DropConstraint("users", "seen_orgs")',
        Shape({**NICK, "org_id": org}),
        Shape({**NICK, "org_id": org}),
        given=(*ORGS, "ALTER TABLE users ADD CONSTRAINT seen_orgs FOREIGN KEY (org_id) REFERENCES orgs (id)"),
    ),
    "rename table": Case(
        'RenameTable("users", "visitors")',
        Shape({**NICK, "note": maybe}),
        Shape({**NICK, "note": maybe}, table="visitors"),
    ),
    "change type in the catalog only": Case(
        'ChangeType("users", "full_name", "varchar(63)"), ChangeType("users", "kind", "enum(\'a\', \'b\')")',
        Shape({**NICK, "full_name": text}),
        Shape({**NICK, "full_name": text}),
        given=("ALTER TABLE users ADD COLUMN kind enum('a') NOT NULL DEFAULT 'a'",),
    ),
    "create and drop indexes": Case(
        'CreateIndex("users", "note"), DropIndex("users_full_name_idx")', Shape(NICK), Shape(NICK)
    ),
}


EVERYWHERE = {"rename required column", "add column, fill"}
"""What differs between MariaDB and MySQL, or matters most; the others are run by the two in turn."""

NOT_HERE = {
    "rename identity column": "refused by name: AUTO_INCREMENT",
    "rename numeric column": 'a value is assigned, not converted: "rename required column" shows as much',
    "split a table": "test_mysql_split: its new version writes to two tables",
    "add unique": 'a unique index: "create and drop indexes"',
    **dict.fromkeys(("add foreign key", "drop constraint"), 'together, as "add and drop foreign keys"'),
    "change type, second name": '"change type by expressions" does more',
    **dict.fromkeys(
        ("change type, same name", "change type of a primary key", "add check", "add primary key"),
        'done by the copy that "rebuild" has',
    ),
    "merge columns": 'the way back of "split a column" merges them',
    "rename constraint": "writers do not know its name; the lifecycle renames some",
    "set NOT NULL": '"set NOT NULL, fill" does more',
    **dict.fromkeys(("set default", "drop default"), 'together, as "set and drop defaults"'),
    **dict.fromkeys(("create index", "drop index", "rename index"), 'together, as "create and drop indexes"'),
    "create index of a partitioned table": "partitioned tables are refused",
    "run SQL": "the statements are those of the user; the lifecycle runs some",
}
"""Cases of PostgreSQL that there are none of here, and why. What is refused by name needs none, nor any reason."""
