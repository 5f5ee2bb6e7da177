"""RebuildTable: what it refuses, and what becomes of rows that the second table does not take."""

from __future__ import annotations

import pytest

from migrator import api
from migrator.errors import RowsSetAside, VerificationFailed

BASE = (
    "CREATE TABLE heap (a int, b int)",
    "CREATE TABLE orgs (id int PRIMARY KEY, name varchar(20))",
    "CREATE TABLE teams (id int PRIMARY KEY, org_id int, FOREIGN KEY (org_id) REFERENCES orgs (id))",
    "CREATE TABLE seen (id int PRIMARY KEY, n int)",
    "CREATE TRIGGER count_them BEFORE INSERT ON seen FOR EACH ROW SET NEW.n = 1",
    """CREATE TABLE users (id int PRIMARY KEY, name varchar(20), code int, born date,
      shown varchar(30) GENERATED ALWAYS AS (CONCAT(name, '!')) STORED)""",
)

REFUSED = {
    'RebuildTable("users")': ("changes nothing", "types="),
    'RebuildTable("heap", types={"a": "bigint"})': ("no primary key", "unique index"),
    'RebuildTable("teams", types={"id": "bigint"})': ('foreign key "teams_ibfk_1" of', "DROP FOREIGN KEY"),
    'RebuildTable("orgs", types={"id": "bigint"})': ("foreign key", "DROP FOREIGN KEY"),
    'RebuildTable("seen", types={"n": "bigint"})': ("count_them", "create it again"),
    'RebuildTable("users", types={"born": "varchar(20)"})': ("may not be one of", 'up={"born"'),
    'RebuildTable("users", types={"code": "varchar(9)"}, up={"code": "code"})': ("may not be one of", "down="),
    'RebuildTable("users", types={"id": "bigint"}, up={"id": "id + 1"}, down={"id": "id - 1"})': ("key", "without up"),
    'RebuildTable("users", up={"code": "code + 1"})': ("changes nothing", "types="),
    'RebuildTable("users", not_null=["code"], up={"code": "code"})': ("no other type", "types="),
    'RebuildTable("users", primary_key="code")': ("may be NULL", 'not_null=["code"]'),
    'RebuildTable("users", collation="latin1")': ("character set", "utf8mb4_unicode_ci"),
    'RebuildTable("users", collation="utf8mb4_bin")': ("generated", "add it again"),
    'RebuildTable("users", types={"shown": "varchar(40)"})': ("generated", "add it again"),
    'RebuildTable("users", partition_by="HASH (code) PARTITIONS 4")': ('unique key "PRIMARY" (id)', "add the column"),
    'RebuildTable("users", partition_by="HASH (id); DROP TABLE users")': ("by which columns", "RANGE COLUMNS"),
    'RebuildTable("users", partition_by="what it likes")': ("by which columns", "RANGE COLUMNS"),
    'RebuildTable("users", row_format="wide")': ("row format", "DYNAMIC"),
    'RebuildTable("users", types={"nme": "text"})': ('no column "nme"', '"name"'),
    'RebuildTable("users", checks={"c": "(SELECT 1)"})': ("sub-select", ""),
}


def test_what_cannot_be_rebuilt_is_refused_with_what_to_do_instead(mariadb_database, project):
    mariadb_database.run(*BASE)
    project.url = mariadb_database.url
    assert project.refused_otherwise(REFUSED) == []


TABLE = (
    "CREATE TABLE users (id int NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(20) COLLATE utf8mb4_bin, code int,"
    " UNIQUE KEY name_is_unique (name))",
    "INSERT INTO users (name, code) VALUES ('a', 1), ('b', 2), ('c', 3), ('d', 4)",
)


@pytest.fixture
def users(mysql_database, project):
    mysql_database.run(*TABLE)
    project.url = mysql_database.url
    return mysql_database


def test_a_row_that_the_second_table_does_not_take_fails_no_statement_and_keeps_the_contract_shut(users, project):
    revision = project.revision("change", 'RebuildTable("users", not_null=["code"], checks={"small": "code < 9"})')
    project.apply()
    users.run(
        "INSERT INTO users (name, code) VALUES ('old', NULL), ('other', 10)",
        "UPDATE users SET code = 11 WHERE id = 2",
        "UPDATE users SET code = 5 WHERE id = 3",
    )
    with pytest.raises(VerificationFailed) as wrong:
        project.apply("contract", revision)
    assert wrong.value.facts["sample"] == ("2", "5", "6")
    users.run("UPDATE users SET code = 8 WHERE code IS NULL OR code > 9")
    project.apply("contract", revision)
    assert users.rows("SELECT id, code FROM users ORDER BY id") == [(1, 1), (2, 8), (3, 5), (4, 4), (5, 8), (6, 8)]


def test_rows_that_get_one_key_are_named_and_the_others_copied(users, project):
    users.run("INSERT INTO users (name, code) VALUES ('A', 5), ('D', 6), ('e', 7)")
    revision = project.revision("change", 'RebuildTable("users", collation="utf8mb4_general_ci")')
    with pytest.raises(RowsSetAside) as aside:
        project.apply()
    assert [row["key"] for row in aside.value.facts["sample"]] == [["5"], ["6"]]
    assert "name_is_unique" in aside.value.message
    users.run("UPDATE users SET name = CONCAT(name, 2) WHERE id IN (5, 6)")
    api.retry(project.settings, revision)
    project.apply()
    project.apply("contract", revision)
    assert users.rows("SELECT GROUP_CONCAT(name ORDER BY id) FROM users") == [("a,b,c,d,A2,D2,e",)]


@pytest.mark.parametrize(
    ("change", "phases", "first", "second"),
    [
        ('types={"code": "bigint"}', ["expand"], "id = 9, name = 'x' WHERE id = 1", "id = 8, name = 'y' WHERE id = 4"),
        (
            'primary_key=["code", "id"], not_null=["code"]',
            ["expand", "migrate"],
            "code = 7 WHERE id = 1",
            "code = 7 WHERE id = 3",
        ),
    ],
    ids=["rows that are not copied get other keys", "copied rows get other primary keys"],
)
def test_who_writes_a_row_does_not_wait_for_who_writes_another(users, project, change, phases, first, second):
    project.revision("change", f'RebuildTable("users", {change})')
    for phase in phases:
        project.apply(phase)
    at_once = "SET SESSION innodb_lock_wait_timeout = 1"
    with users.connect(autocommit=False, init_command=at_once) as one, users.connect(init_command=at_once) as other:
        one.cursor().execute(f"UPDATE users SET {first}")
        other.cursor().execute(f"UPDATE users SET {second}")
        one.commit()
    project.apply()
    assert project.cli("verify").returncode == 0


def test_a_truncated_table_is_found_before_its_copy_takes_its_place(users, project):
    revision = project.revision("change", 'RebuildTable("users", types={"code": "bigint"})')
    project.apply()
    users.run("TRUNCATE TABLE users")
    with pytest.raises(VerificationFailed):
        project.apply("contract", revision)
    project.abort(revision, discard=True)
    assert users.rows("SHOW TABLES LIKE '~migrator%'") == []


def test_numbers_go_on_where_they_were_in_either_table(users, project):
    users.run(
        "SET sql_mode = CONCAT(@@sql_mode, ',NO_AUTO_VALUE_ON_ZERO')",
        "INSERT INTO users (id, name) VALUES (0, 'zero'), (50, 'late')",
        "DELETE FROM users WHERE id = 50",
    )
    revision = project.revision("change", 'RebuildTable("users", types={"code": "bigint"})')
    project.apply()
    project.apply("contract", revision)
    users.run("INSERT INTO users (name) VALUES ('first')", "DELETE FROM users WHERE name = 'first'")
    project.restore(revision)
    users.run("INSERT INTO users (name) VALUES ('second')")
    assert users.rows("SELECT id FROM users WHERE name IN ('zero', 'second') ORDER BY id") == [(0,), (52,)]


def test_what_the_former_table_does_not_take_keeps_it_from_coming_back(users, project):
    revision = project.revision("change", 'RebuildTable("users", types={"name": "varchar(40)"})')
    project.apply()
    project.apply("contract", revision)
    users.run("INSERT INTO users (name) VALUES (REPEAT('long ', 8))")
    with pytest.raises(VerificationFailed) as wrong:
        project.restore(revision)
    assert wrong.value.facts["sample"] == ("5",)
    users.run("UPDATE users SET name = 'short' WHERE id = 5")
    project.restore(revision)
    assert users.rows("SELECT name FROM users WHERE id = 5") == [("short",)]


def test_the_plan_says_what_a_copy_writes_and_what_single_changes_would(users, project):
    users.run("ANALYZE TABLE users")
    project.revision(
        "change", 'RebuildTable("users", types={"name": "varchar(40)", "code": "bigint"}, not_null=["code"])'
    )
    assert "column by column (2 backfills, 1 index, 1 online rebuild)" in project.cli("plan").stdout


def test_whatever_else_a_table_has_its_successor_has_too(mysql_database, project):
    name = "a_table_with_a_name_nearly_as_long_as_the_server_takes_it"
    mysql_database.run(
        f"CREATE TABLE {name} (a int NOT NULL, b varchar(20) CHARACTER SET latin1 DEFAULT 'é' COMMENT 'it''s b',"
        " c int DEFAULT 7 CHECK (c > 0), d json, e int GENERATED ALWAYS AS (c + 1) STORED,"
        " f enum('x', 'y') DEFAULT 'x',"
        " g timestamp(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3), h blob, i bit(3), j point,"
        " k char(4), l float, `ä 'm'` int, CHECK (a > 0), PRIMARY KEY (a, k), KEY some (b(3), c DESC),"
        " FULLTEXT KEY words (b), UNIQUE KEY one (c, f)) COMMENT 'it''s a table' ROW_FORMAT=COMPACT",
        f"INSERT INTO {name} (a, b, c, d, f, h, i, j, k, l, `ä 'm'`) VALUES (1, 'ü', 2, '{{\"x\": [1, \"é\"]}}', 'y',"
        " UNHEX('00FF'), b'101', POINT(1, 2), 'K', 0.1, 5),"
        " (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 'k', 1e30, 6)",
        f"CREATE VIEW seen AS SELECT a, b FROM {name}",
    )
    project.url = mysql_database.url
    before = mysql_database.rows(f"SELECT * FROM {name}"), mysql_database.dump()
    revision = project.revision("change", f'RebuildTable("{name}", row_format="dynamic")')
    project.apply()
    mysql_database.run(
        f"UPDATE {name} SET l = 0.7, i = b'001' WHERE a = 1", f"UPDATE {name} SET l = 0.1, i = b'101', g = g"
    )
    mysql_database.run(f"UPDATE {name} SET l = 1e30, i = NULL WHERE a = 2")
    project.apply("contract", revision)
    project.apply("purge", revision)
    rows, dump = mysql_database.rows(f"SELECT * FROM {name}"), mysql_database.dump()
    at = [column[0] for column in mysql_database.rows(f"SHOW COLUMNS FROM {name}")].index("g")
    assert [row[:at] + row[at + 1 :] for row in rows] == [row[:at] + row[at + 1 :] for row in before[0]]
    assert dump == before[1].replace("ROW_FORMAT=COMPACT", "ROW_FORMAT=DYNAMIC")
    assert mysql_database.rows("SELECT COUNT(*) FROM seen") == [(2,)]
