"""A backfill is killed at random, many times over, on its way through one table."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

from tests.plugins.projects import ROOT

# Two hundred in one backfill: MIGRATOR_TEST_RANDOM_KILLS=200.
KILLS = int(os.environ.get("MIGRATOR_TEST_RANDOM_KILLS", "100"))
ROWS_FOR_EACH = 200
"""More than a run gets through before it is killed, so that the last kill is one of the same backfill."""
LOGGED = (
    "CREATE TABLE users (id int PRIMARY KEY, amount int NOT NULL, filler text NOT NULL) WITH (fillfactor = 10)",
    f"INSERT INTO users SELECT i, 0, repeat('x', 40) FROM generate_series(1, {KILLS * ROWS_FOR_EACH}) i",
    "CREATE TABLE rows_written (id int)",
    "CREATE TABLE statements_run (sql text)",
    "CREATE FUNCTION log_row() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN INSERT INTO rows_written VALUES (NEW.id); RETURN NULL; END'",
    "CREATE FUNCTION log_statement() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN INSERT INTO statements_run VALUES (current_query()); RETURN NULL; END'",
    "CREATE TRIGGER log_row AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION log_row()",
    "CREATE TRIGGER log_statement AFTER UPDATE ON users FOR EACH STATEMENT EXECUTE FUNCTION log_statement()",
)


def test_backfill_17_killed_at_random_nothing_is_done_twice_and_nothing_is_missing(database, project):
    """Neither a row nor a statement: one that is run again finds nothing left to do, and is seen all the same."""
    database.run(*LOGGED)
    project.url = database.url
    project.revision("change", 'Backfill("users", {"amount": "amount + 1"}, where="amount = 0")')
    project.apply("expand")
    seed = random.randrange(10**9)
    words = [sys.executable, "-m", "tests.crash.at_random", str(project.folder), project.url, str(KILLS), str(seed)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, env=project.environment(), check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"kills": KILLS, "ended": 0}, f"seed {seed}: {done.stderr}"
    assert database.rows("SELECT amount, count(*) FROM users GROUP BY amount") == [(1, KILLS * ROWS_FOR_EACH)]
    assert database.rows("SELECT id FROM rows_written GROUP BY id HAVING count(*) > 1") == []
    assert database.rows("SELECT sql FROM statements_run GROUP BY sql HAVING count(*) > 1") == []
    assert database.rows("SELECT count(*) FROM statements_run")[0][0] > 2 * KILLS
