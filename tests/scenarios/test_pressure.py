"""What a backfill must not fill the server up with. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import replace

import psycopg
import pytest

from migrator import api
from migrator.burdens import burdens
from migrator.database import connect
from migrator.dialects import postgresql
from migrator.embedded import EmbeddedServer, all_binaries
from migrator.events import Resumed, StepProgress, Vacuumed, Waiting
from migrator.pressure import Pressure
from phases.model import TableName
from phases.pressure import FEW_ROWS, Limits
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, servers
from tests.plugins.servers import missing
from tests.plugins.waiting import until

SLOT = "forgotten"
TABLES = (
    "CREATE TABLE users (id int PRIMARY KEY, full_name text)",
    "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 50) i",
    "DELETE FROM users WHERE id > 40",
)


@pytest.fixture
def shop(database, project):
    database.run(*TABLES)
    project.url = database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    return project


def test_53_a_backfill_pauses_while_a_slot_that_nobody_reads_keeps_too_much_log(shop, database):
    shop.apply("expand")
    database.run(f"SELECT pg_create_physical_replication_slot('{SLOT}', true)", "CREATE TABLE noise (a int)")
    strict, seen = replace(shop.settings, slot_backlog=1), []

    def observer(event):
        seen.append(event)
        if isinstance(event, Waiting) and sum(isinstance(each, Waiting) for each in seen) == 1:
            assert any(f"replication slot {SLOT}" in reason for reason in api.status(strict).pressure)
            assert f"replication slot {SLOT}" in shop.cli("status", MIGRATOR_SLOT_BACKLOG="1").stdout
            database.run(f"SELECT pg_drop_replication_slot('{SLOT}')")

    done = api.apply(strict, observer=observer)
    first, *others = [event for event in seen if isinstance(event, Waiting | Resumed | StepProgress)]
    assert isinstance(first, Waiting)
    assert f"SELECT pg_drop_replication_slot('{SLOT}')" in first.reason
    assert any(isinstance(event, Resumed) for event in others)
    assert [outcome.pressure for outcome in done.outcomes if outcome.paused_seconds] == [first.reason]
    assert shop.states() == {"change": "migrated"}
    assert api.status(strict).pressure == ()


def test_53_what_waits_to_be_archived_is_read_where_the_role_may():
    able = [found for _, found in sorted(all_binaries().items())]
    if not able:
        missing("no PostgreSQL server to start")
    with ExitStack() as stack:
        given = {"archive_mode": "on", "archive_command": "false"}
        server = stack.enter_context(EmbeddedServer(able[-1], given))
        admin = stack.enter_context(psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True))
        for statement in ("CREATE ROLE guest LOGIN", *TABLES, "SELECT pg_switch_wal()"):
            admin.execute(statement)
        for url, queued in ((server.url(), 16 * 1024**2), (server.url().replace("postgres@", "guest@"), None)):
            session = stack.enter_context(connect(url, "test"))
            archive = Pressure(session, Limits(archive=1)).archive()
            assert archive.queued == queued
            assert bool(Pressure(session, Limits(archive=1)).look(TableName("public", "users"))[0].reason) is bool(
                queued
            )


@pytest.fixture
def worn(database, shop):  # noqa: ARG001 (its project is on the database)
    """Makes many dead rows, in a table that autovacuum serves or not; gives a session of somebody at work."""
    if database.version < (15, 0):
        pytest.skip("statistics are sent when the server likes")

    def wear(served):
        database.run(
            f"ALTER TABLE users SET (autovacuum_enabled = {served})",
            f"INSERT INTO users SELECT i FROM generate_series(100, {FEW_ROWS + 200}) i",
            "DELETE FROM users WHERE id >= 100",
        )
        other.execute("SELECT pg_stat_force_next_flush()")

    with database.connect() as other:
        other.execute("SELECT 1")
        yield wear, other


USERS = TableName("public", "users")


def test_53_a_backfill_waits_for_the_vacuum_of_its_table_where_one_may_come(shop, worn):
    wear, other = worn
    wear(served=True)
    seen = []

    def observer(event):
        seen.append(event)
        if isinstance(event, Waiting):
            other.execute("VACUUM users")
            other.execute("SELECT pg_stat_force_next_flush()")

    with connect(shop.url, "test") as session:
        watch = Pressure(session, Limits(dead=0.01), observer, pause=seen.append, url=shop.url)
        assert watch.rows(TableName("public", "gone")) is None
        if not watch.rows(USERS).served:
            pytest.skip("autovacuum is off on this server")
        watch.follow("fill", USERS)
        assert watch.rows(USERS).dead == 0
    assert [type(event) for event in seen] == [Waiting, float, Resumed]
    assert "autovacuum is behind" in seen[0].reason


def test_53_a_table_that_nobody_vacuums_is_vacuumed_while_batches_go_on(shop, worn):
    wear, other = worn
    wear(served=False)
    seen = []
    with connect(shop.url, "test") as session:
        watch = Pressure(session, Limits(dead=10_000.0), seen.append, pause=seen.append, url=shop.url)
        watch.follow("fill", USERS)
        until(lambda: not watch.vacuum.under_way)
        other.execute("SELECT pg_stat_force_next_flush()")
        watch.looked = None
        watch.follow("fill", USERS)
        assert watch.rows(USERS).dead == 0
    begun, ended = seen
    assert (begun.dead > FEW_ROWS, begun.seconds) == (True, None)
    assert (ended.dead, ended.problem, ended.seconds > 0) == (0, "", True)


def test_53_batches_wait_for_our_own_vacuum_where_it_is_behind_and_nobody_waits_for_it_at_the_end(
    shop, worn, monkeypatch
):
    wear, other = worn
    wear(served=False)
    monkeypatch.setattr(postgresql, "GENTLY", ("SET vacuum_cost_delay = '100ms'", "SET vacuum_cost_limit = 1"))
    seen = []
    with connect(shop.url, "test") as session:
        watch = Pressure(session, Limits(dead=0.01), seen.append, url=shop.url)
        rows = watch.rows(USERS)
        watch.clear("fill", USERS, rows)
        # Somebody else is at work, so it rests as autovacuum would.
        until(lambda: other.execute(RESTING).fetchone()[0])
        verdict, _ = watch.look(USERS)
        assert (verdict.go, "our vacuum is behind" in verdict.reason) == (False, True)
        watch.end()
        until(lambda: not other.execute(RESTING).fetchone()[0])
        assert watch.rows(USERS).vacuums == rows.vacuums


def test_53_a_vacuum_of_ours_ends_with_the_step(shop, worn, monkeypatch):
    wear, other = worn
    wear(served=False)
    monkeypatch.setattr(postgresql, "GENTLY", ("SET vacuum_cost_delay = '100ms'", "SET vacuum_cost_limit = 1"))
    seen = []
    api.apply(replace(shop.settings, dead_rows=1e6), observer=seen.append)
    assert any(isinstance(event, Vacuumed) for event in seen)
    assert not other.execute(RESTING).fetchone()[0]
    assert shop.states() == {"change": "migrated"}


RESTING = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name LIKE 'migrator vacuum%'
  AND datname = current_database() AND wait_event = 'VacuumDelay')
"""


BEGUN = {
    POSTGRESQL: ("UPDATE users SET full_name = 'x' WHERE id = 1", "pg_terminate_backend({})"),
    MYSQL: ("UPDATE users SET full_name = 'x' WHERE id = 1", "KILL {}"),
}


@pytest.mark.parametrize(
    "server_database", [pytest.param((kind, servers(kind)[0]), id=kind) for kind in BEGUN], indirect=True
)
def test_53_batches_wait_for_an_old_transaction_and_for_a_full_disk(server_database):
    kind = kind_of(server_database)
    server_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text)", "INSERT INTO users VALUES (1, 'a')")
    change, ends = BEGUN[kind]
    seen = []
    with closing(server_database.connect()) as other, connect(server_database.url, "test") as session:
        cursor = other.cursor()
        cursor.execute("BEGIN")
        cursor.execute(change)
        number = "SELECT pg_backend_pid()" if kind == POSTGRESQL else "SELECT CONNECTION_ID()"
        cursor.execute(number)
        ((pid,),) = cursor.fetchall()
        old = session.query(session.family.oldest_transaction())
        assert [row[0] for row in old] == [pid]

        def pause(_seconds):
            cursor.execute("ROLLBACK")
            time.sleep(0.1)  # for as long MariaDB answers as before

        watch = Pressure(session, Limits(transaction=-1.0), seen.append, pause)
        _, reason = watch.follow("fill", TableName("public", "users"))
        assert ends.format(pid) in reason
        (full,) = burdens(session, Limits(disk=1 << 50), paused=False)
    assert {type(event) for event in seen} == {Waiting, Resumed}
    assert "disk are free (1024 TB have to be)" in full.reason or "on its own machine only" in full.unknown
