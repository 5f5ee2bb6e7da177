"""A runner never makes an application wait longer than the lock timeout, and says who is in its way."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from migrator import api
from migrator.embedded import EmbeddedServer, all_binaries
from migrator.errors import LockNotAvailable, RunnerBusy
from migrator.events import LockRetried, StepProgress
from phases.model import Phase
from tests.crash.test_kill import start, wait_for
from tests.plugins.servers import missing, versions

TABLE = (
    "CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL)",
    "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 500) i",
)


@pytest.fixture
def prepared(any_database, project):
    any_database.run(*TABLE)
    project.url = any_database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    return any_database


@pytest.fixture
def idle_holder(prepared):
    """A session that has read the table and forgot to end its transaction."""
    with prepared.connect(application_name="forgetful report") as session:
        session.execute("BEGIN")
        session.execute("SELECT count(*) FROM users")
        yield session


def test_gives_up_with_exit_4_and_names_the_session(idle_holder, prepared, project):
    done = project.cli("apply", "--yes", "--lock-timeout", "100ms", "--lock-give-up", "2s")
    assert done.returncode == 4, done.stderr
    assert "forgetful report" in done.stderr
    assert f"pid {idle_holder.info.backend_pid}" in done.stderr
    assert "idle in transaction" in done.stderr
    assert "next:" in done.stderr
    assert "lock not granted, try 2" in done.stderr
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'users'"
    assert prepared.rows(columns) == [(2,)]


def test_says_the_same_as_json(idle_holder, project):
    done = project.cli("apply", "--yes", "--lock-timeout", "50ms", "--lock-give-up", "300ms", "--format", "json")
    assert done.returncode == 4
    facts = json.loads(done.stdout)["error"]["facts"]
    assert facts["mode"] == "ACCESS EXCLUSIVE"
    assert any(str(idle_holder.info.backend_pid) in blocker for blocker in facts["blockers"])


def test_goes_on_when_the_session_ends(idle_holder, prepared, project):
    seen = []

    class Watch(list):
        def append(self, event):
            seen.append(event)
            if isinstance(event, LockRetried) and event.attempt == 2:
                idle_holder.execute("COMMIT")

    project.seen = Watch()
    project.apply()
    assert [event.attempt for event in seen if isinstance(event, LockRetried)] == [1, 2]
    assert prepared.rows("SELECT count(*) FROM users WHERE name IS DISTINCT FROM full_name") == [(0,)]


def test_nobody_queues_behind_the_runner_for_longer_than_the_timeout(idle_holder, prepared, project):
    """Clients that may wait 1.5 times the runner's timeout, and not a moment longer, never fail."""
    del idle_holder
    failures, stopping = [], threading.Event()

    def client():
        with prepared.connect(options="-c lock_timeout=750ms") as connection:
            while not stopping.is_set():
                try:
                    connection.execute("SELECT full_name FROM users WHERE id = 1")
                    connection.execute("INSERT INTO users VALUES (0, 'x') ON CONFLICT DO NOTHING")
                except psycopg.Error as problem:
                    failures.append(problem)

    clients = [threading.Thread(target=client) for _ in range(4)]
    for thread in clients:
        thread.start()
    runner = start(project, "apply", "--yes", "--lock-timeout", "500ms", "--lock-give-up", "4s")
    assert runner.wait(60) == 4
    stopping.set()
    for thread in clients:
        thread.join()
    assert failures == []


def test_a_row_that_is_held_is_deferred_not_waited_for(prepared, project):
    project.apply("expand")
    notes = []

    class Watch(list):
        def append(self, event):
            notes.append(event)
            if type(event).__name__ == "Paused":
                holder.execute("COMMIT")

    with prepared.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT * FROM users WHERE id = 7 FOR UPDATE")
        project.seen = Watch()
        project.apply("migrate")
    assert any("another session holds rows" in getattr(note, "reason", "") for note in notes)
    told = [note.progress.rows for note in notes if isinstance(note, StepProgress) and note.name.startswith("backfill")]
    assert told[-1] == 500
    assert prepared.rows("SELECT count(*) FROM users WHERE name IS DISTINCT FROM full_name") == [(0,)]


def test_gives_up_with_exit_4_on_a_row_that_is_never_let_go(prepared, project):
    project.apply("expand")
    with prepared.connect(application_name="forgetful report") as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT * FROM users WHERE id = 7 FOR UPDATE")
        done = project.cli("apply", "--yes", "--lock-give-up", "1s")
        assert done.returncode == 4, done.stderr
        assert "forgetful report" in done.stderr
        assert "another session holds rows of 1 batch" in done.stderr
    assert project.cli("apply", "--yes").returncode == 0


def test_33_whoever_locks_several_tables_gives_way_before_the_server_ends_somebody_for_a_deadlock(database, project):
    database.run(
        *TABLE,
        "CREATE TABLE orders (id int, user_id int)",
        "CREATE TABLE waits (what text, longest int)",
        "CREATE FUNCTION note() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO waits"
        " SELECT tg_tag, setting::int FROM pg_settings WHERE name = 'lock_timeout'; END$$",
        "CREATE EVENT TRIGGER note ON ddl_command_start EXECUTE FUNCTION note()",
        f'ALTER DATABASE "{database.name}" SET deadlock_timeout = 3000',
    )
    project.url = database.url
    project.revision(
        "change",
        'AddColumn("users", "age", "int"), AddForeignKey("orders", "user_id", "users", "id"),'
        ' RunSQL(expand="CREATE VIEW old AS SELECT id FROM users", undo="DROP VIEW old")',
    )
    done = project.cli("apply", "--yes", "--phase", "expand", "--lock-timeout", "5s")
    assert done.returncode == 0, done.stderr
    column, key, own = database.rows("SELECT longest FROM waits WHERE what IN ('ALTER TABLE', 'CREATE VIEW')")
    assert 4000 < column[0] <= 5000
    assert 0 < key[0] <= 1500
    assert own == (1500,)


@pytest.mark.parametrize("order", [("users", "cards"), ("cards", "users")], ids=" then ".join)
def test_33_applications_that_write_two_tables_all_the_time_let_both_be_locked_in_their_order(database, project, order):
    """Who has the first table waits for the second behind a runner that has it, and waits for the first."""
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, n int)",
        "CREATE TABLE cards (id int PRIMARY KEY, user_id int, n int)",
        "INSERT INTO users SELECT i, 0 FROM generate_series(1, 4) i",
        "INSERT INTO cards SELECT i, i, 0 FROM generate_series(1, 4) i",
    )
    project.url = database.url
    project.revision("change", 'AddForeignKey("cards", "user_id", "users", "id")')
    stop = threading.Event()

    def write(number):
        with database.connect() as connection:
            while not stop.is_set():
                with connection.transaction():
                    for table in order:
                        connection.execute(f"UPDATE {table} SET n = n + 1 WHERE id = {number}")
                        time.sleep(0.03)

    with ThreadPoolExecutor() as pool:
        writers = [pool.submit(write, number) for number in range(1, 5)]
        try:
            api.apply(replace(project.settings, lock_retries=6), phase=Phase.EXPAND)
        finally:
            stop.set()
        for writer in writers:
            writer.result(10)
    assert project.states() == {"change": "expanded"}


def test_an_exclusion_constraint_that_is_not_built_within_the_lock_timeout_is_undone(database, project):
    database.run(
        "CREATE TABLE halls (days int4range)",
        "INSERT INTO halls VALUES ('[1,5)')",
        "CREATE FUNCTION slow(int4range) RETURNS int4range IMMUTABLE LANGUAGE plpgsql"
        " AS 'BEGIN PERFORM pg_sleep(0.1); RETURN $1; END'",
    )
    project.url = database.url
    project.revision("change", 'AddExclusion("halls", "once", [("(slow(days))", "&&")])')
    before = database.dump()
    done = project.cli("apply", "--yes", "--lock-timeout", "40ms")
    assert done.returncode == 1
    assert 'not done in 20 ms, half the lock timeout, and was undone: reads and writes of "public.halls"' in done.stderr
    assert "migrator abort change" in done.stderr
    assert database.dump() == before
    assert project.cli("apply", "--yes", "--lock-timeout", "10s").returncode == 0
    assert "once" in database.dump()


def test_backfill_18_a_second_runner_is_refused_and_told_who_is_at_work(prepared, project):
    with prepared.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM users")
        first = start(project, "apply", "--yes", "--lock-give-up", "60s")
        wait_for(prepared, "application_name LIKE 'migrator apply%' AND query LIKE 'LOCK TABLE%'")
        second = project.cli("apply", "--yes")
        assert second.returncode == RunnerBusy.exit_code == LockNotAvailable.exit_code == 4
        assert "another runner is at work" in second.stderr
        assert f":{first.pid}" in second.stderr
        looking = project.cli("status")
        assert looking.returncode == 0
        assert "migrator apply" in looking.stdout
        holder.execute("COMMIT")
    assert first.wait(60) == 0


@pytest.fixture
def server_with_autovacuum():
    """A server whose autovacuum comes at once and takes its time."""
    if not versions() or 0 in versions():
        missing("no server of our own")
    lazy = {"autovacuum_naptime": "1s", "autovacuum_vacuum_cost_delay": "100ms", "autovacuum_vacuum_cost_limit": "1"}
    with EmbeddedServer(all_binaries()[versions()[0]], lazy) as server:
        yield server


def test_autovacuum_is_made_to_step_aside(server_with_autovacuum, project):
    project.url = server_with_autovacuum.url()
    with psycopg.connect(project.url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in TABLE:
            connection.execute(statement)
        connection.execute("INSERT INTO users SELECT i, repeat('x', 500) FROM generate_series(501, 20000) i")
        connection.execute(
            "ALTER TABLE users SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_scale_factor = 0)"
        )
        connection.execute("DELETE FROM users WHERE id % 2 = 0")
        at_work = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'autovacuum: VACUUM%users%'"
        deadline = time.monotonic() + 60
        while connection.execute(at_work).fetchone() == (0,):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        project.revision("change", 'RenameColumn("users", "full_name", "name")')
        project.apply("expand")
    assert not [event for event in project.seen if isinstance(event, LockRetried)]


def test_ctrl_c_stops_at_once_and_the_next_run_continues(prepared, project):
    import signal

    with prepared.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("SELECT count(*) FROM users")
        runner = start(project, "apply", "--yes")
        wait_for(prepared, "application_name LIKE 'migrator apply%' AND query LIKE 'LOCK TABLE%'")
        begun = time.monotonic()
        runner.send_signal(signal.SIGINT)
        assert runner.wait(30) == 130
        assert time.monotonic() - begun < 20
    assert project.cli("apply", "--yes").returncode == 0
