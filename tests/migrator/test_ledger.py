"""The ledger: history is guarded by the database itself, and looking never writes."""

from __future__ import annotations

import psycopg
import pytest

from migrator.ledger.tables import STATES, TRANSITIONS


@pytest.fixture
def shop(database, project):
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL)")
    project.url = database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    return project


def test_an_illegal_change_of_state_is_refused_by_the_database(shop, database):
    shop.apply()
    for state in STATES:
        statement = f"UPDATE migrator.revisions SET previous_state = state, state = '{state}' WHERE id = 'change'"
        if ("migrated", state) in TRANSITIONS:
            continue
        with pytest.raises(psycopg.errors.ForeignKeyViolation, match="revisions_legal_transition"):
            database.run(statement)


@pytest.mark.parametrize(
    "statement", ["DELETE FROM migrator.events", "UPDATE migrator.events SET kind = 'x'", "TRUNCATE migrator.events"]
)
def test_events_are_append_only(shop, database, statement):
    shop.apply("expand")
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        database.run(statement)


def test_events_tell_the_story_and_outlive_an_abort(shop, database):
    shop.apply("expand")
    shop.abort("change")
    kinds = [kind for (kind,) in database.rows("SELECT kind FROM migrator.events ORDER BY id")]
    assert kinds == ["server", "begun", "expanded", "aborting", "aborted"]
    assert database.rows("SELECT count(*) FROM migrator.revisions") == [(0,)]


def test_backfill_35_a_ledger_of_a_newer_program_is_left_alone(shop, database):
    shop.apply("expand")
    database.run("UPDATE migrator.ledger_version SET version = 99")
    asks_for_a_newer_program(shop)


def asks_for_a_newer_program(project):
    for words in (("status",), ("apply", "--yes"), ("plan",), ("abort", "change", "--yes")):
        done = project.cli(*words)
        assert done.returncode == 2
        assert "has version 99" in done.stderr
        assert "pip install --upgrade" in done.stderr


LOOKING = (
    ("plan",),
    ("plan", "--sql"),
    ("status", "--events", "5"),
    ("gate",),
    ("doctor",),
    ("deploy", "list"),
    ("audit", "verify"),
)


def objects(database):
    return database.rows("SELECT (SELECT count(*) FROM pg_class), (SELECT count(*) FROM pg_namespace)")


@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_looking_never_writes(shop, database, words):
    """Not before there is a ledger, and not after; a role that can only read may look."""
    before = objects(database)
    assert shop.cli(*words).returncode == 0
    assert objects(database) == before
    shop.apply()
    database.run(f'ALTER DATABASE "{database.name}" SET default_transaction_read_only = on')
    assert shop.cli(*words).returncode in (0, 1, 3)
    assert "read-only transaction" not in shop.cli(*words).stderr


def test_passwords_are_not_in_the_ledger(shop, database):
    shop.url = database.url.replace("postgres@", "postgres:very-secret@")
    assert shop.cli("apply", "--yes").returncode == 0
    for table in ("revisions", "steps", "events", "deployments", "backfills", "set_aside", "overrides", "consumers"):
        assert database.rows(f"SELECT count(*) FROM migrator.{table} t WHERE t::text LIKE '%very-secret%'") == [(0,)]


def test_the_override_is_kept_with_reason_conditions_and_actor(shop, database):
    shop.apply()
    words = ("apply", "--phase", "contract", "--to", "change", "--yes")
    assert shop.cli(*words).returncode == 3
    done = shop.cli(*words, "--override", "--reason", "ticket 42", MIGRATOR_ACTOR="ann")
    assert done.returncode == 0
    assert database.rows("SELECT revision, reason, actor FROM migrator.overrides") == [("change", "ticket 42", "ann")]
    detail = database.rows("SELECT detail FROM migrator.events WHERE kind = 'gate overridden'")[0][0]
    assert detail["reason"] == "ticket 42"
    assert "deployments recorded" in detail["conditions"]
