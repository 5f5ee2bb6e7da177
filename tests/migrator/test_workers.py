"""Several workers at one backfill, on every kind of server: every row once, one budget, one end for all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator import api
from migrator.errors import RowsSetAside, StepFailed
from migrator.events import Staffed
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers

SERVERS = [
    pytest.param((kind, server), id=named(kind, server)) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)
]
ROWS = 24_000
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
        f" + 1000 * d.n + 10000 * e.n AS i FROM digits a, digits b, digits c, digits d, digits e) AS many WHERE i < {ROWS}",
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


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_every_row_is_written_once_by_one_of_two(shop, server_database):
    done = together(shop)
    assert amounts(server_database) == {1: ROWS}
    assert [outcome.rows for outcome in done.outcomes] == [ROWS]
    ledger = "migrator.backfills" if kind_of(server_database) == POSTGRESQL else "migrator_backfills"
    assert server_database.rows(f"SELECT worker, rows_done FROM {ledger}") == [(0, ROWS)]
