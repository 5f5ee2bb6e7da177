"""A verification goes on where it was, heeds who holds it back, and finds what no trigger has seen."""

from __future__ import annotations

from contextlib import suppress

import pytest

from migrator import api
from migrator.errors import VerificationFailed
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


UNSEEN = {
    "a disabled trigger": (
        POSTGRESQL,
        "ALTER TABLE users DISABLE TRIGGER USER",
        "UPDATE users SET team = 'blue' WHERE id = 2",
        "ALTER TABLE users ENABLE TRIGGER USER",
    ),
    "a logical subscriber": (
        POSTGRESQL,
        "SET session_replication_role = replica",  # as the worker of a subscription sets it
        "DELETE FROM users WHERE id = 2",
        "INSERT INTO users (id, team) VALUES (2, 'blue')",
    ),
    "a cascade": (
        MYSQL,
        "ALTER TABLE users ADD FOREIGN KEY (team) REFERENCES teams (code) ON UPDATE CASCADE",
        "UPDATE teams SET code = 'blue' WHERE code = 'red'",
    ),
}
BY_HOW = [
    pytest.param((kind, servers(kind)[0]), statements, id=f"{named(kind, servers(kind)[0])}-{how}")
    for how, (kind, *statements) in UNSEEN.items()
]


@pytest.mark.parametrize(("server_database", "statements"), BY_HOW, indirect=["server_database"])
def test_16_what_no_trigger_has_seen_is_named_and_repaired(server_database, statements, project):
    server_database.run(
        "CREATE TABLE teams (code varchar(20) PRIMARY KEY)",
        "INSERT INTO teams VALUES ('red'), ('green')",
        "CREATE TABLE users (id int PRIMARY KEY, team varchar(20))",
        "INSERT INTO users VALUES (1, 'green'), (2, 'red')",
    )
    project.url = server_database.url
    project.revision("change", 'RenameColumn("users", "team", "team_code")')
    project.apply()
    server_database.run(*statements)
    with pytest.raises(VerificationFailed, match=r"1 of 2 rows .* example 2"):
        api.verify(project.settings)
    (found,) = api.verify(project.settings, "change", side="old")
    assert (found.rows, found.repaired) == (2, 1)
    assert server_database.rows("SELECT team, team_code FROM users WHERE id = 2") == [("blue", "blue")]


def test_16_a_row_in_one_of_two_tables_that_no_trigger_has_seen_is_named(database, project):
    """Found by the hash of a stretch of the key, row by row within it; and so is one that is in the second alone."""
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, street text, weight numeric)",
        "INSERT INTO users SELECT i, 'street ' || i, i / 10.0 FROM generate_series(1, 5000) i",
    )
    project.url = database.url
    project.revision(
        "change", 'SplitTable("users", ["street", "weight"], to="addresses", key="user_id", optional=True)'
    )
    project.apply()
    past = "SET session_replication_role = replica"
    database.run(past, "UPDATE addresses SET weight = 400.00 WHERE user_id = 4000")  # equal to 400.0, and not the same
    with pytest.raises(VerificationFailed, match=r'1 of 5000 rows of "public.users" .* example 4000'):
        api.verify(project.settings)
    database.run(past, "UPDATE addresses SET weight = 400.0000000000000000 WHERE user_id = 4000")
    database.run(past, "DELETE FROM users WHERE id = 3000")
    with pytest.raises(VerificationFailed, match=r'1 of 5000 rows of "public.addresses" .* example 3000'):
        api.verify(project.settings)
