"""Replicas of MariaDB and MySQL that fall behind, or are not there. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

import os
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import pytest

from migrator import api
from migrator.embedded import free_port
from migrator.embedded_mysql import EmbeddedMySQL
from migrator.errors import ConnectionFailed, NotSupportedHere, NotYet, UsageError
from migrator.events import Reconnected, Resumed, StepProgress, StepStarted, Unwatched, Waiting
from migrator.own_server import fast_folder
from migrator.testing.servers import QUICK
from phases.model import Phase
from tests.linters.mysql.servers import needed_program
from tests.plugins.projects import OVERRIDE

LIMIT = 0.001
COMMON = {**QUICK, "binlog-format": "ROW", "sync-binlog": "0"}
NETWORK = {"skip-networking": "0", "bind-address": "127.0.0.1"}
FOLLOW = {
    "mariadb": "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='repl',"
    " MASTER_PASSWORD='x', MASTER_LOG_FILE='log.000001', MASTER_LOG_POS=4, MASTER_CONNECT_RETRY=1",
    "mysql": "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, SOURCE_USER='repl',"
    " SOURCE_PASSWORD='x', SOURCE_LOG_FILE='log.000001', SOURCE_LOG_POS=4, SOURCE_CONNECT_RETRY=1,"
    " GET_SOURCE_PUBLIC_KEY=1",
}
KNOWN_AS = {"mariadb": "SLAVE", "mysql": "REPLICA"}
EVERY = ("mariadb", "mysql") if os.environ.get("MIGRATOR_TEST_REPLICAS") == "every" else ("mariadb",)


@dataclass
class Pair:
    """A source and its replica, which follows it over a port of this machine; both have a database `shop`.

    The replica is asked over a port, too: PyMySQL leaves a socket open where nobody listens on it.
    """

    source: EmbeddedMySQL
    replica: EmbeddedMySQL

    @property
    def url(self) -> str:
        """Of the replica."""
        return f"{self.replica.program.family}://root@127.0.0.1:{self.replica.settings['port']}/shop"

    def replay(self, go: bool) -> None:
        """Let the replica apply what it is sent, or not."""
        verb, known_as = "START" if go else "STOP", KNOWN_AS[self.replica.program.family]
        told(self.replica, f"{verb} {known_as} SQL_THREAD")

    def settings(self, project, **given):
        watched = {"replicas": (self.url,), "replica_lag": LIMIT, "lock_give_up": 30.0}
        return replace(project.settings, **{**watched, **given})


def told(server, *statements):
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall()


def listening(program, number, settings):
    """A server on a port that is free."""
    own = {**COMMON, **NETWORK, "port": str(free_port()), "server-id": number, **settings}
    return EmbeddedMySQL(program, own, fast_folder())


@pytest.fixture(scope="module", params=EVERY)
def servers(request):
    """One pair of each family."""
    program = needed_program(request.param)
    with ExitStack() as stack:
        source = stack.enter_context(listening(program, "1", {"log-bin": "log"}))
        replica = stack.enter_context(listening(program, "2", {}))
        port = source.settings["port"]
        told(source, "CREATE USER repl@'%' IDENTIFIED BY 'x'", "GRANT REPLICATION SLAVE ON *.* TO repl@'%'")
        told(replica, FOLLOW[request.param].format(port=port), f"START {KNOWN_AS[request.param]}")
        yield Pair(source, replica)


@pytest.fixture
def pair(servers, project):
    told(servers.source, "CREATE DATABASE shop", "CREATE TABLE shop.users (id int PRIMARY KEY, full_name varchar(60))")
    told(servers.source, "INSERT INTO shop.users VALUES (1, 'a'), (2, 'b')")
    project.url = servers.source.url("shop")
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    yield servers
    told(servers.source, "DROP DATABASE shop")
    servers.replay(True)


class Held(list):
    """What happened. While batches are held, rows are counted, and `status` is asked; then they may go on."""

    def __init__(self, pair, project, release):
        self.pair, self.project, self.release = pair, project, release
        self.filled, self.said = [], ""

    def append(self, event):
        super().append(event)
        if not isinstance(event, Waiting) or self.said:
            return
        self.filled += told(self.pair.source, "SELECT COUNT(name) FROM shop.users")
        if len(self.filled) == 3:
            watched = {"MIGRATOR_REPLICAS": self.pair.url, "MIGRATOR_REPLICA_LAG": "1ms"}
            self.said = self.project.cli("status", **watched).stdout
            self.release()

    def of(self, *kinds):
        return [event for event in self if isinstance(event, kinds)]


@pytest.mark.parametrize("stopped", ["its SQL thread is stopped", "it is shut down"])
def test_mysql_20_a_backfill_is_held_and_says_why_until_the_replica_goes_on(pair, project, monkeypatch, stopped):
    monkeypatch.setattr("migrator.replication.EVERY", 0.1)
    project.apply("expand")
    down = stopped == "it is shut down"
    name = pair.url.partition("@")[2].partition("/")[0]
    why = f"how far replica {name} is cannot be read: " if down else f"replica {name} is "
    pair.replica.stop() if down else pair.replay(False)
    seen = Held(pair, project, pair.replica.start if down else lambda: pair.replay(True))
    try:
        done = api.apply(pair.settings(project), observer=seen.append)
    finally:
        if down and pair.replica.process is None:
            pair.replica.start()
    first, *others = seen.of(Waiting, Resumed, StepProgress)
    assert first.reason.startswith(why)
    assert seen.filled == [(0,)] * 3
    assert f"replicas:        {why}" in seen.said
    assert [type(event) for event in others if not isinstance(event, Waiting)][:2] == [Resumed, StepProgress]
    assert [outcome.replicas for outcome in done.outcomes if outcome.paused_seconds] == [first.reason]
    assert project.states() == {"change": "migrated"}
    assert told(pair.source, "SELECT COUNT(name) FROM shop.users") == ((2,),)


def test_mysql_15_a_server_that_becomes_read_only_is_asked_again_until_one_may_write_and_not_for_ever(pair, project):
    trusting = "SET GLOBAL log_bin_trust_function_creators = 1"
    told(pair.source, "CREATE USER app@localhost", "GRANT ALL ON shop.* TO app@localhost", trusting)
    project.url = pair.source.url("shop").replace("root@", "app@")
    project.apply("expand")

    def demote(event):
        project.seen.append(event)
        begun = isinstance(event, StepStarted) and event.name.startswith("backfill")
        if begun and not any(isinstance(seen, Waiting) for seen in project.seen):
            told(pair.source, "SET GLOBAL read_only = 1")
        if isinstance(event, Waiting) and event.seconds > patience:
            told(pair.source, "SET GLOBAL read_only = 0")

    try:
        patience = 99.0
        with pytest.raises(ConnectionFailed, match="s no server took its place"):
            api.apply(replace(project.settings, reconnect=1.0), observer=demote)
        with pytest.raises(NotSupportedHere, match="read-only"):
            project.apply()
        assert told(pair.source, "SELECT COUNT(name) FROM shop.users") == ((0,),)
        told(pair.source, "SET GLOBAL read_only = 0")
        patience = 0.0
        project.seen.clear()
        api.apply(project.settings, observer=demote)
    finally:
        told(pair.source, "SET GLOBAL read_only = 0")
    assert any(isinstance(event, Reconnected) for event in project.seen)
    assert told(pair.source, "SELECT name FROM shop.users ORDER BY id") == (("a",), ("b",))


@pytest.mark.usefixtures("pair")
def test_18_a_replica_that_nobody_named_is_said_and_holds_no_batch(project):
    project.apply()
    (unwatched,) = [event for event in project.seen if isinstance(event, Unwatched)]
    assert "connected are repl@" in unwatched.reason
    assert "replicas = " in unwatched.remedy


def test_19_rows_are_compared_on_a_replica_and_a_contract_waits_for_it(pair, project):
    def resuming(event):
        project.seen.append(event)
        if isinstance(event, Waiting):
            pair.replay(True)

    watching = pair.settings(project)
    api.apply(watching, observer=project.seen.append)
    with_replica = replace(watching, verify_replica=pair.url)
    told(pair.replica, "UPDATE shop.users SET name = 'nobody'")  # its own affair: the source has no such row
    (found,) = api.verify(with_replica, observer=resuming)
    assert (found.rows, found.replica) == (2, f"127.0.0.1:{pair.replica.settings['port']}")
    assert "may differ" in found.leaves_open
    pair.replay(False)
    told(pair.source, "INSERT INTO shop.users (id, full_name) VALUES (3, 'c')")
    with pytest.raises(NotYet, match="has not replayed "):
        api.verify(replace(with_replica, lock_give_up=0.1))
    with pytest.raises(UsageError, match="follows no server"):
        api.verify(replace(watching, verify_replica=project.url))
    project.seen.clear()
    api.apply(watching, phase=Phase.CONTRACT, to="change", override=OVERRIDE, observer=resuming)
    waited = [event for event in project.seen if isinstance(event, Waiting)]
    assert waited
    assert "has replayed nothing of the last" in waited[0].reason
    assert "not behind" in project.cli("doctor", MIGRATOR_REPLICAS=pair.url).stdout
