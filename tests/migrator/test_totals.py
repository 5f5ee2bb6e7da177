"""How far a walk along a key is, and how far it has to go, is known from the statistics of the table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator import api
from migrator.events import StepProgress
from phases.pacing import forecast
from tests.compatibility.living import Watched
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers
from tests.plugins.servers import WANTED

SERVERS = [
    pytest.param((kind, server), workers, id=f"{named(kind, server)}-{workers}")
    for kind in (POSTGRESQL, MYSQL)
    for number, server in enumerate(servers(kind)[: 1 if kind == POSTGRESQL else None])
    for workers in ([1, 2] if WANTED else [1 + number % 2])
]
MADE = {
    POSTGRESQL: ("INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 14400) i", "ANALYZE users"),
    MYSQL: (
        "INSERT INTO users WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 119)"
        " SELECT 120 * a.i + b.i, CONCAT('user ', b.i) FROM n a, n b",
        "ANALYZE TABLE users",
    ),
}
ROWS = 14400
FUNCTION = "def same(rows):\n    return [row['full_name'] for row in rows]\n"
BY_FUNCTION = 'Backfill("users", function=same, reads=["full_name"], writes="name", where="name IS NULL")'
"""On PostgreSQL what walks along the key."""
CHANGES = {POSTGRESQL: BY_FUNCTION, MYSQL: 'Backfill("users", {"name": "full_name"}, where="name IS NULL")'}


@pytest.mark.parametrize(("server_database", "workers"), SERVERS, indirect=["server_database"])
def test_a_walk_along_a_key_knows_about_how_many_rows_there_are(workers, server_database, project):
    database, told = server_database, []
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name varchar(60))", *MADE[kind_of(database)])
    database.run("ALTER TABLE users ADD COLUMN name varchar(60)")
    project.url = database.url
    project.revision("change", CHANGES[kind_of(database)], extra=FUNCTION)

    def seen(event):
        if isinstance(event, StepProgress) and "backfill" in event.name:
            told.append(api.status(project.settings).progress["change"])

    project.seen = Watched(seen)
    api.apply(replace(project.settings, workers=workers), observer=project.seen.append)
    said = [e.progress for e in project.seen if isinstance(e, StepProgress) and "backfill" in e.name]
    assert {(each.unit, told[0].unit) for each in said} == {("rows", "rows")}
    assert abs(said[0].total - ROWS) < ROWS / 4
    assert told[0].total == said[0].total
    assert [each.done for each in said] == sorted(each.done for each in said)
    assert said[-1].done == said[-1].total
    assert abs(said[-1].done - ROWS) < ROWS / 4
    if workers == 1:
        ahead = forecast(list(enumerate(each.done for each in said[:3])), said[2].total)
        assert ahead.least <= ahead.seconds <= ahead.most
        assert ahead.seconds > 0
