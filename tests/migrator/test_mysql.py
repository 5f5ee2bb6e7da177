"""What is refused on MySQL and MariaDB, what doctor says of them, and what a backfill does row by row."""

from __future__ import annotations

from contextlib import closing

import pymysql
import pytest
from sqlalchemy import make_url

from migrator import api, settings
from migrator.database import connect
from migrator.errors import LockNotAvailable, PlanRefused, RowsSetAside, StepFailed
from migrator.introspection import read_catalog
from migrator.introspection_mysql import lacking
from phases.dialects.mysql_backfill import Keys, MySQLKeyWalk, key_of
from phases.errors import Refused
from phases.model import Fill
from phases.operations import SplitTable
from tests.plugins.mysql_servers import FAMILIES, fresh_mysql_database
from tests.properties.test_dual_write import Change

BASE = (
    "CREATE TABLE orgs (id int PRIMARY KEY)",
    "CREATE TABLE heap (a int, b int)",
    "CREATE TABLE moods (mood enum('sad', 'happy') PRIMARY KEY, n int)",
    """CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY, name varchar(60), note text,
      org_id int, size int, score float, plain int, CONSTRAINT size_is_positive CHECK (size > 0),
      seen datetime ON UPDATE CURRENT_TIMESTAMP, code int,
      FOREIGN KEY (org_id) REFERENCES orgs (id) ON DELETE SET NULL, FULLTEXT KEY words (note))""",
    "CREATE TABLE log (n int NOT NULL)",
    "CREATE TRIGGER audit AFTER INSERT ON log FOR EACH ROW UPDATE orgs SET id = NEW.n WHERE id = 0",
    "CREATE TABLE needs (id int PRIMARY KEY, what varchar(9) NOT NULL, note text, FULLTEXT KEY words (note))",
    "CREATE TABLE parts (k text, n int, PRIMARY KEY (k(9)))",
    "CREATE VIEW named AS SELECT id, name FROM users",
    "CREATE TRIGGER trim_code BEFORE INSERT ON users FOR EACH ROW SET NEW.code = COALESCE(NEW.code, 0)",
)

REFUSED = {
    'AddColumn("users", "n", "int", default=True)': ("is no text", 'default="true"'),
    'ChangeType("users", "code", "bigint")': ("foreign key", "DROP FOREIGN KEY"),
    'ChangeType("moods", "n", "bigint")': ("does not sort as it is written", "unique index"),
    'ChangeType("users", "org_id", "bigint", to="org")': ("foreign key", "DROP FOREIGN KEY"),
    'ChangeType("users", "score", "double", to="points")': ("float", "Backfill"),
    'ChangeType("users", "plain", "smallint", to="c")': ("nothing says what becomes of it", 'up="CAST((plain) AS'),
    'TransformColumns("users", "size", Column("c", "int"), up={"c": "size"}, down={"size": "c"})': ("CHECK", ""),
    'TransformColumns("users", "score", Column("c", "timestamp"), up={"c": "1"}, down={"score": "1"})': ("float", ""),
    'AddEnumValue("mood", "glad")': ("no enum types", "enum('sad','happy','glad')"),
    'RemoveEnumValue("mood", "sad")': ("no enum types", "RebuildTable"),
    'AddCheck("users", "code > 0")': ("foreign key", "DROP FOREIGN KEY"),
    'AddPrimaryKey("heap", "a")': ("no primary key", ""),
    'AddUnique("users", "note")': ("only the beginning", "varchar(255)"),
    'AddUnique("log", "n")': ("could not drop it again", "ADD PRIMARY KEY"),
    'CreateIndex("log", "n", unique=True)': ("could not drop it again", "ADD PRIMARY KEY"),
    'AddForeignKey("users", "id", "orgs", "id")': ("one type for both", "ChangeType"),
    'AddForeignKey("users", "code", "orgs", "id", on_delete="set default")': ("SET DEFAULT", "SET NULL"),
    'DropConstraint("users", "size_is_positive")': ("could not be brought back", "for good"),
    'DropIndex("org_id")': ("needs index", "CreateIndex(\"users\", ['org_id'])"),
    'RenameConstraint("users", "size_is_positive", "positive")': ("cannot be renamed", "keep its name"),
    'RenameTable("users", "people")': ("view named", "create it again"),
    'SplitTable("users", "size", to="sizes")': ("check", "DROP CONSTRAINT"),
    'SplitTable("users", "org_id", to="homes")': ("foreign key", "DROP FOREIGN KEY"),
    'SplitTable("users", "seen", to="visits")': ("ON UPDATE", "leave it"),
    'SplitTable("users", "name", to="names", key="NAME")': ("two columns", ""),
    'SplitTable("users", "code", to="codes")': ("trim_code", "drop or rewrite"),
    'SplitTable("needs", "what", to="wants", optional=True)': ("FULLTEXT", "maintenance window"),
    'SplitTable("moods", "n", to="numbers")': ("does not sort as it is written", ""),
    'SplitTable("heap", "a", to="heaps")': ("no primary key", ""),
    'SplitTable("parts", "n", to="numbers")': ("beginnings of columns", "integer"),
    'MergeTables("users", "orgs", ["name"])': ("MergeTables is not there yet", "1442"),
    'RenameColumn("heap", "a", "c")': ("no primary key", "unique index"),
    'RenameColumn("moods", "n", "c")': ("does not sort as it is written", "unique index"),
    'Backfill("heap", {"a": "1"}, where="a = 0")': ("no primary key", ""),
    'Backfill("users", {"id": "id + 1"}, where="id < 9")': ('"id"', "another column"),
    'RenameColumn("users", "name", "title")': ("view", "drop it"),
    'RenameColumn("users", "code", "number")': ("trim_code", "drop it"),
    'RenameColumn("users", "org_id", "org")': ("cascades of foreign keys fire no triggers", "DROP FOREIGN KEY"),
    'RenameColumn("users", "size", "length")': ("check", "DROP CONSTRAINT"),
    'RenameColumn("users", "seen", "met")': ("ON UPDATE", "keep its name"),
    'RenameColumn("users", "note", "remark")': ("words", "maintenance window"),
    'AddColumn("users", "tag", "int", nullable=False, fill="code")': ("FULLTEXT", "maintenance window"),
    'RenameColumn("users", "note", "NAME")': ("one name", ""),
    'RenameColumn("users", "id", "key")': ("AUTO_INCREMENT", "keep its name"),
    'SetNotNull("users", "code", fill="0")': ("FULLTEXT", "maintenance window"),
    'AddColumn("users", "at", "timestamptz")': ("no type", "datetime(6)"),
    'AddColumn("users", "at", "integr")': ("no type", '"integer"'),
    'AddColumn("users", "tag", sa.String)': ("no type there", "sa.String(255)"),
    'AddColumn("users", "tag", "json", default="\'{}\'")': ("constant", "default=\"('{}')\""),
    'AddColumn("users", "tag", "int", fill="(SELECT 1)")': ("sub-select", ""),
    'CreateIndex("users", "code", where="code > 1")': ("where", "leave where= out"),
    'CreateIndex("users", "note")': ("only the beginning", "(note(20)) ALGORITHM=INPLACE"),
    'CreateIndex("users", "(lower(name))")': ("blocks writes", "VIRTUAL"),
    'CreateTable("t", Column("id", "int", identity="ALWAYS"))': ("AUTO_INCREMENT", "primary_key=True"),
    'CreateTable("t", Column("id", "int", primary_key=True), Column("u", "int", references=("users", "id")))': (
        "references a column of type bigint",
        'type "bigint',
    ),
    'RunSQL(expand="CALL tidy()", undo="")': ("CALL", "each on its own"),
    'RunSQL(expand="ALTER TABLE users MODIFY code bigint", undo="")': ("RunSQL", "accept"),
}


def test_what_cannot_be_done_is_refused_by_name_with_what_to_do_instead(mariadb_database, project):
    mariadb_database.run(*BASE)
    project.url = mariadb_database.url
    before = mariadb_database.rows("SHOW TABLES")
    assert project.refused_otherwise(REFUSED) == []
    assert mariadb_database.rows("SHOW TABLES") == before, "looking wrote something"


IN_THE_WAY = {
    'AddUnique("users", "code")': ("7 in 1 and 2", "make them differ"),
    'AddForeignKey("users", "code", "orgs", "id")': ("does not have (for example 1 references 7; 2", "mend them"),
    'RenameTable("orgs", "organisations")': ("audit", "functions="),
    'RenameTable("moods", "feelings")': ("may use", "whole database"),
    'TransformColumns("users", "plain", Column("c", "text"), up={"c": "plain"}, down={"plain": "nullif(c, \'9\')"})': (
        "come back different",
        "lossy=True",
    ),
}


def test_what_is_in_the_way_is_named_before_anything_is_touched(mariadb_database, project):
    database, role = mariadb_database, f"r_{mariadb_database.name[-8:]}"
    grant = f"GRANT SELECT ON `{database.name}`.moods TO {role}@'%'"
    database.run(*BASE, "INSERT INTO users (code, plain) VALUES (7, 9), (7, 8)", f"CREATE USER {role}@'%'", grant)
    project.url = database.url
    before, other = database.dump(), []
    try:
        for operation, words in IN_THE_WAY.items():
            project.revision("change", operation, down=None)
            with pytest.raises(PlanRefused) as refusal:
                project.apply()
            said = (refusal.value.message, refusal.value.next_step)
            if not all(word in text for word, text in zip(words, said, strict=True)):
                other.append((operation, *said))
    finally:
        database.run(f"DROP USER {role}@'%'")
    assert other == []
    assert database.dump() == before


def test_who_may_not_create_triggers_is_told_before_anything_is_touched(mysql_database, project):
    name, database = f"u_{mysql_database.name[-8:]}", mysql_database
    may = "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES, CREATE VIEW"
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, name varchar(9))",
        f"CREATE USER {name}@'%' IDENTIFIED BY 'x'",
        f"GRANT {may} ON `{database.name}`.* TO {name}@'%'",
    )
    project.url = make_url(database.url).set(username=name, password="x").render_as_string(hide_password=False)
    try:
        project.revision("change", 'RenameColumn("users", "name", "title")')
        with pytest.raises(PlanRefused, match="TRIGGER privilege"):
            project.plan("change")
        said = project.cli("doctor").stdout
        assert "no TRIGGER privilege" in said
        assert "GRANT LOCK TABLES" in said
        assert "GRANT PROCESS" in said
        database.run(f"GRANT LOCK TABLES ON `{database.name}`.* TO {name}@'%'")
        assert "GRANT LOCK TABLES" not in project.cli("doctor").stdout
    finally:
        database.run(f"DROP USER {name}@'%'")


def test_a_binary_log_that_trusts_nobody_keeps_triggers_away():
    own = ["GRANT USAGE ON *.* TO `SHOP`@`%`", "GRANT SELECT, TRIGGER ON `SHOP\\_%`.* TO `SHOP`@`%`"]
    assert lacking(own, "shop_1", False, "users") == ""
    assert "log_bin_trust_function_creators" in lacking(own, "shop_1", True, "users")
    assert "TRIGGER" in lacking(own, "other", False, "users")
    assert lacking(["GRANT ALL PRIVILEGES ON *.* TO `ROOT`@`%`"], "shop", True, "users") == ""
    assert lacking(["GRANT SELECT, SUPER ON *.* TO `SHOP`@`%`", *own], "shop_1", True, "users") == ""
    assert lacking(["GRANT SET_ANY_DEFINER ON *.* TO `SHOP`@`%`", *own], "shop_1", True, "users") != ""


def test_triggers_of_one_table_may_be_all_that_a_role_may_create():
    own = ["GRANT SELECT ON `SHOP`.* TO `APP`@`%`", "GRANT TRIGGER ON `SHOP`.`USERS` TO `APP`@`%`"]
    assert lacking(own, "shop", False, "users") == ""
    assert "TRIGGER" in lacking(own, "shop", False, "orders")
    assert "TRIGGER" in lacking(["GRANT SELECT ON `SHOP`.`TRIGGER` TO `APP`@`%`"], "shop", False, "trigger")


def test_what_a_role_may_do_counts_while_it_is_active(mysql_database, project):
    name, database = f"u_{mysql_database.name[-8:]}", mysql_database
    role, of = f"r_{name}", {"mariadb": "FOR", "mysql": "TO"}[database.family]
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, name varchar(9))",
        f"CREATE USER {name}@'%' IDENTIFIED BY 'x'",
        f"CREATE ROLE {role}",
        f"GRANT ALL ON `{database.name}`.* TO {role}",
        f"GRANT SELECT ON `{database.name}`.* TO {name}@'%'",
        f"GRANT {role} TO {name}@'%'",
    )
    project.url = make_url(database.url).set(username=name, password="x").render_as_string(hide_password=False)
    try:
        project.revision("change", 'RenameColumn("users", "name", "title")')
        with pytest.raises(PlanRefused, match="TRIGGER privilege"):
            project.plan("change")
        database.run(f"SET DEFAULT ROLE {role} {of} {name}@'%'")
        assert project.plan("change")
    finally:
        database.run(f"DROP USER {name}@'%'", f"DROP ROLE {role}")


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("UPDATE IGNORE notes JOIN users USING (id) SET notes.note = 'new'", 1442),
        ("DELETE FROM notes WHERE id IN (SELECT id FROM users)", 1442),
        ("INSERT INTO notes SELECT 2, name FROM users WHERE id = 1", 1442),
        ("TRUNCATE users", 1701),
    ],
)
def test_what_cannot_be_mirrored_to_a_second_table_fails_as_a_whole(statement, error, split_users):
    with pytest.raises(pymysql.MySQLError) as problem:
        split_users.run(statement)
    assert problem.value.args[0] == error
    assert split_users.rows("SELECT id, users.note, notes.note FROM users LEFT JOIN notes USING (id) ORDER BY id") == [
        (1, "old", "old"),
        (2, None, None),
    ]


@pytest.fixture(scope="module", params=FAMILIES)
def split_users(request, mysql_fleet):
    """Two tables in step: the statements that are tried on them change nothing."""
    with fresh_mysql_database(mysql_fleet, request.param) as database:
        database.run(
            "CREATE TABLE users (id int PRIMARY KEY, name varchar(9), note varchar(9))",
            "INSERT INTO users VALUES (1, 'Ann', 'old'), (2, 'Bob', NULL)",
        )
        with connect(database.url, "test") as session:
            Change(session, SplitTable("users", "note", to="notes")).finish()
        yield database


def test_whoever_holds_the_metadata_lock_is_named(mysql_database, project, monkeypatch):
    monkeypatch.setattr("migrator.moments.READERS", 5)
    database = mysql_database
    database.run("CREATE TABLE users (id int PRIMARY KEY, name varchar(9))")
    project.url = database.url
    project.revision("change", 'AddColumn("users", "age", "int")')
    impatient = settings.load(
        {"database_url": database.url}, environ={"MIGRATOR_LOCK_RETRIES": "1"}, directory=project.folder
    )
    with closing(database.connect()) as idle, idle.cursor() as cursor:
        idle.begin()
        cursor.execute("SELECT * FROM users")
        with pytest.raises(LockNotAvailable) as problem:
            api.apply(impatient)
        assert f"pid {idle.thread_id()} " in problem.value.message
    api.apply(impatient)
    assert "`age`" in database.dump()


def test_upserts_that_would_stop_a_rebuild_in_place_are_pointed_out(mysql_fleet, project):
    with fresh_mysql_database(mysql_fleet, "mysql") as database:
        database.run(
            "CREATE TABLE users (id int PRIMARY KEY, email char UNIQUE, name varchar(9) NOT NULL, note varchar(9))",
            "INSERT INTO users VALUES (1, 'a', 'ann', 'x')",
        )
        project.url = database.url
        revision = project.revision("change", 'SetNotNull("users", "note"), RenameColumn("users", "name", "nick")')
        assert api.plan(project.settings).revisions[0].warnings == ()
        database.run("INSERT INTO users VALUES (2, 'a', 'bob', '') ON DUPLICATE KEY UPDATE name = 'bob'")
        (warning,) = api.plan(project.settings).revisions[0].warnings
        assert 'users" is written to by upserts (for example: INSERT INTO `users`' in warning
        assert "(make users.note NOT NULL)" in warning
        assert "use RebuildTable" in warning
        project.apply()
        project.apply("contract", revision)
        assert api.plan(project.settings).revisions[0].warnings == ()


def test_a_row_that_fails_is_set_aside_and_the_others_go_on(mysql_database, project):
    database = mysql_database
    database.run(
        "CREATE TABLE users (area char(3), id int, note varchar(9), amount int, PRIMARY KEY (area, id))",
        "INSERT INTO users (area, id, note) WITH RECURSIVE n (i) AS"
        " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
        " SELECT CONCAT('a', i % 3), i, IF(i IN (7, 40), 'x', i) FROM n",
    )
    project.url = database.url
    project.revision("change", 'Backfill("users", {"amount": "note + 0"}, where="amount IS NULL")')
    with pytest.raises(RowsSetAside) as aside:
        project.apply()
    assert [row["key"] for row in aside.value.facts["sample"]] == [["a1", "7"], ["a1", "40"]]
    assert database.rows("SELECT COUNT(*) FROM users WHERE amount IS NULL") == [(2,)]
    database.run("UPDATE users SET note = '5' WHERE note = 'x'")
    api.retry(project.settings, "change")
    assert database.rows("SELECT COUNT(*) FROM users WHERE amount IS NULL") == [(0,)]


KEYS = {
    "number": ("id bigint unsigned PRIMARY KEY", "18446744073709551615 - i * 3"),
    "composite": ("a int, b date, PRIMARY KEY (a, b)", "i % 3, DATE '2020-01-01' + INTERVAL i DAY"),
    "text": (
        "k varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY",
        r"CONCAT(ELT(i % 4 + 1, 'É', 'e\\', 'Z''', '-'), i, ' ')",
    ),
    "bytes": ("k binary(4) PRIMARY KEY", "UNHEX(CONCAT(HEX(i % 7), '0FF', LPAD(HEX(i), 2, '0'), '00'))"),
    "uuid": ("k char(36) PRIMARY KEY", "UUID()"),
    "unique": (
        "k decimal(9, 2) NOT NULL, m datetime(3) NOT NULL, UNIQUE (k, m)",
        "i / 4, '2020-01-01' + INTERVAL i SECOND",
    ),
}


@pytest.mark.parametrize("name", KEYS)
def test_every_row_is_in_one_batch_whatever_the_key(name, mysql_database):
    columns, values = KEYS[name]
    mysql_database.run(
        f"CREATE TABLE t ({columns}, n int NOT NULL DEFAULT 0)",
        "INSERT INTO t WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
        f" SELECT {values}, 0 FROM n",
    )
    with connect(mysql_database.url, "test") as session:
        with session.transaction() as connection:
            table = read_catalog(connection).table("t")
        step = Fill(
            name="f", table=table.name, target="t", assignments='"n" = "n" + 1', pending="TRUE", key=key_of(table)
        )
        walk = MySQLKeyWalk(step)
        last, after, batches = list(session.query(walk.end())[0]), [], 0
        while after != last:
            found = session.query(walk.next(after, last, 7))
            upto = list(found[0]) if found else last
            with session.transaction():
                assert session.execute(walk.batch([after, upto])) <= 8
            after, batches = upto, batches + 1
        assert mysql_database.rows("SELECT COUNT(*) FROM t WHERE n = 1") == [(100,)]
        assert batches >= 14
        assert session.query(walk.named(last)) == [tuple(last)]
        assert len(session.query(walk.middle([[], last]))) == 1
    assert len(Keys(step.key).names) == len(last)


def test_a_key_whose_text_does_not_sort_as_it_does_is_refused(mariadb_database):
    mariadb_database.run("CREATE TABLE t (f double PRIMARY KEY)")
    with connect(mariadb_database.url, "test") as session, session.transaction() as connection:
        table = read_catalog(connection).table("t")
    with pytest.raises(Refused, match="double"):
        key_of(table)


def test_what_the_server_cannot_do_instantly_is_done_in_the_other_way_that_was_planned(mysql_database, project):
    """A compressed table takes no column INSTANT, and no ALTER of ours copies one behind a lock."""
    mysql_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, name varchar(9)) ROW_FORMAT=COMPRESSED",
        "INSERT INTO users VALUES (1, 'x')",
    )
    project.url = mysql_database.url
    revision = project.revision("change", 'AddColumn("users", "age", "int", default="7", nullable=False)')
    assert "or:   ALTER TABLE" in project.cli("plan").stdout
    project.apply()
    assert mysql_database.rows("SELECT age FROM users") == [(7,)]
    project.abort(revision, discard=True)
    assert "age" not in mysql_database.dump()


def test_alembic_runs_a_revision_straight_where_there_is_no_ledger_and_refuses_where_there_is(mysql_database, project):
    database = mysql_database
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, `full name` varchar(9) NOT NULL)", "INSERT INTO users VALUES (1, 'x')"
    )
    project.url = database.url
    project.revision("change", 'RenameColumn("users", "full name", "name"), CreateIndex("users", "name")')
    done = project.alembic("upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert database.rows("SELECT name FROM users") == [("x",)]
    assert "_migrator" not in database.dump()
    project.revision("later", 'AddColumn("users", "age", "int")')
    project.apply()
    project.revision("last", 'AddColumn("users", "size", "int")')
    refused = project.alembic("upgrade", "head")
    assert refused.returncode != 0
    assert "this database is managed" in refused.stdout + refused.stderr


def test_what_is_widened_in_place_stays_so(mysql_database, project):
    database = mysql_database
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, name varchar(20) NOT NULL DEFAULT 'x' COMMENT 'it''s',"
        " UNIQUE KEY (name), mood enum('sad','it''s') NOT NULL DEFAULT 'sad')"
    )
    project.url = database.url
    longer = 'ChangeType("users", "name", "varchar(40)")'
    more = """ChangeType("users", "mood", "ENUM('sad', 'it''s', 'glad')")"""
    revision = project.revision("change", f"{longer}, {more}")
    before = database.dump()
    project.apply()
    wide = before.replace("varchar(20)", "varchar(40)").replace("'it''s') NOT", "'it''s','glad') NOT")
    assert database.dump() == wide != before
    project.abort(revision)
    assert database.dump() == wide
    project.apply()
    database.run("INSERT INTO users (id, name, mood) VALUES (1, REPEAT('x', 40), 'glad')")


def test_an_abort_takes_back_what_a_script_that_failed_half_way_has_left(mysql_database, project):
    project.url = mysql_database.url
    script = "CREATE TABLE log (id int PRIMARY KEY); CREATE TABLE more (id int, PRIMARY KEY (name))"
    revision = project.revision("change", f'RunSQL(expand="{script}", undo="DROP TABLE more; DROP TABLE log")')
    with pytest.raises(StepFailed):
        project.apply()
    assert "log" in mysql_database.dump()
    project.abort(revision)
    assert mysql_database.dump() == ""
