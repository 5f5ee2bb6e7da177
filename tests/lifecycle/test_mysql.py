"""Operations on MySQL and MariaDB go out, back, out again, and through; the revision is that of PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

BASE = (
    "CREATE TABLE orgs (id int PRIMARY KEY, name varchar(60) NOT NULL)",
    "INSERT INTO orgs VALUES (1, 'org 1'), (2, 'org 2')",
    """CREATE TABLE users (
      id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
      full_name varchar(60) NOT NULL DEFAULT 'nobody, it''s \\\\ him' COMMENT 'what to call them, it''s 100 %',
      org_id int, amount decimal(10, 2), code varchar(20) COLLATE utf8mb4_bin, note text,
      nickname varchar(20) NOT NULL, born datetime(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
      changed timestamp NOT NULL DEFAULT '2020-01-01 00:00:00' ON UPDATE CURRENT_TIMESTAMP,
      UNIQUE KEY code_is_unique (code), KEY users_full_name_idx (full_name(20) DESC, amount) COMMENT 'for search',
      KEY users_amount_idx (amount), KEY users_org_idx (org_id))""",
    "INSERT INTO users (full_name, org_id, amount, code, note, nickname) WITH RECURSIVE n (i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 900)"
    " SELECT CONCAT('user ', i), i % 2 + 1, i / 7, CONCAT('c', i), REPEAT('x', 50), CONCAT('N', i) FROM n",
    "CREATE TABLE tags (area varchar(20) NOT NULL, `rank` int NOT NULL, label varbinary(16) NOT NULL, word text,"
    " UNIQUE KEY tags_key (label, area, `rank`))",
    "INSERT INTO tags WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)"
    " SELECT CONCAT('Ä', i % 7, ' '), i, UNHEX(CONCAT('FF00', HEX(i % 5), '0')), CONCAT('word ', i) FROM n",
)


@dataclass(frozen=True)
class Case:
    """An operation; `meanwhile` gives a restore work to do, `question` is asked at the end."""

    operation: str
    meanwhile: tuple[str, ...] = ()
    question: str = "SELECT 1"
    answer: object = 1
    given: tuple[str, ...] = ()


CASES = {
    "create table": Case(
        'CreateTable("orders", Column("id", "bigint", primary_key=True, identity="ALWAYS"),'
        ' Column("user_id", sa.BigInteger(), nullable=False, references=("users", "id"), comment="who"),'
        ' Column("total", "numeric(10,2)", default="0", nullable=False), Column("code", sa.String(20), unique=True),'
        ' constraints=["CHECK (total >= 0)"], comment="it\'s new")',
    ),
    "add nullable column": Case('AddColumn("users", "age", "integer", comment="years, it\'s")'),
    "add column, constant default": Case(
        'AddColumn("users", "active", sa.Boolean, nullable=False, default="true")',
        question="SELECT COUNT(*) FROM users WHERE active",
        answer=900,
    ),
    "add column, stable default": Case('AddColumn("users", "seen", sa.DateTime, default="now()")'),
    "add column, volatile default": Case(
        'AddColumn("users", "token", "varchar(36)", nullable=False, default="uuid()")',
        question="SELECT COUNT(DISTINCT token) FROM users",
        answer=900,
    ),
    "add column, fill": Case(
        """AddColumn("users", "email", "varchar(100)", nullable=False, fill="lower(full_name) || '@example.org'")""",
        ("INSERT INTO users (full_name, nickname, email) VALUES ('late', 'n', 'late@example.org')",),
        "SELECT COUNT(*) FROM users WHERE email = CONCAT(LOWER(full_name), '@example.org')",
        901,
    ),
    "rename column with everything on it": Case(
        'RenameColumn("users", "full_name", "name")',
        (
            "INSERT INTO users (name, nickname, code) VALUES ('late', 'n', 'late')",
            "UPDATE users SET name = 'CHANGED' WHERE id = 7",
            "UPDATE users SET name = 'Changed' WHERE id = 7",
            "DELETE FROM users WHERE id = 8",
        ),
        "SELECT GROUP_CONCAT(name ORDER BY id) FROM users WHERE id IN (6, 7, 8, 9) OR code = 'late'",
        "user 6,Changed,user 9,late",
    ),
    "rename required column": Case(
        'RenameColumn("users", "nickname", "nick")',
        ("INSERT INTO users (nick) SELECT 'selected'", "INSERT INTO users (nick) VALUES ('given')"),
        "SELECT COUNT(*) FROM users WHERE nick IN ('selected', 'given', 'N7')",
        3,
    ),
    "rename unique column": Case(
        'RenameColumn("users", "code", "reference")',
        ("UPDATE users SET reference = NULL WHERE id < 10",),
        "SELECT COUNT(*) FROM users WHERE reference IS NULL",
        9,
    ),
    "rename column, composite key": Case(
        'RenameColumn("tags", "word", "term")',
        ("UPDATE tags SET term = 'x' WHERE `rank` = 7",),
        "SELECT COUNT(DISTINCT term) FROM tags",
        500,
    ),
    "drop column": Case(
        'DropIndex("users_full_name_idx"), DropIndex("users_amount_idx"), DropColumn("users", "amount")',
        ("INSERT INTO users (nickname) VALUES ('late')",),
    ),
    "drop required column, fill": Case(
        """DropColumn("users", "nickname", fill="'n' || id")""",
        ("INSERT INTO users (id, full_name) VALUES (5000, 'late')",),
        "SELECT COUNT(*) FROM users",
        901,
    ),
    "create and drop indexes": Case(
        'CreateIndex("users", ["org_id", "nickname"], unique=False), DropIndex("users_org_idx"),'
        ' CreateIndex("users", "nickname", name="nicks", unique=True), RenameIndex("users_amount_idx", "by amount")'
    ),
    "set and drop defaults": Case(
        """SetDefault("users", "amount", "1.5"), SetDefault("users", "note", "concat('a', 'b')"),"""
        ' DropDefault("users", "full_name"), DropDefault("users", "born")'
    ),
    "set NOT NULL, fill": Case(
        """SetNotNull("users", "org_id", fill="1")""",
        question="SELECT COUNT(*) FROM users WHERE org_id = 1",
        answer=450,
    ),
    "drop NOT NULL": Case('DropNotNull("users", "nickname")'),
    "drop table": Case('DropTable("orgs")'),
    "split table": Case(
        'SplitTable("users", ["code", "nickname", "note"], to="details", key="user_id", optional=True)',
        (
            "UPDATE details SET note = 'changed' WHERE user_id = 7",
            "DELETE FROM details WHERE user_id = 8",
            "DELETE FROM users WHERE id = 9",
            "UPDATE users SET id = 7000 WHERE id = 10",
            "INSERT INTO users (id, full_name) VALUES (5000, 'late')",
            "INSERT INTO details (user_id, nickname) VALUES (5000, 'late')",
        ),
        "SELECT GROUP_CONCAT(CONCAT_WS(' ', id, nickname, note) ORDER BY id) FROM users LEFT JOIN details"
        " ON user_id = id WHERE id IN (7, 8, 9, 10, 5000, 7000)",
        f"7 N7 changed,8,5000 late,7000 N10 {'x' * 50}",
    ),
    "split table, composite key under another collation": Case(
        'SplitTable("words", ["word", "size"], to="spellings")',
        ("UPDATE spellings SET size = 1 WHERE lang = 'Ä7 '", "UPDATE words SET lang = 'Ö', n = 3 WHERE n = 8"),
        "SELECT COUNT(*) FROM words JOIN spellings USING (lang, n) WHERE size = 1 OR lang = 'Ö'",
        3,
        (
            "CREATE TABLE words (n int, lang varchar(20), word text, size int unsigned, PRIMARY KEY (lang, n))"
            " CHARACTER SET latin1 COLLATE latin1_german2_ci",
            "INSERT INTO words SELECT `rank`, CONCAT('Ä', `rank`, ' '), word, `rank` FROM tags",
        ),
    ),
    "backfill": Case(
        """Backfill("users", {"note": "upper(note)"}, where="note = lower(note) COLLATE utf8mb4_bin")""",
        question="SELECT COUNT(*) FROM users WHERE note COLLATE utf8mb4_bin LIKE 'X%' AND changed = '2020-01-01'",
        answer=900,
    ),
    "run SQL": Case(
        'RunSQL(expand="CREATE VIEW named AS SELECT id, full_name FROM users;'
        ' CREATE TABLE log (id int PRIMARY KEY); INSERT INTO log SELECT id FROM orgs",'
        ' undo="DROP TABLE log; DROP VIEW named", contract="DROP VIEW named",'
        ' restore="CREATE VIEW named AS SELECT id, full_name FROM users")',
        question="SELECT COUNT(*) FROM log",
        answer=2,
    ),
    "several operations": Case(
        'RenameColumn("users", "code", "reference"), AddColumn("users", "size", "integer", nullable=False,'
        ' fill="char_length(full_name)"), CreateIndex("users", "size"), DropColumn("users", "note")',
        ("INSERT INTO users (full_name, nickname, reference, size) VALUES ('late', 'n', 'late', 4)",),
        "SELECT COUNT(*) FROM users WHERE size = CHAR_LENGTH(full_name)",
        901,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_out_back_out_again_through(name, mysql_database, project):
    case, database = CASES[name], mysql_database
    database.run(*BASE, *case.given)
    project.url = database.url
    revision = project.revision("change", case.operation)
    before = database.dump()
    project.apply("expand")
    project.abort(revision)
    assert database.dump() == before, "abort after expand"

    project.apply()
    migrated = database.dump()
    project.abort(revision, discard=True)
    assert database.dump() == before, "abort after migrate"

    project.apply()
    assert database.dump() == migrated, "the same again"
    project.apply("contract", revision)
    database.run(*case.meanwhile)
    project.restore(revision)
    assert database.dump() == migrated, "restore"

    project.apply("contract", revision)
    project.apply("purge", revision)
    assert database.rows(case.question) == [(case.answer,)]
    assert "migrator" not in database.dump(), "something of ours is left"
    assert database.rows("SELECT version_num FROM alembic_version") == [(revision,)]
