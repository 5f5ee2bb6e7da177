"""A transaction in two round trips is one like any other."""

from __future__ import annotations

import pytest

from migrator.at_once import AtOnce
from migrator.database import Deadlocked, LockTimeout, connect
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError


@pytest.fixture
def table(database):
    database.run("CREATE TABLE t (id int PRIMARY KEY, a text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    return database


@pytest.fixture
def session(table):
    with connect(table.url, "test") as opened:
        yield opened


def test_what_is_sent_together_is_committed_together(table, session):
    with AtOnce(session) as transaction:
        assert transaction.run("SELECT 1", "UPDATE t SET a = 'c%'") == 2
        assert table.rows("SELECT a FROM t ORDER BY id") == [("a",), ("b",)]
        transaction.commit("INSERT INTO t VALUES (3, 'd')")
    assert table.rows("SELECT a FROM t ORDER BY id") == [("c%",), ("c%",), ("d",)]
    with session.transaction():  # and it is as it was before
        session.execute("DELETE FROM t WHERE id = 3")
    assert table.rows("SELECT count(*) FROM t") == [(2,)]


def test_it_takes_two_round_trips(session, tmp_path):
    raw = session.connection.connection.driver_connection.pgconn
    with (tmp_path / "trace").open("w+") as trace:
        raw.trace(trace.fileno())
        with AtOnce(session) as transaction:
            transaction.run("SET LOCAL lock_timeout = 7", "SELECT 1", "UPDATE t SET a = 'c'")
            transaction.commit("DELETE FROM t WHERE id = 1")
        raw.untrace()
        trace.seek(0)
        sent = [line for line in trace if "\tF\t" in line]
    assert len(sent) == 2
    assert all("Query" in line for line in sent)


WRONG = {
    "a value": ("SELECT 1 / 0", DatabaseError, "22012"),
    "a lock": ("SET LOCAL lock_timeout = 50; DELETE FROM t WHERE id = 2", LockTimeout, "55P03"),
    "a deadlock": ("DO $$ BEGIN RAISE SQLSTATE '40P01'; END $$", Deadlocked, "40P01"),
    "too long": ("SET LOCAL statement_timeout = 50; SELECT pg_sleep(9)", Cancelled, "57014"),
}


def change(session, first=(), last=(), meanwhile=bool):
    with AtOnce(session) as transaction:
        transaction.run("UPDATE t SET a = 'c' WHERE id = 1", *first)
        meanwhile()
        transaction.commit(*last)


@pytest.mark.parametrize("ends", [False, True], ids=["begins", "ends"])
@pytest.mark.parametrize("name", WRONG)
def test_after_an_error_nothing_is_left_of_it(name, ends, table, session):
    statement, kind, code = WRONG[name]
    with table.connect() as other:
        other.execute("BEGIN")
        other.execute("UPDATE t SET a = 'held' WHERE id = 2")
        first, last = ((), (statement,)) if ends else ((statement,), ())
        with pytest.raises(kind) as said:
            change(session, first, last)
        other.execute("ROLLBACK")
    assert said.value.facts["sqlstate"] == code
    assert table.rows("SELECT a FROM t ORDER BY id") == [("a",), ("b",)]
    assert session.query("SHOW lock_timeout") != [("50ms",)]
    with session.transaction():
        assert session.execute("DELETE FROM t") == 2


def test_a_server_that_is_gone_is_said_to_be(table, session):
    pid = session.query("SELECT pg_backend_pid()")[0][0]
    with pytest.raises(ConnectionFailed, match="lost"):
        change(session, meanwhile=lambda: table.run(f"SELECT pg_terminate_backend({pid})"))
    session.reopen()
    assert session.query("SELECT a FROM t ORDER BY id") == [("a",), ("b",)]
