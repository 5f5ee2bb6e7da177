"""What a backfill and dual writes have to survive on MySQL and MariaDB. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from migrator import api
from migrator.database import connect
from migrator.dialects.base import Trouble
from migrator.dialects.mysql import MySQLFamily
from migrator.errors import DriftFound, PlanRefused, RunnerBusy, StepFailed
from migrator.events import Paused, Resumed, StepProgress, Waiting
from migrator.ledger import tables
from migrator.pressure import Pressure
from phases.model import TableName
from phases.pressure import Limits
from tests.compatibility.living import Watched
from tests.migrator.test_ledger import asks_for_a_newer_program

pytestmark = pytest.mark.in_turn

RENAME = 'RenameColumn("users", "full_name", "name")'
LATER = "set_aside parts progress controls consumers approvals chain"
"""Tables that the first ledger did not have."""
FAR = 7_000_000_000
DIFFERENT = "SELECT COUNT(*) FROM users WHERE NOT (full_name <=> name)"


def users(rows, key="id bigint PRIMARY KEY", value="i"):
    """Statements that make a table of users of so many rows."""
    return (
        "/*!80000 SET SESSION cte_max_recursion_depth = 9999 */"
        "/*M!100600 SET SESSION max_recursive_iterations = 9999 */",
        f"CREATE TABLE users ({key}, full_name varchar(60), code int UNIQUE)",
        "INSERT INTO users (id, full_name) WITH RECURSIVE n (i) AS"
        f" (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows}) SELECT {value}, CONCAT('user ', i) FROM n",
    )


def after_first_batch(project, action):
    """Do something once, after the first batch of a backfill."""
    waiting = [action]

    def seen(event):
        if isinstance(event, StepProgress) and waiting:
            waiting.pop()()

    project.seen = Watched(seen)


def test_mysql_01_gaps_in_a_key_cost_no_batches(mysql_database, project):
    mysql_database.run(*users(900, value=f"i + IF(i > 450, {FAR}, 0) * i"))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    project.apply()
    filled = [event for event in project.seen if isinstance(event, StepProgress) and "backfill" in event.name]
    assert len(filled) <= 2
    assert mysql_database.rows(DIFFERENT) == [(0,)]


def test_mysql_06_a_unique_key_that_may_be_null_is_no_key(mysql_database, project):
    mysql_database.run("CREATE TABLE users (code int UNIQUE, full_name varchar(60))")
    project.url = mysql_database.url
    project.revision("change", RENAME)
    with pytest.raises(PlanRefused, match="no unique key of NOT NULL columns"):
        project.apply()


def test_mysql_07_rows_without_a_value_are_walked_once(mysql_database, project):
    mysql_database.run(*users(900), "UPDATE users SET full_name = NULL WHERE id % 2 = 0")
    project.url = mysql_database.url
    project.revision("change", RENAME)
    project.apply()
    assert mysql_database.rows(DIFFERENT) == [(0,)]


def test_mysql_07_rows_that_are_never_done_are_refused_after_one_walk(mysql_database, project):
    mysql_database.run(*users(900), "UPDATE users SET full_name = NULL WHERE id = 9", "CREATE TABLE writes (id int)")
    mysql_database.run("CREATE TRIGGER log AFTER UPDATE ON users FOR EACH ROW INSERT INTO writes VALUES (NEW.id)")
    project.url = mysql_database.url
    project.revision("change", 'Backfill("users", {"code": "full_name + id"}, where="code IS NULL")')
    mysql_database.run("UPDATE users SET full_name = id WHERE full_name IS NOT NULL", "TRUNCATE writes")
    assert 'trigger "log"' in "; ".join(api.plan(project.settings).revisions[0].warnings)
    with pytest.raises(StepFailed, match=r"row 9 of .* is still to do after it was done 3 times"):
        project.apply()
    assert mysql_database.rows("SELECT COUNT(*) FROM writes")[0][0] < 910


def test_mysql_08_a_row_inserted_behind_the_cursor_is_filled_by_the_trigger(mysql_database, project):
    mysql_database.run(*users(2500))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    behind = "INSERT INTO users (id, full_name) VALUES (-1, 'behind')"
    after_first_batch(project, lambda: mysql_database.run(behind))
    project.apply()
    assert mysql_database.rows("SELECT name FROM users WHERE id = -1") == [("behind",)]
    assert mysql_database.rows(DIFFERENT) == [(0,)]


def test_mysql_09_the_end_of_a_walk_is_fixed_when_it_begins(mysql_database, project):
    mysql_database.run(*users(2500))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    later = []

    def writing(event):
        if isinstance(event, StepProgress) and event.name.startswith("backfill") and len(later) < 50:
            later.append(f"({3000 + len(later)}, 'later')")
            mysql_database.run(f"INSERT INTO users (id, full_name) VALUES {later[-1]}")

    project.seen = Watched(writing)
    project.apply()
    assert 1 < len(later) < 50
    assert mysql_database.rows(DIFFERENT) == [(0,)]


def test_mysql_10_rows_that_are_deleted_before_their_batch_are_no_error(mysql_database, project):
    mysql_database.run(*users(2500))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    after_first_batch(project, lambda: mysql_database.run("DELETE FROM users WHERE id % 3 = 0"))
    project.apply()
    assert mysql_database.rows("SELECT COUNT(*), COUNT(name) FROM users") == [(1667, 1667)]


def test_mysql_12_a_row_whose_key_changes_while_it_is_walked_is_not_left_behind(mysql_database, project):
    mysql_database.run(*users(2500, value="i + 5000"))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    move = ("UPDATE users SET id = id - 5000 WHERE id > 7400", "UPDATE users SET id = id + 9000 WHERE id = 5001")
    after_first_batch(project, lambda: mysql_database.run(*move))
    project.apply()
    assert mysql_database.rows(DIFFERENT) == [(0,)]


def test_mysql_13_a_row_that_is_held_is_waited_for_and_keeps_nobody_else_waiting(mysql_database, project):
    mysql_database.run(*users(2500))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    project.apply("expand")
    with closing(mysql_database.connect()) as holder, holder.cursor() as cursor:
        holder.begin()
        cursor.execute("UPDATE users SET code = 1 WHERE id = 2000")

        def on_pause(event):
            if isinstance(event, Paused) and holder.open:
                mysql_database.run("UPDATE users SET full_name = 'meanwhile' WHERE id IN (1, 1500, 2400)")
                holder.commit()

        project.seen = Watched(on_pause)
        project.apply()
    assert any(isinstance(event, Paused) for event in project.seen)
    assert mysql_database.rows(DIFFERENT) == [(0,)]
    assert mysql_database.rows("SELECT name FROM users WHERE id = 1500") == [("meanwhile",)]


@pytest.mark.parametrize(
    ("codes", "trouble"),
    [
        ("1205 3572", Trouble.LOCK_TIMEOUT),
        ("1213 1180", Trouble.DEADLOCK),
        ("2006 2013 4031 1053", Trouble.LOST),
        ("1290 1836 1792", Trouble.READ_ONLY),
        ("1317 1969 3024", Trouble.CANCELLED),
    ],
)
def test_mysql_15_what_passes_is_told_from_what_does_not(codes, trouble):
    assert {MySQLFamily().trouble(code) for code in codes.split()} == {trouble}


def test_mysql_18_a_second_runner_is_refused(mysql_database, project):
    mysql_database.run(*users(10))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    refused = []

    def second(_):
        if not refused:
            with pytest.raises(RunnerBusy, match="another runner is at work") as problem:
                api.apply(project.settings)
            refused.append(problem.value)

    project.seen = Watched(second)
    project.apply("expand")
    assert refused


def test_mysql_21_batches_wait_while_an_old_snapshot_keeps_the_history_of_innodb(mysql_database):
    mysql_database.run(*users(50))
    users_ = TableName(mysql_database.name, "users")
    with closing(mysql_database.connect()) as old, connect(mysql_database.url, "test") as session:
        with old.cursor() as cursor:
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT")
        for number in range(60):
            mysql_database.run(f"UPDATE users SET full_name = 'user {number}' WHERE id = 1")
        seen = []

        def pause(_seconds):
            old.rollback()
            time.sleep(0.05)

        watch = Pressure(session, Limits(history=40), seen.append, pause)
        assert "40" in watch.look(users_)[0].reason
        watch.looked = None
        waited, reason = watch.follow("fill", users_)
    assert waited
    assert "of InnoDB has" in reason
    assert {type(event) for event in seen} == {Waiting, Resumed}


def test_mysql_23_limits_made_for_the_application_cut_no_statement_of_ours_short(mysql_database):
    limit = "max_statement_time" if mysql_database.family == "mariadb" else "max_execution_time"
    mysql_database.run(f"SET GLOBAL {limit} = 30")
    try:
        with connect(mysql_database.url, "test") as session:
            assert session.query(f"SELECT @@SESSION.{limit}") == [(0,)]
    finally:
        mysql_database.run(f"SET GLOBAL {limit} = 0")


@pytest.fixture
def shop(mysql_database, project):
    """A database in which both names are in use, and nothing is backfilled."""
    mysql_database.run(*users(10))
    mysql_database.run("UPDATE users SET code = id")
    project.url = mysql_database.url
    project.revision("change", f'{RENAME}, RenameColumn("users", "code", "number")')
    project.apply("expand")
    return mysql_database


def test_mysql_27_load_data_writes_both(shop, tmp_path):
    file = tmp_path / "users.csv"
    file.write_text("100,loaded\n")
    with closing(shop.connect(local_infile=True)) as connection, connection.cursor() as cursor:
        shop.run("SET GLOBAL local_infile = 1")
        cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE users FIELDS TERMINATED BY ',' (id, name)")
    assert shop.rows("SELECT full_name, name FROM users WHERE id = 100") == [("loaded", "loaded")]


def test_mysql_28_unique_values_that_two_rows_exchange_are_those_written_last(shop, project):
    project.apply()
    with closing(shop.connect()) as connection, connection.cursor() as cursor:
        connection.begin()
        for code, row in ((-1, 1), (1, 2), (2, 1)):
            cursor.execute("UPDATE users SET number = %s WHERE id = %s", [code, row])
        connection.commit()
    assert shop.rows("SELECT code, number FROM users WHERE id < 3 ORDER BY id") == [(2, 2), (1, 1)]


def test_mysql_29_a_unique_index_over_values_that_are_there_twice_is_refused(mysql_database, project):
    mysql_database.run(*users(10), "UPDATE users SET full_name = 'x' WHERE id < 3")
    project.url = mysql_database.url
    project.revision("change", 'CreateIndex("users", "full_name", unique=True)')
    before = mysql_database.dump()
    with pytest.raises(PlanRefused, match=r"share a value of .* \(for example x in 1 and 2\)"):
        project.apply()
    assert mysql_database.dump() == before


def test_mysql_32_what_somebody_changed_by_hand_stops_the_next_phase(shop, project):
    shop.run("ALTER TABLE users MODIFY name varchar(70)")
    with pytest.raises(DriftFound, match="name"):
        project.apply()


def test_mysql_32_an_index_that_somebody_builds_over_the_column_that_comes_stops_the_contract(mysql_database, project):
    """In the contract the two columns exchange their names, and the index would go with the other one."""
    mysql_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name varchar(60) NOT NULL)")
    project.url = mysql_database.url
    revision = project.revision("change", RENAME)
    project.apply()
    mysql_database.run("CREATE INDEX by_hand ON users (name)")
    with pytest.raises(StepFailed, match='index "by_hand"'):
        project.apply("contract", revision)
    mysql_database.run("DROP INDEX by_hand ON users")
    project.apply("contract", revision)


def test_mysql_33_a_partitioned_table_is_refused(mysql_database, project):
    mysql_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text) PARTITION BY HASH (id) PARTITIONS 2")
    project.url = mysql_database.url
    project.revision("change", RENAME)
    with pytest.raises(PlanRefused, match="partitioned"):
        project.apply()


def test_mysql_35_a_backfill_that_an_older_program_began_is_finished(mysql_database, project):
    """Its cursor says nothing of rows that fail, and its ledger has no tables that came later."""
    mysql_database.run(*users(2000))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    project.apply("expand")

    def stop():
        raise KeyboardInterrupt

    after_first_batch(project, stop)
    with pytest.raises(KeyboardInterrupt):
        project.apply()
    done = mysql_database.rows("SELECT COUNT(*) FROM users WHERE name IS NOT NULL")
    mysql_database.run(
        "UPDATE migrator_backfills SET `cursor` = JSON_REMOVE(`cursor`, '$.broken', '$.deferred')",
        *(f"DROP TABLE migrator_{name}" for name in LATER.split()),
        *(
            f"ALTER TABLE migrator_{table.name} DROP COLUMN {name}"
            for columns in tables.WIDENED.values()
            for table, names in columns.items()
            for name in names.split()
        ),
        "UPDATE migrator_ledger_version SET version = 1",
    )
    assert project.cli("status").returncode == 0
    assert mysql_database.rows("SELECT version FROM migrator_ledger_version") == [(1,)]
    project.seen.clear()
    project.apply()
    assert mysql_database.rows("SELECT version FROM migrator_ledger_version") == [(tables.VERSION,)]
    assert mysql_database.rows(DIFFERENT) == [(0,)]
    first = next(event for event in project.seen if isinstance(event, StepProgress))
    assert first.progress.rows > done[0][0] > 0


def test_mysql_35_a_ledger_of_a_newer_program_is_left_alone(mysql_database, project):
    mysql_database.run(*users(10))
    project.url = mysql_database.url
    project.revision("change", RENAME)
    project.apply("expand")
    mysql_database.run("UPDATE migrator_ledger_version SET version = 99")
    asks_for_a_newer_program(project)
