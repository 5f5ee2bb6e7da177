"""A backfill is killed at random, many times over, on its way through one table."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest

from tests.crash.killing import EVERY
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers
from tests.plugins.projects import ROOT

FEW = {POSTGRESQL: 40, MYSQL: 10}
"""Kills of one backfill, where nobody asks for more: MIGRATOR_TEST_KILLS=every, or so many as are said here."""
GIVEN = os.environ.get("MIGRATOR_TEST_RANDOM_KILLS", "200" if EVERY else "")
ROWS_FOR_EACH = {POSTGRESQL: 200, MYSQL: 1500}
"""More than a run gets through before it is killed, so that the last kill is one of the same backfill."""
SERVERS = [
    pytest.param((kind, server), id=named(kind, server))
    for kind in (POSTGRESQL, MYSQL)
    for server in servers(kind)[: 1 if kind == POSTGRESQL else None]
]


def logged(kind, rows):
    """Statements that make a table in which each write is noted by the transaction that does it."""
    if kind == POSTGRESQL:
        return (
            "CREATE TABLE users (id int PRIMARY KEY, amount int NOT NULL, filler text NOT NULL) WITH (fillfactor = 10)",
            f"INSERT INTO users SELECT i, 0, repeat('x', 40) FROM generate_series(1, {rows}) i",
            "CREATE TABLE rows_written (id int)",
            "CREATE TABLE statements_run (sql text)",
            "CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO rows_written VALUES (NEW.id); RETURN NULL; END'",
            "CREATE FUNCTION log_statement() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN INSERT INTO statements_run VALUES (current_query()); RETURN NULL; END'",
            "CREATE TRIGGER log_row AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION log_row()",
            "CREATE TRIGGER log_statement AFTER UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION log_statement()",
        )
    thousand = "(SELECT 0 AS i UNION ALL SELECT i + 1 FROM thousand WHERE i < 999)"
    numbers = "SELECT 1000 * a.i + b.i AS number FROM thousand a, thousand b"
    return (
        "CREATE TABLE users (id int PRIMARY KEY, amount int NOT NULL)",
        f"INSERT INTO users WITH RECURSIVE thousand AS {thousand}"
        f" SELECT number, 0 FROM ({numbers}) AS numbers WHERE number < {rows}",
        "CREATE TABLE rows_written (id int)",
        "CREATE TRIGGER log_row AFTER UPDATE ON users FOR EACH ROW INSERT INTO rows_written VALUES (NEW.id)",
    )


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_backfill_17_killed_at_random_nothing_is_done_twice_and_nothing_is_missing(server_database, project):
    """No row is; and no statement: one that is run again finds nothing left to do, and is seen all the same.

    On PostgreSQL each statement is noted. Elsewhere no trigger fires for a statement without rows; there the cursors
    have counted each row, so none was changed without its cursor.
    """
    database, kind = server_database, kind_of(server_database)
    kills = int(GIVEN or FEW[kind])
    rows = kills * ROWS_FOR_EACH[kind]
    database.run(*logged(kind, rows))
    project.url = database.url
    project.revision("change", 'Backfill("users", {"amount": "amount + 1"}, where="amount = 0")')
    project.apply("expand")
    seed = random.randrange(10**9)
    words = [sys.executable, "-m", "tests.crash.at_random", str(project.folder), project.url, str(kills), str(seed)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=project.environment(), check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"kills": kills, "ended": 0}, f"seed {seed}: {done.stderr}"
    assert database.rows("SELECT amount, count(*) FROM users GROUP BY amount") == [(1, rows)]
    assert database.rows("SELECT id FROM rows_written GROUP BY id HAVING count(*) > 1") == []
    if kind == POSTGRESQL:
        assert database.rows("SELECT sql FROM statements_run GROUP BY sql HAVING count(*) > 1") == []
        assert database.rows("SELECT count(*) FROM statements_run")[0][0] > 2 * kills
    else:
        assert database.rows("SELECT SUM(rows_done) FROM migrator_backfills") == [(rows,)]
