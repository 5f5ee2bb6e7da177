"""Connections that are lost in the middle of a backfill. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

import os
import signal
from threading import Timer

import pytest

from migrator import defining, introspection, introspection_mysql
from migrator.database import connect, run
from migrator.errors import ConnectionFailed, RowsSetAside
from migrator.events import Reconnected, StepProgress
from migrator.runner_lock import runner_owner
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers
from tests.scenarios.test_comparing import MANY

SERVERS = [
    pytest.param((kind, server), id=named(kind, server)) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)[:1]
]
END = {POSTGRESQL: "SELECT pg_terminate_backend({})", MYSQL: "KILL {}"}
SLEEP = {"postgresql": "SELECT pg_sleep(10)", "mysql": "SELECT SLEEP(10)", "mariadb": "SELECT SLEEP(10)"}
WRONG = "SELECT count(*) FROM users WHERE name IS NULL OR name <> full_name"


def end_runner(database):
    """End the session of the run, as an administrator does."""
    with connect(database.url, "test") as session:
        number = session.query(session.family.owner())[0][0]
        assert runner_owner(session)
    database.run(END[kind_of(database)].format(number))


class Interrupted(list):
    """What happened; `does` is done once, after the first rows of a backfill."""

    def __init__(self, does):
        self.does = does

    def append(self, event):
        super().append(event)
        if self.does and isinstance(event, StepProgress) and event.name.startswith("backfill"):
            does, self.does = self.does, None
            does()

    def of(self, kind):
        return [event for event in self if isinstance(event, kind)]


@pytest.fixture
def shop(server_database, project):
    server_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(2000))",
        f"INSERT INTO users {MANY[kind_of(server_database)]}",
    )
    project.url = server_database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    return project


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_52_a_backfill_whose_session_is_ended_goes_on_in_another_one(shop, server_database):
    shop.seen = Interrupted(lambda: end_runner(server_database))
    shop.apply()
    (event,) = shop.seen.of(Reconnected)
    assert not event.said
    assert shop.states() == {"change": "migrated"}
    assert server_database.rows(WRONG) == [(0,)]
    assert "reconnected" in [event["kind"] for event in shop.json("status", "--events", "30")["events"]]


BEHIND = {
    POSTGRESQL: (
        "SET session_replication_role = replica",
        "UPDATE users SET name = NULL",
        "UPDATE migrator.backfills SET rows_done = 0, cursor ="
        """ (cursor::jsonb || '{"page": 0, "stripe": 0, "after": [], "rows": 0, "end": 5000}')::json""",
    ),
    MYSQL: (
        "UPDATE migrator_backfills SET rows_done = 0,"
        " `cursor` = JSON_SET(`cursor`, '$.after', JSON_ARRAY(), '$.rows', 0)",
    ),
}


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_52_what_a_server_that_took_over_has_not_got_is_said_and_done_again(shop, server_database):
    def fail_over():
        server_database.run(*BEHIND[kind_of(server_database)])
        end_runner(server_database)

    shop.seen = Interrupted(fail_over)
    shop.apply()
    (event,) = shop.seen.of(Reconnected)
    assert "rows of backfill users.name that were committed are not there" in event.said
    assert server_database.rows(WRONG) == [(0,)]


@pytest.mark.parametrize("server_database", SERVERS[:1], indirect=True)
def test_52_a_run_does_not_go_on_in_another_database(shop, server_database):
    def replaced():
        server_database.run(
            "SET session_replication_role = replica",
            "ALTER TABLE migrator.events DISABLE TRIGGER ALL",
            "UPDATE migrator.events SET actor = 'somebody else' WHERE id = (SELECT min(id) FROM migrator.events)",
        )
        end_runner(server_database)

    shop.seen = Interrupted(replaced)
    with pytest.raises(ConnectionFailed, match="another ledger"):
        shop.apply()
    assert shop.states() == {"change": "migrating"}


SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.id = 7 THEN PERFORM pg_cancel_backend(pg_backend_pid()), pg_sleep(1); END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER a_slow BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION slow()
"""


@pytest.mark.parametrize("server_database", SERVERS[:1], indirect=True)
def test_52_a_statement_that_is_cancelled_is_done_in_smaller_parts(shop, server_database):
    server_database.run(SLOW)
    with pytest.raises(RowsSetAside, match="57014") as found:
        shop.apply()
    assert [row["key"] for row in found.value.facts["sample"]] == [["7"]]
    server_database.run("DROP TRIGGER a_slow ON users")
    assert shop.cli("retry", "change").returncode == 0
    assert server_database.rows(WRONG) == [(0,)]


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_an_interrupt_while_the_schema_is_read_is_no_lost_connection(shop, monkeypatch):
    def slow(reader, *_given):
        Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        reader.connection.exec_driver_sql(SLEEP[reader.connection.dialect.name])

    for reader in (introspection.Reader, introspection_mysql.MySQLReader):
        monkeypatch.setattr(reader, "catalog", slow)
    with pytest.raises(KeyboardInterrupt):
        shop.apply()


@pytest.mark.parametrize("use", [lambda session: session.query("SELECT 1"), lambda session: session.alone("SELECT 1")])
@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_a_session_that_is_lost_stays_lost_whoever_was_told(server_database, use):
    """Another one would not have the runner's lock, and none of its limits."""
    with connect(server_database.url, "test") as session:
        server_database.run(END[kind_of(server_database)].format(session.backend()))
        for _ in range(2):
            with pytest.raises(ConnectionFailed):
                use(session)
        with pytest.raises(ConnectionFailed), session.transaction():
            pass
        session.reopen()
        use(session)


@pytest.mark.parametrize("server_database", SERVERS[1:], indirect=True)
def test_an_interrupt_of_a_statement_with_limits_of_its_own_is_no_lost_connection(shop, monkeypatch):
    def slow(session, *_given):
        Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        run(session.connection, "SELECT SLEEP(10)")

    monkeypatch.setattr(defining, "is_moment", slow)
    with pytest.raises(KeyboardInterrupt):
        shop.apply()
