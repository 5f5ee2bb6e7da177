"""A verification goes on where it was, heeds who holds it back, and finds what no trigger has seen."""

from __future__ import annotations

from contextlib import suppress

import pytest

from migrator import api
from migrator.events import StepProgress, Waiting
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers

SERVERS = [
    pytest.param((kind, server), id=named(kind, server)) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)[:1]
]
MANY = {
    POSTGRESQL: "SELECT i, repeat('x', 1500) FROM generate_series(1, 3000) i",
    MYSQL: "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 70)"
    " SELECT 70 * a.i + b.i, 'x' FROM n a, n b",
}
ROWS = {POSTGRESQL: 3000, MYSQL: 4900}


class Killed(Exception):
    pass


@pytest.fixture
def migrated(server_database, project):
    """A column under two names, verified."""
    server_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(2000))",
        f"INSERT INTO users {MANY[kind_of(server_database)]}",
    )
    project.url = server_database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    project.apply()
    return project


def verified(project, stop_after=None):
    """Rows that each look had compared by its end; killed after some looks."""
    seen = []

    def observer(event):
        if isinstance(event, StepProgress):
            seen.append(event.progress.rows)
            if len(seen) == stop_after:
                raise Killed

    with suppress(Killed):
        api.verify(project.settings, "change", observer=observer)
    return seen


@pytest.mark.parametrize("server_database", SERVERS, indirect=True)
def test_a_verification_that_is_interrupted_goes_on_where_it_was(migrated, server_database):
    rows = ROWS[kind_of(server_database)]
    whole = verified(migrated)
    assert whole[-1] == rows
    assert len(whole) > 1
    (first,) = verified(migrated, stop_after=1)
    later = verified(migrated)
    assert later[0] > first
    assert later[-1] == rows
    assert verified(migrated)[0] == whole[0]


@pytest.mark.parametrize("server_database", SERVERS[:1], indirect=True)
def test_a_verification_waits_while_it_is_paused_and_status_says_how_far_it_is(migrated):
    said = []

    def observer(event):
        if isinstance(event, Waiting):
            assert "the sale" in event.reason
            api.resume(migrated.settings)
        if isinstance(event, StepProgress):
            said.append(api.status(migrated.settings).progress["change"])

    api.pause(migrated.settings, reason="the sale")
    api.verify(migrated.settings, "change", observer=observer)
    assert (said[0].step, said[0].unit) == ("verify users.name", "pages")
    assert 0 < said[0].done < said[0].total
    assert not api.status(migrated.settings).progress
