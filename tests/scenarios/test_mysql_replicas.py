"""A replica of MariaDB that falls behind. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import replace
from urllib.parse import quote

import pymysql
import pytest

from migrator import api
from migrator.embedded import free_port
from migrator.errors import NotYet, UsageError
from migrator.events import Resumed, Unwatched, Waiting
from phases.model import Phase
from tests.linters.mysql.servers import needed_program, started
from tests.plugins.projects import OVERRIDE

LIMIT = 0.001


def connected(address):
    return pymysql.connect(unix_socket=address, user="root", autocommit=True, ssl_disabled=True)


def url(address):
    return f"mariadb://root@localhost/shop?unix_socket={quote(address, safe='')}"


@pytest.fixture
def servers():
    """The sockets of a source and its replica, which both have a database `shop`."""
    program, port = needed_program("mariadb"), free_port()
    common = {"binlog-format": "ROW", "sync-binlog": "0"}
    network = {"log-bin": "log", "skip-networking": "0", "bind-address": "127.0.0.1", "port": str(port)}
    with ExitStack() as stack:
        source = stack.enter_context(started(program, {**common, **network, "server-id": "1"}))
        replica = stack.enter_context(started(program, {**common, "server-id": "2"}))
        with closing(connected(source)) as first, closing(connected(replica)) as second:
            own, other = first.cursor(), second.cursor()
            own.execute("CREATE USER repl@'%' IDENTIFIED BY 'x'")
            own.execute("GRANT REPLICATION SLAVE ON *.* TO repl@'%'")
            other.execute(
                f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='repl',"
                " MASTER_PASSWORD='x', MASTER_LOG_FILE='log.000001', MASTER_LOG_POS=4, MASTER_CONNECT_RETRY=1"
            )
            other.execute("START SLAVE")
            own.execute("CREATE DATABASE shop")
            own.execute("CREATE TABLE shop.users (id int PRIMARY KEY, full_name varchar(60))")
            own.execute("INSERT INTO shop.users VALUES (1, 'a'), (2, 'b')")
            yield source, replica, other


def test_18_a_backfill_waits_for_a_replica_of_mariadb_that_is_named_and_not_for_one_that_is_not(servers, project):
    source, replica, other = servers
    project.url = url(source)
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    project.apply("expand")
    project.apply()
    (unwatched,) = [event for event in project.seen if isinstance(event, Unwatched)]
    assert "connected are repl@" in unwatched.reason
    assert "replicas = " in unwatched.remedy

    project.abort("change")
    other.execute("STOP SLAVE SQL_THREAD")

    def resuming(event):
        project.seen.append(event)
        if isinstance(event, Waiting):
            other.execute("START SLAVE SQL_THREAD")

    watching = replace(project.settings, replicas=(url(replica),), replica_lag=LIMIT, lock_give_up=30.0)
    project.seen.clear()
    api.apply(watching, observer=resuming)
    assert any(isinstance(event, Waiting) and "replica localhost is" in event.reason for event in project.seen)
    assert any(isinstance(event, Resumed) for event in project.seen)
    with_replica = replace(watching, verify_replica=url(replica))
    other.execute("UPDATE shop.users SET name = 'nobody'")  # its own affair: the source has no such row
    (found,) = api.verify(with_replica, observer=resuming)
    assert (found.rows, found.replica) == (2, "localhost")
    assert "may differ" in found.leaves_open
    other.execute("STOP SLAVE SQL_THREAD")
    with closing(connected(source)) as first:
        first.cursor().execute("INSERT INTO shop.users (id, full_name) VALUES (3, 'c')")
    with pytest.raises(NotYet, match="has not replayed 0-1-"):
        api.verify(replace(with_replica, lock_give_up=0.1))
    with pytest.raises(UsageError, match="follows no server"):
        api.verify(replace(watching, verify_replica=url(source)))
    project.seen.clear()
    api.apply(watching, phase=Phase.CONTRACT, to="change", override=OVERRIDE, observer=resuming)
    waited = [event for event in project.seen if isinstance(event, Waiting)]
    assert waited
    assert "has replayed nothing of the last" in waited[0].reason
    assert "not behind" in project.cli("doctor", MIGRATOR_REPLICAS=url(replica)).stdout
