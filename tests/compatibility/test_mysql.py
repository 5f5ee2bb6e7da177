"""No statement of either version fails on MySQL or MariaDB, at any step of an operation, and no row is lost."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from migrator.events import StepFinished
from tests.compatibility.test_operations import Watched, live
from tests.plugins.applications import Shape, one_round
from tests.plugins.mysql_applications import MySQLApplication

BASE = (
    """CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, email varchar(190) UNIQUE,
      full_name varchar(60) NOT NULL DEFAULT 'nobody', nick varchar(60) NOT NULL DEFAULT '', note varchar(60),
      seen int NOT NULL DEFAULT 0, KEY users_full_name_idx (full_name, seen), KEY users_nick_idx (nick, seen))""",
    "INSERT INTO users (full_name, note) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    " SELECT CONCAT('user ', i), CONCAT('note ', i) FROM n",
)
REQUIRED = "ALTER TABLE users ALTER COLUMN nick DROP DEFAULT"


def text(writer, number):
    return f"{writer} {number}"


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


@dataclass(frozen=True)
class Case:
    """An operation, what both versions write, and a question for rows that are wrong, asked while both are there."""

    operation: str
    old: Shape
    new: Shape
    wrong: str = "SELECT 0"
    given: tuple[str, ...] = ()


CASES = {
    "rename required column": Case(
        'RenameColumn("users", "nick", "handle")',
        Shape({**NICK, "full_name": upper}),
        Shape({"handle": text, "full_name": upper}),
        "SELECT COUNT(*) FROM users WHERE NOT (BINARY nick <=> BINARY handle)",
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
    ),
    "drop required column, fill": Case(
        """DropIndex("users_nick_idx"), DropColumn("users", "nick", fill="full_name")""",
        Shape({**NICK, "full_name": text}),
        Shape({"full_name": text}),
        "SELECT COUNT(*) FROM users WHERE nick IS NULL",
    ),
    "split a required column": Case(
        """DropIndex("users_nick_idx"), TransformColumns("users", "nick",
           [Column("head", "varchar(40)", nullable=False), Column("tail", "varchar(60)")],
           up={"head": "substring_index(nick, ' ', 1)",
               "tail": "nullif(substr(nick, char_length(substring_index(nick, ' ', 1)) + 2), '')"},
           down={"nick": "head || coalesce(' ' || tail, '')"})""",
        Shape({**NICK, "full_name": text}),
        Shape({"head": word, "tail": maybe, "full_name": text}),
        "SELECT COUNT(*) FROM users WHERE NOT (nick <=> CONCAT(head, COALESCE(CONCAT(' ', tail), '')))",
    ),
    "change type by expressions": Case(
        """ChangeType("users", "note", "int", to="mark", up="substr(note, 6)", down="'note ' || mark")""",
        Shape({**NICK, "note": numbered}),
        Shape({**NICK, "mark": count}),
        "SELECT COUNT(*) FROM users WHERE NOT (note <=> CONCAT('note ', mark))",
    ),
    "rename column with a foreign key": Case(
        'RenameColumn("users", "org_id", "organisation")',
        Shape({**NICK, "org_id": org}),
        Shape({**NICK, "organisation": org}),
        "SELECT COUNT(*) FROM users WHERE NOT (org_id <=> organisation)",
        (*ORGS, "ALTER TABLE users ADD FOREIGN KEY (org_id) REFERENCES orgs (id) ON DELETE CASCADE"),
    ),
    "add and drop foreign keys": Case(
        'AddForeignKey("users", "org_id", "orgs", "id"), DropConstraint("users", "seen_orgs")',
        Shape({**NICK, "org_id": org}),
        Shape({**NICK, "org_id": org}),
        given=(*ORGS, "ALTER TABLE users ADD CONSTRAINT seen_orgs FOREIGN KEY (org_id) REFERENCES orgs (id)"),
    ),
    "rename table": Case(
        'RenameTable("users", "people")', Shape({**NICK, "note": maybe}), Shape({**NICK, "note": maybe}, table="people")
    ),
    "create and drop indexes": Case(
        'CreateIndex("users", "note"), DropIndex("users_full_name_idx")', Shape(NICK), Shape(NICK)
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_statement_of_either_version_fails(name, mysql_database, project):
    case = CASES[name]
    mysql_database.run(*BASE, *([REQUIRED] if "required" in name else []), *case.given)
    project.url = mysql_database.url
    revision = project.revision("change", case.operation)
    old = MySQLApplication(mysql_database, "old", case.old)
    new = MySQLApplication(mysql_database, "new", case.new)

    def after_each_step(event):
        if isinstance(event, StepFinished):
            one_round(old, new)

    project.seen = Watched(after_each_step)
    try:
        live(project, revision, old, new, lambda: agree(mysql_database, case))
    finally:
        old.stop()
        new.stop()
    assert old.failures == []
    assert new.failures == []
    assert lost(mysql_database, new) == []


def agree(database, case):
    assert database.rows(case.wrong) == [(0,)]


def lost(database, application):
    """Rows whose values are not what their only writer wrote last."""
    names = ", ".join(f"`{column}`" for column in application.shape.columns)
    rows = {row[0]: row[1:] for row in database.rows(f"SELECT id, {names} FROM {application.shape.table}")}
    journal = {row_id: values and tuple(values.values()) for row_id, values in application.journal.items()}
    return [(row_id, rows.get(row_id), values) for row_id, values in journal.items() if rows.get(row_id) != values]
