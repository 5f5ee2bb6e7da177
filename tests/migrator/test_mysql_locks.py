"""What is said of locks on MySQL and MariaDB, which do not tell when one is granted."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from threading import Event

import pytest

from migrator import api, runs
from migrator.cli.progress import cost
from migrator.database import rows_of, run
from migrator.defining import Defining
from migrator.dialects import mysql_locks
from migrator.dialects.mysql_locks import CUT_OFF, FORGOTTEN
from migrator.errors import DatabaseError, StepFailed
from migrator.events import LockRetried, StepFinished, StepStarted
from migrator.moments import Moment, is_moment, moments, tied, watched
from phases.model import Lock, LockMode, Phase, TableName
from phases.sql import qualified
from tests.plugins.projects import OVERRIDE
from tests.plugins.waiting import until

pytestmark = pytest.mark.in_turn


@pytest.fixture
def shop(mysql_database, project):
    mysql_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(60) NOT NULL, KEY (full_name))",
        "INSERT INTO users VALUES (1, 'a'), (2, 'b')",
    )
    project.url = mysql_database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    return project


def finished(project):
    return {event.name: event for event in project.seen if isinstance(event, StepFinished)}


def test_a_figure_is_given_for_statements_that_shut_a_table_and_none_for_those_that_let_others_go_on(shop, monkeypatch):
    monkeypatch.setattr(mysql_locks, "FEW_ROWS", 0)
    # What is built over the column that comes keeps the two from exchanging their names, which shuts the table once.
    shop.revision(
        "change", 'RenameColumn("users", "full_name", "name"), CreateIndex("users", "name", name="again")', down=None
    )
    planned = {step["name"]: step["lock"] for step in shop.json("plan")["revisions"][0]["steps"]}
    assert "rows are read and written while it works" in planned["build index name"]
    assert "blocks reads and writes" in planned["add users.name and dual writes with full_name"]
    shop.apply()
    done = api.apply(shop.settings, phase=Phase.CONTRACT, to="change", override=OVERRIDE, observer=shop.seen.append)
    steps = finished(shop)
    assert {step.lock_held_ms for step in steps.values()} == {0.0}
    added, built = steps["add users.name and dual writes with full_name"], steps["build index name"]
    required, aside = steps["make users.name NOT NULL"], steps["quarantine users.full_name"]
    assert 0 < added.lock_at_most_ms < added.seconds * 1000
    assert not added.online
    assert [(step.lock_at_most_ms, step.online) for step in (built, required)] == [(0.0, True)] * 2
    assert 0 < aside.lock_at_most_ms < aside.seconds * 1000
    assert aside.online
    assert [outcome.lock_at_most_ms for outcome in done.outcomes] == [0.0, aside.lock_at_most_ms]
    assert cost(built).endswith(" s, online")
    assert cost(aside).endswith(f" s, longest lock at most {aside.lock_at_most_ms:.1f} ms, the rest online")
    shut = {event.name for event in shop.seen if isinstance(event, StepStarted) and event.shuts}
    assert shut == {added.name, aside.name}


def test_the_wait_for_a_lock_that_was_not_granted_is_counted_as_a_wait(shop, mysql_database, monkeypatch):
    monkeypatch.setattr("migrator.moments.READERS", 5)
    with closing(mysql_database.connect()) as idle, idle.cursor() as cursor:
        idle.begin()
        cursor.execute("SELECT * FROM users")

        def ending(event):
            shop.seen.append(event)
            if isinstance(event, LockRetried):
                idle.rollback()

        api.apply(shop.settings, phase=Phase.EXPAND, observer=ending)
    (added,) = finished(shop).values()
    assert added.lock_waited_ms > 0
    with closing(mysql_database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT lock_held_ms, lock_waited_ms FROM migrator_steps WHERE state = 'done'")
        assert cursor.fetchall() == ((None, pytest.approx(added.lock_waited_ms, abs=1)),)


def test_online_ddl_that_writers_keep_from_its_end_says_what_helps(shop, mysql_database, monkeypatch):
    monkeypatch.setattr("migrator.defining.ONLINE_ATTEMPTS", 2)
    shop.revision("unique", 'CreateIndex("users", "full_name", unique=True)', down=None)

    def writing(event):
        if isinstance(event, StepStarted) and "index" in event.name:
            mysql_database.run("INSERT INTO users VALUES (3, 'b')")

    with pytest.raises(StepFailed, match=r"writers were in its way 2 times: .*Duplicate entry") as found:
        api.apply(shop.settings, to="unique", observer=writing)
    assert "REPLACE" in found.value.next_step


def test_a_contract_that_fails_is_taken_back_by_a_restore(shop, mysql_database):
    shop.apply()

    def writing(event):
        if isinstance(event, StepStarted) and event.phase is Phase.CONTRACT:
            mysql_database.run("ALTER TABLE users RENAME TO people")

    with pytest.raises(StepFailed) as found:
        api.apply(shop.settings, phase=Phase.CONTRACT, to="change", override=OVERRIDE, observer=writing)
    assert found.value.next_step.endswith("or: migrator restore change")
    mysql_database.run("ALTER TABLE people RENAME TO users")
    shop.restore("change")
    assert shop.states() == {"change": "migrated"}


def begun(database, *statements):
    connection = database.connect(autocommit=False)
    with connection.cursor() as cursor:
        for sql in statements:
            cursor.execute(sql)
    return connection


WAIT = "SELECT @@SESSION.wait_timeout"
WAITING = "SELECT info FROM information_schema.processlist WHERE state LIKE 'Waiting for table metadata lock'"
READ, WRITTEN = "SELECT * FROM users", "UPDATE users SET full_name = 'c' WHERE id = 1"


@pytest.mark.parametrize(
    ("statements", "readers"),
    [((READ,), 1), ((WRITTEN,), 0), ((READ, WRITTEN), 0), ((WRITTEN, READ), 0), ((), 0)],
    ids=["read", "written", "read and written", "written and read", "nothing"],
)
def test_who_has_read_and_may_write_yet_is_told_from_all_others(shop, mysql_database, statements, readers):
    table = TableName(mysql_database.name, "users")
    with closing(begun(mysql_database, *statements)), runs.running(shop.settings, "apply") as session:
        for users in session.family.users([table], [], session.server):
            for question in (users.full, users.quick):
                time.sleep(users.pause)
                with suppress(DatabaseError):  # a plugin that is not there
                    assert session.query(question)[0] == (bool(statements), readers)
                    time.sleep(users.pause)
                    moment, made = Moment((), question), "CREATE OR REPLACE VIEW made AS SELECT 1"
                    assert is_moment(session, moment, made) is not bool(readers)
                    assert bool(mysql_database.rows("SHOW TABLES LIKE 'made'")) is not bool(readers)
                    time.sleep(users.pause)
                    assert is_moment(session, replace(moment, crowd=2), made) is not bool(statements)


def test_who_comes_to_read_and_write_while_a_lock_waits_for_a_writer_waits_and_is_not_ended(shop, mysql_database):
    with closing(begun(mysql_database, WRITTEN)) as writer, ThreadPoolExecutor() as pool:
        applied = pool.submit(api.apply, shop.settings, phase=Phase.EXPAND)
        until(lambda: mysql_database.rows(WAITING) or applied.done())
        comes = pool.submit(lambda: begun(mysql_database, READ, WRITTEN.replace("1", "2")).commit())
        time.sleep(0.2)
        came = comes.done()
        writer.commit()
        comes.result(10)
        applied.result(30)
    assert not came


def test_applications_meet_all_statements_of_a_step_or_none(shop, mysql_database):
    """Between the first and the last of them nobody else has the table."""
    seen = []

    def look():
        with closing(mysql_database.connect()) as connection, connection.cursor() as cursor:
            while not stop.is_set():
                cursor.execute("SELECT * FROM users LIMIT 1")
                columns = len(cursor.description)
                cursor.execute("SELECT COUNT(*) FROM information_schema.triggers WHERE event_object_table = 'users'")
                seen.append((columns, cursor.fetchone()[0]))

    stop = Event()
    with ThreadPoolExecutor() as pool:
        looking = pool.submit(look)
        api.apply(shop.settings, phase=Phase.EXPAND)
        stop.set()
        looking.result(10)
    # A column that was not there at the first look may come with triggers at the second.
    assert set(seen) <= {(2, 0), (2, 2), (3, 2)}


def test_a_statement_that_has_the_view_waits_for_the_table_that_takes_its_place(shop, mysql_database):
    """A statement locks the view first; RENAME TABLE would lock the table first, whose name comes before."""
    shop.revision("rename", 'RenameTable("users", "visitors")', down=None)
    shop.apply(to="rename")
    contract = partial(api.apply, shop.settings, phase=Phase.CONTRACT, to="rename", override=OVERRIDE)
    read, written = (sql.replace("users", "visitors") for sql in (READ, WRITTEN))
    with closing(begun(mysql_database, written)) as writer, ThreadPoolExecutor() as pool:
        applied = pool.submit(contract)
        until(lambda: mysql_database.rows(WAITING) or applied.done())
        comes = pool.submit(mysql_database.rows, read)
        time.sleep(0.2)
        writer.commit()
        assert sorted(comes.result(10)) == [(1, "c"), (2, "b")]
        applied.result(30)
    shop.restore("rename")
    assert sorted(mysql_database.rows(read)) == sorted(mysql_database.rows(READ)) == [(1, "c"), (2, "b")]


LOCKED = """
SELECT object_name, lock_type = 'SHARED_NO_READ_WRITE' FROM performance_schema.metadata_locks
WHERE object_type = 'TABLE' AND object_schema = DATABASE() AND object_name <> 'users'
  AND owner_thread_id = PS_CURRENT_THREAD_ID()
"""
TIED = (
    "CREATE TABLE orgs (id int PRIMARY KEY, name varchar(9))",
    "CREATE TABLE pets (owner int PRIMARY KEY, FOREIGN KEY (owner) REFERENCES users (id))",
    "CREATE TABLE notes (owner int, FOREIGN KEY (owner) REFERENCES users (id) ON DELETE CASCADE)",
    "CREATE TABLE ends (n int)",
    "CREATE TABLE seen (id int)",
    "CREATE TABLE apart (id int)",
    "CREATE TRIGGER gone AFTER DELETE ON users FOR EACH ROW INSERT INTO seen VALUES (OLD.id)",
    "CREATE TRIGGER ended BEFORE INSERT ON seen FOR EACH ROW INSERT INTO ends VALUES (NEW.id)",
    "ALTER TABLE users ADD COLUMN org_id int, ADD FOREIGN KEY (org_id) REFERENCES orgs (id)",
)


def test_tables_that_are_shut_as_well_are_known(shop, mysql_database):
    """Foreign keys and triggers tie them: the server says which it has locked."""
    mysql_database.run(*TIED)
    users = TableName(mysql_database.name, "users")
    with runs.running(shop.settings, "apply") as session:
        known = {name.name: whole for name, whole in tied(session, [users]).items()}
        if mysql_database.family == "mariadb":
            assert known == {}  # it lets others write them
            return
        with session.autocommitting() as connection:
            run(connection, f"LOCK TABLES {qualified(users)} WRITE")
            locked = {name: bool(whole) for name, whole in rows_of(connection, LOCKED)}
            run(connection, "UNLOCK TABLES")
    assert known == locked == {"orgs": False, "pets": False, "notes": True, "seen": True, "ends": True}


@pytest.mark.parametrize(
    ("statements", "readers"),
    [
        (("INSERT INTO orgs VALUES (1, 'a')",), 1),
        (("INSERT INTO orgs VALUES (1, 'a')", WRITTEN), 0),
        ((WRITTEN, "INSERT INTO orgs VALUES (1, 'a')"), 0),
        (("SELECT * FROM orgs",), 0),
        (("SELECT * FROM notes",), 1),
        (("SELECT * FROM notes", WRITTEN), 0),
        (("INSERT INTO apart VALUES (1)",), 0),
    ],
    ids=["written", "both written", "both, the other way", "read", "a cascade's read", "and written", "another"],
)
def test_who_has_a_table_that_would_be_shut_as_well_is_waited_for(shop, mysql_database, statements, readers):
    """Meanwhile it may come to the one that is shut already, unless it has written that."""
    mysql_database.run(*TIED)
    lock = Lock(TableName(mysql_database.name, "users"), LockMode.METADATA)
    with closing(begun(mysql_database, *statements)), runs.running(shop.settings, "apply") as session:
        users = watched(session, [lock])
        if mysql_database.family == "mariadb":
            assert users.tied is None
            return
        uses = int(WRITTEN in statements)
        assert session.query(users.full) == session.query(users.quick) == [(uses, 0)]
        assert session.query(users.tied.full) == session.query(users.tied.quick) == [(uses, readers)]
        first, *_, last = moments(session, users, ("usual",), lambda _: None, hurry=True)
        assert (first.question, first.shut) == (users.tied.quick if uses else users.tied.full, True)
        assert (last.question, last.shut) == ("", False)


def test_a_session_that_waits_for_a_moment_is_not_ended_for_its_silence(shop, mysql_database, monkeypatch):
    """While it keeps a table shut the server would end it after two seconds, and at no other time."""
    seen, timed, release = [], Defining._timed, Defining.release

    def timing(defining, *given):
        done = timed(defining, *given)
        seen.append((done, *defining.session.query(WAIT)[0]))
        return done

    def releasing(defining, measured):
        release(defining, measured)
        seen.append(("released", *defining.session.query(WAIT)[0]))

    monkeypatch.setattr(Defining, "_timed", timing)
    monkeypatch.setattr(Defining, "release", releasing)
    with closing(begun(mysql_database, READ)) as reader, ThreadPoolExecutor() as pool:
        applied = pool.submit(api.apply, shop.settings, phase=Phase.EXPAND)
        until(lambda: sum(done is False for done, _ in seen) > 3 or applied.done())
        reader.rollback()
        applied.result(30)
    assert set(seen) == {(False, FORGOTTEN), (True, CUT_OFF), ("released", FORGOTTEN)}


def test_who_deletes_rows_that_are_not_copied_and_inserts_them_again_waits_for_nobody(mysql_database, shop):
    if mysql_database.family == "mariadb":
        pytest.skip("its cascades lock the gap behind a row, too: who deletes the next one waits, and nobody is ended")
    mysql_database.run("ALTER TABLE users MODIFY full_name varchar(60)")
    shop.revision("split", 'SplitTable("users", "full_name", to="names", key="user_id")', down=None)
    api.apply(shop.settings, phase=Phase.EXPAND, to="split")
    gone, again = "DELETE FROM users WHERE id = {0}", "INSERT INTO users VALUES ({0}, 'again')"
    with closing(begun(mysql_database, gone.format(1))) as one, closing(begun(mysql_database, gone.format(2))) as other:
        one.cursor().execute(again.format(1))
        other.cursor().execute(again.format(2))
        one.commit()
        other.commit()
    assert mysql_database.rows("SELECT * FROM names ORDER BY user_id") == [(1, "again"), (2, "again")]
