"""Replicas that fall behind. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from dataclasses import replace

import psycopg
import pytest

from migrator import api
from migrator.embedded import EmbeddedServer, all_binaries
from migrator.errors import NotYet, UsageError, VerificationFailed
from migrator.events import Reconnected, Resumed, StepProgress, Unwatched, Waiting
from phases.model import Phase
from tests.plugins.aging import age
from tests.plugins.projects import OVERRIDE
from tests.plugins.servers import Server, fresh_database, missing

RENAME = 'RenameColumn("users", "full_name", "name")'
LIMIT = 0.05
LATE = f"SELECT replay_lag > interval '{LIMIT} s' FROM pg_stat_replication"


class Standby(EmbeddedServer):
    """A streaming replica of another server."""

    def __init__(self, primary):
        super().__init__(primary.binaries, {"cluster_name": "east"})
        self.primary = primary

    def _make_data(self):
        command = [self.binaries.folder / "pg_basebackup", "-c", "fast", "-R", "-N", "-X", "stream"]
        command += ["-D", self.folder / "data", "-d", self.primary.url().replace("+psycopg", "")]
        if self.user:
            os.chown(self.folder, self.user["user"], self.user["group"])
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self.user)


class Replica:
    """A standby whose replay can be stopped, seen from the primary."""

    def __init__(self, primary, standby, server):
        self.primary, self.standby, self.server = primary, standby, server

    def stop(self):
        """Stop replay, and return once the primary has measured that it is late."""
        self.standby.execute("SELECT pg_wal_replay_pause()")
        self.primary.execute("CREATE TABLE IF NOT EXISTS ticks (n int)")
        while self.primary.execute(LATE).fetchone() != (True,):
            self.primary.execute("INSERT INTO ticks VALUES (1)")

    def go_on(self):
        self.standby.execute("SELECT pg_wal_replay_resume()")


@pytest.fixture(scope="module")
def servers():
    """A primary, and its replica."""
    with ExitStack() as stack:
        yield started(stack)


def started(stack):
    """A primary, and its replica."""
    able = [found for _, found in sorted(all_binaries().items()) if (found.folder / "pg_basebackup").exists()]
    if not able:
        missing("no PostgreSQL server with pg_basebackup")
    primary = stack.enter_context(EmbeddedServer(able[-1]))
    standby = stack.enter_context(Standby(primary))
    connections = [
        stack.enter_context(psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True))
        for server in (primary, standby)
    ]
    return Server(primary.url(), primary.binaries.folder, primary), Replica(*connections, standby)


@pytest.fixture
def replica(servers):
    yield servers[1]
    servers[1].go_on()


@pytest.fixture
def shop(servers, project):
    """A project with 50 rows to backfill."""
    with fresh_database(servers[0]) as database:
        database.run(
            "CREATE TABLE users (id int PRIMARY KEY, full_name text)",
            "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 50) i",
        )
        project.url = database.url
        project.revision("change", RENAME)
        yield project


def applied(shop, phase=None, observer=None, **settings):
    """Apply with a limit that replicas exceed at once."""
    given = replace(shop.settings, **{"replica_lag": LIMIT, "lock_give_up": 30.0, **settings})
    override, to = (OVERRIDE, "change") if phase is Phase.CONTRACT else (None, None)
    return api.apply(given, phase=phase, to=to, override=override, observer=observer or shop.seen.append)


def resuming(shop, replica):
    """An observer that lets the replica go on once somebody waits for it."""

    def observer(event):
        shop.seen.append(event)
        if isinstance(event, Waiting):
            replica.go_on()

    return observer


def seen(shop, *kinds):
    return [event for event in shop.seen if isinstance(event, kinds)]


def test_18_a_backfill_pauses_while_a_replica_is_behind_and_goes_on_when_it_is_not(shop, replica):
    shop.apply("expand")
    replica.stop()
    done = applied(shop, observer=resuming(shop, replica))
    first, *others = seen(shop, Waiting, Resumed, StepProgress)
    assert isinstance(first, Waiting)
    assert "replica east (127.0.0.1) is" in first.reason
    assert any(isinstance(event, Resumed) for event in others)
    assert [outcome.replicas for outcome in done.outcomes if outcome.paused_seconds] == [first.reason]
    assert shop.states() == {"change": "migrated"}
    shop.seen.clear()
    replica.stop()
    shop.abort("change")
    applied(shop, replica_lag=0.0)
    assert not seen(shop, Waiting)


def test_18_a_paused_backfill_says_why_and_ends_at_ctrl_c(shop, replica):
    shop.apply("expand")
    replica.stop()
    words = [sys.executable, "-m", "migrator", "apply", "--phase", "migrate", "--yes"]
    environment = shop.environment(MIGRATOR_REPLICA_LAG="50ms")
    with subprocess.Popen(words, cwd=shop.folder, env=environment, stderr=subprocess.PIPE, text=True) as runner:
        for line in runner.stderr:
            if "paused: replica east" in line:
                break
        said = shop.cli("status", MIGRATOR_REPLICA_LAG="50ms").stdout
        runner.send_signal(signal.SIGINT)
        assert runner.wait(30) == 130
    assert "replicas:        replica east" in said


def test_backfill_20_a_lag_that_the_role_may_not_see_is_said_once_and_stops_no_batch(shop, replica):
    role = f"owner_{shop.url.rpartition('/')[2]}"
    with psycopg.connect(shop.url.replace("+psycopg", ""), autocommit=True) as connection:
        for statement in (
            f"CREATE ROLE {role} LOGIN",
            f'GRANT CREATE ON DATABASE "{connection.info.dbname}" TO {role}',
            f"GRANT CREATE, USAGE ON SCHEMA public TO {role}",
            f"ALTER TABLE users OWNER TO {role}",
        ):
            connection.execute(statement)
        everything, shop.url = shop.url, shop.url.replace("postgres@", f"{role}@")
        try:
            replica.stop()
            applied(shop)
            (event,) = seen(shop, Unwatched)
            assert "this role may not see" in event.reason
            with pytest.raises(NotYet) as found:
                applied(shop, Phase.CONTRACT)
            assert "pg_monitor" in found.value.next_step
            assert shop.states() == {"change": "migrated"}
        finally:
            shop.url = everything
            connection.execute(f"DROP OWNED BY {role} CASCADE")
            connection.execute(f"DROP ROLE {role}")


def test_19_a_contract_and_its_restore_begin_once_every_replica_has_replayed_what_came_before(shop, replica):
    shop.apply()
    replica.stop()
    with pytest.raises(NotYet, match=r"replica east .* has \d+ bytes of WAL to replay") as found:
        applied(shop, Phase.CONTRACT, lock_give_up=0.1)
    assert found.value.facts["replicas"][0]["bytes"] > 0
    assert shop.states() == {"change": "migrated"}
    applied(shop, Phase.CONTRACT, resuming(shop, replica))
    assert seen(shop, Resumed)
    assert shop.states() == {"change": "contracted"}
    replica.stop()
    with pytest.raises(NotYet, match="the restore of change has not begun"):
        api.restore(replace(shop.settings, lock_give_up=0.1), "change")
    assert shop.states() == {"change": "contracted"}
    api.restore(shop.settings, "change", observer=resuming(shop, replica))
    assert shop.states() == {"change": "migrated"}


def test_16_rows_are_compared_on_a_replica_once_it_has_what_was_written_before(shop, replica):
    shop.apply()
    there = replica.server.url(shop.url.rpartition("/")[2])
    replica.stop()
    with psycopg.connect(shop.url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE users SET name = 'nobody' WHERE id = 7")
        given = replace(shop.settings, verify_replica=there, lock_give_up=30.0)
        with pytest.raises(NotYet, match="has not replayed"):
            api.verify(replace(given, lock_give_up=0.1))
        with pytest.raises(VerificationFailed, match="example 7"):
            api.verify(given, observer=resuming(shop, replica))
        replica.stop()
        connection.execute("UPDATE users SET name = full_name")
        (found,) = api.verify(given, observer=resuming(shop, replica))
    assert (found.rows, found.replica.split(":")[0]) == (50, "127.0.0.1")
    assert "have not been compared" in found.leaves_open
    with pytest.raises(UsageError, match="not in recovery"):
        api.verify(replace(given, verify_replica=shop.url))


class FailOver(list):
    """What happened; the replica is cut off after the first batch, and takes the place of its primary three later."""

    def __init__(self, server, replica):
        self.server, self.replica, self.batches = server, replica, 0

    def append(self, event):
        super().append(event)
        if not isinstance(event, StepProgress) or not event.name.startswith("backfill"):
            return
        self.batches += 1
        if self.batches == 1:
            for statement in ("ALTER SYSTEM SET primary_conninfo = ''", "SELECT pg_reload_conf()"):
                self.replica.standby.execute(statement)
            while self.replica.standby.execute("SELECT FROM pg_stat_wal_receiver").fetchone() is not None:
                pass
        if self.batches == 4:
            self.server.embedded.kill()
            self.replica.standby.execute("SELECT pg_promote()")


def test_52_a_run_goes_on_at_a_promoted_replica_from_what_the_ledger_there_says(project):
    with ExitStack() as stack:
        server, replica = started(stack)
        with psycopg.connect(server.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE TABLE users (id int PRIMARY KEY, full_name text)")
            connection.execute("INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 50) i")
        hosts = "&".join(f"host=127.0.0.1:{each.port}" for each in (server.embedded, replica.server))
        project.url = f"postgresql+psycopg://postgres@/postgres?{hosts}&target_session_attrs=read-write"
        project.revision("change", RENAME)
        project.seen = FailOver(server, replica)
        project.apply()
        (event,) = [event for event in project.seen if isinstance(event, Reconnected)]
        assert "rows of backfill users.name that were committed are not there, and are done again" in event.said
        wrong = "SELECT count(*) FROM users WHERE name IS DISTINCT FROM full_name"
        assert replica.standby.execute(wrong).fetchone() == (0,)


def test_a_replica_that_took_over_has_the_records_and_says_that_some_may_be_lost(shop, servers):
    """The last of this module: its replica is a primary afterwards, and the records are asked for there."""
    shop.apply()
    for version in ("1.0", "2.0"):
        shape = "none" if version == "1.0" else "change"
        api.deploy_record(shop.settings, api.Build("shop", version, shape=shape))
    age(shop.url, 24)
    standby = servers[1].standby
    (written,) = servers[1].primary.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    while standby.execute("SELECT pg_last_wal_replay_lsn() < %s::pg_lsn", (written,)).fetchone() == (True,):
        pass
    assert standby.execute("SELECT pg_promote()").fetchone() == (True,)
    standby.execute("CHECKPOINT")  # what says which timeline it is on
    shop.url = shop.url.replace(f":{servers[1].primary.info.port}/", f":{standby.info.port}/")
    verdict = api.gate(shop.settings, "change")["change"]
    (server,) = [condition for condition in verdict.conditions if condition.name == "server of the records"]
    assert "later ones may be lost" in server.evidence
    assert (server.holds, server.observed) == (True, False)
    assert not api.gate(replace(shop.settings, policy="strict"), "change")["change"].open
    api.deploy_record(shop.settings, api.Build("shop", "2.0"))
    (server,) = [c for c in api.gate(shop.settings, "change")["change"].conditions if c.name == server.name]
    assert (server.holds, server.observed) == (True, True)
