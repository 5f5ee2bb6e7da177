"""Several workers at one backfill, on every kind of server: every row once, one budget, one end for all."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from migrator import api
from migrator.errors import MigratorError, RowsSetAside
from migrator.events import StepProgress
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers

SERVERS = [
    pytest.param((kind, server), id=named(kind, server)) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)[:1]
]
ROWS = 16_000
TABLE = {
    POSTGRESQL: (
        "CREATE TABLE users (id int PRIMARY KEY, note text, amount int NOT NULL DEFAULT 0)",
        f"INSERT INTO users SELECT i, repeat('x', 60) FROM generate_series(1, {ROWS}) i",
    ),
    MYSQL: (
        "CREATE TABLE users (id int PRIMARY KEY, note varchar(80), amount int NOT NULL DEFAULT 0)",
        "CREATE TABLE digits (n int)",
        f"INSERT INTO digits VALUES {', '.join(f'({digit})' for digit in range(10))}",
        "INSERT INTO users (id, note) SELECT i + 1, REPEAT('x', 60) FROM (SELECT a.n + 10 * b.n + 100 * c.n"
        f" + 1000 * d.n + 10000 * e.n AS i FROM digits a, digits b, digits c, digits d, digits e) AS many"
        f" WHERE i < {ROWS}",
    ),
}
ONCE = 'Backfill("users", {"amount": "amount + 1"}, where="amount < 1")'


@pytest.fixture
def shop(server_database, project):
    server_database.run(*TABLE[kind_of(server_database)])
    project.url = server_database.url
    project.revision("change", ONCE)
    project.apply("expand")
    return project


def together(shop, workers=2, **settings):
    return api.apply(replace(shop.settings, workers=workers, **settings), observer=shop.seen.append)


def amounts(database):
    return dict(database.rows("SELECT amount, count(*) FROM users GROUP BY amount"))


SHARES = {
    POSTGRESQL: "SELECT worker, rows_done FROM migrator.backfills WHERE worker > 0 AND rows_done > 0",
    MYSQL: "SELECT worker, rows_done FROM migrator_backfills WHERE worker > 0 AND rows_done > 0",
}


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_runs_with_two_workers_are_killed_and_one_of_three_does_the_rest_and_no_row_twice(shop, server_database):
    """Two are killed while both have begun; then one runs alone, and is killed; then three come to the end."""
    shares = SHARES[kind_of(server_database)]
    for workers, pause in (("2", 0.0), ("1", 0.1)):
        killed_at_work(shop, workers, lambda: len(server_database.rows(shares)) > 1, pause)
        assert set(amounts(server_database)) == {0, 1}
    done = together(shop, 3)
    assert amounts(server_database) == {1: ROWS}
    assert [outcome.rows for outcome in done.outcomes] == [ROWS]
    assert server_database.rows(shares) == []


def killed_at_work(shop, workers, begun, pause):
    """Start a run in a process of its own, and kill it a moment after what it has written shows that it is at work."""
    words = [sys.executable, "-m", "migrator", "apply", "--yes", "--workers", workers]
    slowly = shop.environment(MIGRATOR_BATCH_TARGET="1ms", MIGRATOR_MAX_LATENCY="0")
    with subprocess.Popen(words, cwd=shop.folder, env=slowly, stderr=subprocess.DEVNULL) as process:
        ends = time.monotonic() + 60
        while not begun():
            assert process.poll() is None, "it came to its end before it was killed"
            assert time.monotonic() < ends, "it never began"
            time.sleep(0.01)
        time.sleep(pause)
        process.kill()


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_rows_that_fail_are_counted_together_and_stop_all_workers_at_once(shop, server_database):
    refuse = "amount = 0 OR id % 1000 <> 77"
    server_database.run(f"ALTER TABLE users ADD CONSTRAINT refuse CHECK ({refuse})")
    with pytest.raises(RowsSetAside) as stopped:
        together(shop)
    assert stopped.value.facts["rows"] == 16
    assert amounts(server_database) == {0: 16, 1: ROWS - 16}
    with pytest.raises(RowsSetAside, match="it stopped there, because 1 may be"):
        together(shop, set_aside_limit=1)
    server_database.run("ALTER TABLE users DROP CONSTRAINT refuse")
    together(shop)
    assert amounts(server_database) == {1: ROWS}


@pytest.mark.parametrize("server_database", SERVERS[:1], indirect=True)
def test_an_error_or_an_interruption_ends_all_workers_and_the_next_run_goes_on(shop, server_database):
    seen = []

    def interrupt(event):
        if isinstance(event, StepProgress) and event.progress.rows:
            seen.append(event)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        api.apply(replace(shop.settings, workers=2, batch_target=0.005), observer=interrupt)
    assert [thread for thread in threading.enumerate() if thread.name.startswith("worker")] == []
    assert len(seen) == 1
    server_database.run("ALTER TABLE users RENAME TO users_of_old")
    with pytest.raises(MigratorError, match="users"):
        together(shop)
    server_database.run("ALTER TABLE users_of_old RENAME TO users")
    together(shop, workers=None)
    assert amounts(server_database) == {1: ROWS}
