"""Existing rows are looked at before anything is touched, and for no longer than it may take."""

from __future__ import annotations

import pytest

TABLES = (
    "CREATE TABLE orgs (id int PRIMARY KEY)",
    "CREATE TABLE users (id int PRIMARY KEY, org int, email text, age int)",
    "INSERT INTO orgs SELECT generate_series(1, 100)",
    "INSERT INTO users SELECT i, i % 100 + 1, 'user ' || i, 30 FROM generate_series(1, 50000) i",
)
REFERENCE = 'AddForeignKey("users", "org", "orgs", "id")'
SHORT = ("--precheck-timeout", "1ms")


@pytest.fixture
def shop(database, project):
    database.run(*TABLES)
    project.url = database.url
    return project


def test_what_a_later_step_finds_is_said_to_be_unchecked_and_goes_on(shop, database):
    shop.revision("change", REFERENCE)
    done = shop.cli("apply", "--yes", *SHORT)
    assert done.returncode == 0, done.stderr
    assert 'not checked in 0.001 s: whether rows of "public.users" reference rows that "public.orgs"' in done.stderr
    assert "the validation in migrate will find out" in done.stderr
    detail = database.rows("SELECT detail FROM migrator.events WHERE kind = 'not checked'")[0][0]
    assert detail["backstop"] == "the validation in migrate"


def test_what_was_not_checked_is_in_the_json(shop):
    shop.revision("change", REFERENCE)
    (missed,) = shop.json("apply", *SHORT)["not_checked"]
    assert missed["revision"] == "change"
    assert missed["backstop"] == "the validation in migrate"


def test_the_later_step_does_find_it(shop, database):
    database.run("UPDATE users SET org = 999 WHERE id = 3")
    shop.revision("change", REFERENCE)
    found = shop.cli("apply", "--yes", *SHORT)
    assert found.returncode == 1
    assert "violates foreign key constraint" in found.stderr
    database.run("UPDATE users SET org = 1 WHERE id = 3")
    assert shop.cli("apply", "--yes").returncode == 0


UNFOUND = {
    "a check": 'AddCheck("users", "age > 0")',
    "a unique key": 'AddUnique("users", "email")',
    "a unique index": 'CreateIndex("users", "(lower(email))", unique=True)',
    "values": 'SetNotNull("users", "age")',
    "a fill": 'AddColumn("users", "half", "int", fill="age / 2")',
    "a fill of every row": 'AddColumn("users", "half", "int", nullable=False, fill="age / 2")',
}


@pytest.mark.parametrize("operation", UNFOUND)
def test_what_would_harm_the_application_first_is_refused_unless_given_longer(operation, shop, database):
    shop.revision("change", UNFOUND[operation])
    before = database.dump()
    done = shop.cli("apply", "--yes", *SHORT)
    assert done.returncode == 2, done.stderr
    assert "it could not be found out in 0.001 s whether" in done.stderr
    assert "versions/change.py:8: " in done.stderr
    assert "--precheck-timeout 10m" in done.stderr
    assert database.dump() == before
    assert shop.cli("apply", "--yes", "--precheck-timeout", "10m").returncode == 0


def test_the_plan_says_what_would_be_refused(shop):
    shop.revision("change", REFERENCE)
    assert 'refused if rows of "public.users" reference rows that' in shop.cli("plan").stdout
    (check,) = shop.json("plan")["revisions"][0]["prechecks"]
    assert check["statement"].startswith("SELECT")


def test_the_other_statements_of_a_run_may_take_as_long_as_they_take(shop):
    shop.revision("change", f'RunSQL(expand="SELECT pg_sleep(0.1)", undo=""), {REFERENCE}')
    assert shop.cli("apply", "--yes", *SHORT).returncode == 0
