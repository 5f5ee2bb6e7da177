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
    "backfill": Case(
        """Backfill("users", {"note": "upper(note)"}, where="note = lower(note) COLLATE utf8mb4_bin")""",
        question="SELECT COUNT(*) FROM users WHERE note COLLATE utf8mb4_bin LIKE 'X%' AND changed = '2020-01-01'",
        answer=900,
    ),
    "rebuild with another collation, types and conditions": Case(
        'RebuildTable("users", collation="utf8mb4_unicode_ci", types={"amount": "decimal(20,4)", "code": "varchar(40)",'
        ' "org_id": "varchar(9)"}, up={"org_id": "concat(\'o\', org_id)"},'
        ' down={"org_id": "substr(org_id, 2) + 0"}, not_null=["note"], checks={"paid": "amount >= 0"})',
        (
            "INSERT INTO users (full_name, nickname, code, note, amount) VALUES ('late', 'n', 'LATE', '', 1.5)",
            "UPDATE users SET amount = 7, org_id = 'o3' WHERE id = 7",
            "UPDATE users SET id = 5007, nickname = 'moved' WHERE id = 6",
            "DELETE FROM users WHERE id = 8",
            "REPLACE INTO users (id, full_name, nickname, code, note) VALUES (9, 'again', 'n', 'c10', '')",
        ),
        "SELECT GROUP_CONCAT(CONCAT_WS(' ', nickname, amount, org_id) ORDER BY id) FROM users"
        " WHERE id IN (6, 7, 8, 9, 10, 5007) OR code = 'late'",
        "N7 7.0000 o3,n,n 1.5000,moved 0.8600 o1",
    ),
    "rebuild with another primary key": Case(
        'RebuildTable("users", primary_key=["nickname", "id"], row_format="compressed",'
        ' types={"id": "bigint unsigned"})',
        ("INSERT INTO users (full_name, nickname) VALUES ('late', 'n')", "DELETE FROM users WHERE nickname = 'N3'"),
        "SELECT COUNT(*) FROM users WHERE id > 899",
        2,
        ("DELETE FROM users WHERE id > 900",),
    ),
    "rebuild with partitions": Case(
        'RebuildTable("tags", partition_by="RANGE COLUMNS (`rank`) (PARTITION few VALUES LESS THAN (100),'
        ' PARTITION many VALUES LESS THAN (MAXVALUE))")',
        ("UPDATE tags SET `rank` = 600, word = 'x' WHERE `rank` = 7", "DELETE FROM tags WHERE `rank` = 8"),
        "SELECT SUM(word LIKE 'x') FROM tags PARTITION (many)",
        1,
    ),
    "rebuild, composite key": Case(
        'RebuildTable("tags", collation="utf8mb4_general_ci", not_null=["word"])',
        ("UPDATE tags SET area = 'ä 1', word = 'x' WHERE `rank` = 7", "DELETE FROM tags WHERE `rank` = 8"),
        "SELECT COUNT(*) FROM tags",
        499,
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
