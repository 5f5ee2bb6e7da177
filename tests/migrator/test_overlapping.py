"""Batches whose commits overlap are those of one session: nothing is done twice, missing, or counted too early."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
from sqlalchemy import make_url

from migrator import api, controlling, governing, overlapping, runs
from migrator.batches import Batches
from migrator.database import LockTimeout, Session
from migrator.events import BatchDone, Reconnected, StepProgress, Waiting, ignore
from phases.effects import Batch, Spread
from phases.model import Phase
from tests.plugins.waiting import until

ROWS = 4000
TABLE = (
    "CREATE TABLE users (id int PRIMARY KEY, amount int NOT NULL)",
    "INSERT INTO users WITH RECURSIVE ten AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM ten WHERE i < 9)"
    " SELECT 1000 * a.i + 100 * b.i + 10 * c.i + d.i, 0 FROM ten a, ten b, ten c, ten d WHERE a.i < 4",
    "CREATE TABLE written (id int, session int)",
    "CREATE TRIGGER log_row AFTER UPDATE ON users FOR EACH ROW INSERT INTO written VALUES (NEW.id, CONNECTION_ID())",
)


@pytest.fixture
def shop(mysql_database, project):
    mysql_database.run(*TABLE)
    project.url = mysql_database.url
    project.revision("change", 'Backfill("users", {"amount": "amount + 1"}, where="amount = 0")')
    project.apply("expand")
    return project


@pytest.fixture
def unmoved(monkeypatch):
    """MySQL locks the first row of a page too much now and then, which here would end it soon."""
    monkeypatch.setattr(overlapping, "FAULTS", ROWS)


def migrate(shop, observer=ignore, **given):
    """Batches of a hundred rows: one session writes the first, and those behind them overlap."""
    api.apply(replace(shop.settings, batch_target=0.0001, **given), phase=Phase.MIGRATE, observer=observer)


def done(database):
    """What each row was changed to, rows changed twice, and what the cursor counts."""
    changed = database.rows("SELECT amount, COUNT(*) FROM users GROUP BY amount")
    twice = database.rows("SELECT id FROM written GROUP BY id HAVING COUNT(*) > 1")
    return changed, twice, database.rows("SELECT SUM(rows_done) FROM migrator_backfills")


ONCE = ([(1, ROWS)], [], [(ROWS,)])


OPEN = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_rows_modified > 0"


def sessions(database):
    """Sessions that have written rows, those with the most first."""
    return database.rows("SELECT session, COUNT(*) FROM written GROUP BY session ORDER BY 2 DESC")


@pytest.mark.usefixtures("unmoved")
def test_two_sessions_write_in_turns(shop, mysql_database):
    seen = []
    migrate(shop, seen.append)
    assert done(mysql_database) == ONCE
    (_, first), (_, second), *_ = sessions(mysql_database)
    assert first + second > ROWS / 2
    assert sum(event.rows for event in seen if isinstance(event, BatchDone)) == ROWS


def test_nothing_is_told_before_it_is_committed(shop, mysql_database):
    told = []

    def observer(event):
        if isinstance(event, StepProgress) and event.progress.rows:
            told.append((event.progress.rows, mysql_database.rows("SELECT COUNT(*) FROM users WHERE amount = 1")[0][0]))

    migrate(shop, observer)
    assert len(told) > 10
    assert [(said, there) for said, there in told if said > there] == []


@pytest.mark.usefixtures("unmoved")
def test_a_commit_that_is_refused_is_done_again_in_its_place(shop, mysql_database, monkeypatch):
    """Only a cluster refuses commits for what other members did: here, in place of one, the client does."""
    begun = []

    def save(batches, session, *given):
        original(batches, session, *given)
        if session is not batches.session:
            begun.append(given)
            if len(begun) in (3, 7):
                raise LockTimeout("another member was first")

    original = Batches.save
    monkeypatch.setattr(Batches, "save", save)
    migrate(shop)
    assert done(mysql_database) == ONCE
    assert len(begun) > 7


def test_a_batch_behind_one_that_is_not_committed_is_rolled_back(shop, mysql_database):
    refused = overlapping.Future()
    refused.set_exception(LockTimeout("another member was first"))
    effect = Batch("UPDATE users SET amount = 1", cursor={})
    with runs.running(shop.settings, "apply") as session:
        flight = overlapping.Flight(effect, refused)
        overlapping.fly(session, flight, Batches(session, None, None, ignore))
        assert flight.written.result()[0] == ROWS
        with pytest.raises(LockTimeout):
            flight.commit.result()
    assert mysql_database.rows("SELECT DISTINCT amount FROM users") == [(0,)]


@pytest.mark.usefixtures("unmoved")
def test_the_runner_looks_while_a_batch_is_written(shop, mysql_database, monkeypatch):
    mysql_database.run("CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW SET @slow = SLEEP(0.0005)")
    meanwhile = []

    def ask(pair):
        meanwhile.append(any(not flight.written.done() for flight in pair.flights))
        original(pair)

    original = overlapping.Overlapping._ask
    monkeypatch.setattr(overlapping.Overlapping, "_ask", ask)
    migrate(shop)
    assert sum(meanwhile) > len(meanwhile) / 2


def test_what_is_held_back_leaves_no_transaction_open(shop, mysql_database, monkeypatch):
    monkeypatch.setattr(governing, "EVERY", 0.02)
    written = []

    def observer(event):
        if isinstance(event, BatchDone) and not written and len(sessions(mysql_database)) > 2:
            controlling.pause(shop.settings)
        if isinstance(event, Waiting) and not written:
            until(lambda: mysql_database.rows(OPEN) == [(0,)])
            changed = mysql_database.rows("SELECT COUNT(*) FROM users WHERE amount = 1")
            written.extend((changed, mysql_database.rows("SELECT SUM(rows_done) FROM migrator_backfills")))
            controlling.resume(shop.settings)

    migrate(shop, observer)
    assert written[0] == written[1]
    assert done(mysql_database) == ONCE


def test_batches_that_are_in_the_way_of_each_other_do_not_overlap(shop, mysql_database, monkeypatch):
    def save(batches, session, *given):
        time.sleep(0.005)  # a commit that takes as long as the next batch
        original(batches, session, *given)

    original = Batches.save
    monkeypatch.setattr(Batches, "save", save)
    mysql_database.run(
        "CREATE TABLE counted (n int)",
        "INSERT INTO counted VALUES (0)",
        "CREATE TRIGGER count_row AFTER UPDATE ON users FOR EACH ROW UPDATE counted SET n = n + 1",
    )
    migrate(shop)
    assert done(mysql_database) == ONCE
    assert mysql_database.rows("SELECT n FROM counted") == [(ROWS,)]
    if mysql_database.family == "mariadb":  # MySQL cannot be told to wait for no row: there one waits for the other
        assert sessions(mysql_database)[0][1] > ROWS / 2


@pytest.mark.usefixtures("unmoved")
def test_a_session_that_is_ended_is_opened_again(shop, mysql_database):
    seen, ended = [], []

    def observer(event):
        seen.append(event)
        if isinstance(event, BatchDone) and not ended and len(writers := sessions(mysql_database)) > 2:
            ended.append(writers[1][0])
            mysql_database.run(f"KILL {writers[1][0]}")

    migrate(shop, observer)
    assert done(mysql_database) == ONCE
    assert sum(isinstance(event, Reconnected) for event in seen) == 1


def test_without_room_for_more_sessions_one_does_all(shop, mysql_database):
    name = make_url(shop.url).database
    mysql_database.run(
        f"CREATE USER '{name}'@'localhost' WITH MAX_USER_CONNECTIONS 2",
        f"GRANT ALL ON `{name}`.* TO '{name}'@'localhost'",
        f"GRANT PROCESS ON *.* TO '{name}'@'localhost'",
    )
    try:
        shop.url = make_url(shop.url).set(username=name).render_as_string(hide_password=False)
        migrate(shop)
    finally:
        mysql_database.run(f"DROP USER '{name}'@'localhost'")
    assert done(mysql_database) == ONCE
    assert len(sessions(mysql_database)) == 1


def test_workers_find_their_places_free(shop):
    with runs.running(shop.settings, "apply") as session:
        pair = overlapping.Overlapping(Batches(session, None, None, ignore), None, lambda: runs.worker(shop.settings))
        for _ in range(2):
            pair.open()
            assert not session.query(session.family.no_workers())[0][0]
            pair.before(Spread())
            until(lambda: session.query(session.family.no_workers())[0][0])


SCRIPT = """
import sys
from pathlib import Path
from migrator import api, settings
from migrator.events import BatchDone
def observer(event):
    if isinstance(event, BatchDone):
        print(".", flush=True)
given = settings.load({"database_url": sys.argv[1], "batch_target": "0.1ms"}, environ={}, directory=Path(sys.argv[2]))
api.apply(given, observer=observer)
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_what_a_process_leaves_the_next_one_finishes(shop, mysql_database, end):
    words = [sys.executable, "-c", SCRIPT, shop.url, str(shop.folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=dict(os.environ)) as run:
        for _ in range(12):
            run.stdout.readline()
        run.send_signal(end)
    migrate(shop)
    assert done(mysql_database) == ONCE


@contextmanager
def interrupted(lines):
    """Ctrl-C so many lines after the first batch that overlaps begins, in the module that lets them overlap."""
    left = None

    def trace(frame, event, _argument):
        nonlocal left
        if frame.f_code.co_filename != overlapping.__file__:
            return None
        if left is None and frame.f_code.co_name == "_begin":
            left = lines
        if event == "line" and left is not None:
            left -= 1
            if left == 0:
                time.sleep(0.01)
                raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield
    finally:
        sys.settrace(before)


@pytest.mark.usefixtures("unmoved")
def test_wherever_it_is_interrupted_no_cursor_is_ahead_of_its_rows(shop, mysql_database, monkeypatch):
    def save(batches, session, *given):
        time.sleep(0.08 * (session is not batches.session))
        original(batches, session, *given)

    def close(session):
        session.connection.connection.rollback()
        time.sleep(0.05)  # whoever still writes there has time to go on, in a transaction that has lost its rows
        end(session)

    original, end = Batches.save, Session.close
    monkeypatch.setattr(Batches, "save", save)
    monkeypatch.setattr(Session, "close", close)
    for lines in range(1, 10):
        with pytest.raises(KeyboardInterrupt), interrupted(lines):
            migrate(shop)
        changed = mysql_database.rows("SELECT COUNT(*) FROM users WHERE amount = 1")
        assert changed == mysql_database.rows("SELECT SUM(rows_done) FROM migrator_backfills")
    migrate(shop)
    assert done(mysql_database) == ONCE
