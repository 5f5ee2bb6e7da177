"""The verbs as a user types them, through the whole life of a change."""

from __future__ import annotations

import pytest

from tests.linters.mysql.servers import needed_program
from tests.plugins.aging import age
from tests.plugins.servers import WANTED


@pytest.fixture
def shop(database, project):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL)",
        "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 100) i",
    )
    project.url = database.url
    project.revision("first", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.apply()
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    return project


def ok(shop, *words):
    done = shop.cli(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_plan_shows_phases_steps_locks_statements_and_undo(shop):
    tree = ok(shop, "plan")
    for part in ("expand", "migrate", "contract", "purge"):
        assert f"\n  {part}\n" in tree
    assert "lock: ACCESS EXCLUSIVE on public.users, blocks reads and writes" in tree
    assert "lock: SHARE UPDATE EXCLUSIVE on public.users, blocks other DDL" in tree
    assert 'sql:  ALTER TABLE "public"."users" ADD COLUMN "name" text' in tree
    assert "undo: abort: remove users.name and its dual write" in tree
    assert "undo: restore: bring back users.full_name" in tree


def test_without_any_revision_plan_says_how_one_is_written(database, project):
    project.url = database.url
    done = project.cli("plan")
    assert (done.returncode, "no revision is written yet" in done.stdout) == (0, True)
    assert "next:  migrator new" in done.stderr
    project.revision("own", 'RunSQL(expand="SELECT 1", undo="SELECT 1", contract="", restore="")')
    assert "own" in project.cli("plan").stdout


def test_plan_as_sql_and_json(shop):
    sql = ok(shop, "plan", "--sql")
    assert 'RENAME COLUMN "full_name" TO "_migrator_quarantine_' in sql
    document = shop.json("plan")
    assert document["pending"] == ["rename"]
    step = document["revisions"][0]["steps"][0]
    assert {"phase", "name", "state", "lock", "statements", "undo"} <= set(step)


def test_plan_does_not_claim_to_know_what_statements_of_the_users_lock(shop):
    comment = "COMMENT ON TABLE users IS 'people'"
    shop.revision("own", f'RunSQL(expand="{comment}", undo="{comment}", contract="{comment}", restore="")')
    unknown = "lock: not known; read the statements in full: migrator plan --sql"
    assert ok(shop, "plan", "--to", "own").count(unknown) == 2
    locks = [step["lock"] for step in shop.json("plan")["revisions"][-1]["steps"]]
    assert [lock.partition(";")[0] for lock in locks] == ["not known", "not known"]


def test_plan_exit_code_says_whether_changes_are_pending(shop):
    assert shop.cli("plan", "--detailed-exitcode").returncode == 3
    assert shop.cli("status", "--check").returncode == 3
    shop.apply()
    assert shop.cli("plan", "--detailed-exitcode").returncode == 0
    assert shop.cli("status", "--check").returncode == 0


def test_apply_asks_first_and_does_nothing_without_an_answer(shop, database):
    done = shop.cli("apply")
    assert done.returncode == 1
    assert "add users.name and dual writes with full_name" in done.stdout
    assert "--yes" in done.stderr
    assert database.rows("SELECT count(*) FROM migrator.revisions WHERE id = 'rename'") == [(0,)]


def test_the_whole_life_of_a_rename(shop):
    """Each command, its exit code and what it says, in the order a team types them."""
    ok(shop, "deploy", "record", "--app", "shop", "--version", "1.0", "--shape", "first")
    early = shop.cli("deploy", "start", "--app", "shop", "--version", "2.0")
    assert early.returncode == 3
    assert "it reads shapes that are not there yet: rename" in early.stderr
    assert "next:  migrator apply" in early.stderr

    assert "rename is migrated" in ok(shop, "apply", "--yes")
    assert "Nothing to do." in ok(shop, "apply", "--yes")
    assert "rename is at the state" not in ok(shop, "status")
    assert "[migrated]" in ok(shop, "status")
    assert "100 rows compared" in ok(shop, "verify")

    ok(shop, "deploy", "start", "--app", "shop", "--version", "2.0")
    assert "no deployment running: shop 2.0" in shop.cli("gate").stdout
    ok(shop, "deploy", "finish", "--app", "shop")
    gate = shop.cli("gate", "rename")
    assert gate.returncode == 3
    assert "rename: closed, opens at" in gate.stdout
    assert "[ ] 24 hours without an old build" in gate.stdout
    assert shop.json("gate")["gates"]["rename"]["opens_at"]

    closed = shop.cli("apply", "--phase", "contract", "--to", "rename", "--yes")
    assert closed.returncode == 3
    assert "the contract gate of rename is closed until" in closed.stderr
    without = shop.cli("apply", "--phase", "contract", "--to", "rename", "--override", "--yes")
    assert without.returncode == 2
    assert "--reason" in without.stderr

    words = ("apply", "--phase", "contract", "--to", "rename", "--yes", "--override", "--reason", "a test")
    assert "rename is contracted" in ok(shop, *words)
    back = shop.cli("deploy", "start", "--app", "shop", "--version", "1.0", "--shape", "first")
    assert back.returncode == 3
    assert "it uses shapes that are gone: rename" in back.stderr
    assert "migrator restore rename" in back.stderr
    assert "migrator restore rename" in shop.cli("abort", "rename", "--yes").stderr

    ok(shop, "restore", "rename", "--yes")
    ok(shop, "deploy", "start", "--app", "shop", "--version", "1.0", "--shape", "first")
    ok(shop, "deploy", "finish", "--app", "shop", "--status", "rolled_back")
    ok(shop, *words)
    kept = shop.cli("apply", "--phase", "purge", "--to", "rename", "--yes")
    assert kept.returncode == 3
    assert "is kept until" in kept.stderr
    purge = ("apply", "--phase", "purge", "--to", "rename", "--yes", "--override", "--reason", "a test")
    assert "rename is purged" in ok(shop, *purge)
    assert "Every revision is finished." in ok(shop, "status")
    assert "gone for good" in shop.cli("restore", "rename", "--yes").stderr
    events = ok(shop, "status", "--events", "50")
    for kind in ("gate overridden", "retention overridden", "restoring", "deployment rolled_back", "purged"):
        assert kind in events


def test_a_gate_opens_by_itself_a_day_later(shop):
    shop.apply()
    ok(shop, "deploy", "record", "--app", "shop", "--version", "1.0", "--shape", "first")
    ok(shop, "deploy", "record", "--app", "shop", "--version", "2.0")
    assert shop.cli("gate").returncode == 3
    age(shop.url, 24)
    assert "rename: open" in ok(shop, "gate")
    assert "rename is contracted" in ok(shop, "apply", "--phase", "contract", "--yes")


def test_the_same_key_is_recorded_once(shop):
    for _ in range(3):
        ok(shop, "deploy", "record", "--app", "shop", "--version", "1.0", "--shape", "first", "--key", "run 7")
    assert len(shop.json("deploy", "list")["deployments"]) == 1


def test_abort_refuses_to_throw_data_away_unless_told(shop, database):
    shop.revision("size", 'AddColumn("users", "size", "int")')
    shop.apply()
    database.run("UPDATE users SET size = 7 WHERE id = 1")
    refused = shop.cli("abort", "size", "--yes")
    assert refused.returncode == 2
    assert "users.size" in refused.stderr
    assert "--discard-data" in refused.stderr
    assert database.rows("SELECT count(*) FROM users WHERE size = 7") == [(1,)]
    ok(shop, "abort", "size", "--yes", "--discard-data")


def test_abort_is_refused_while_the_new_version_is_live(shop):
    shop.apply()
    ok(shop, "deploy", "record", "--app", "shop", "--version", "2.0")
    refused = shop.cli("abort", "rename", "--yes")
    assert refused.returncode == 3
    assert "the new shape of rename is in use: shop 2.0 in production" in refused.stderr
    ok(shop, "deploy", "record", "--app", "shop", "--version", "1.0", "--shape", "first")
    ok(shop, "abort", "rename", "--yes")


def test_abort_goes_from_the_newest_back(shop):
    shop.revision("size", 'AddColumn("users", "size", "int")')
    shop.apply()
    refused = shop.cli("abort", "rename", "--yes")
    assert refused.returncode == 2
    assert "first: migrator abort size" in refused.stderr


def test_doctor_finds_what_was_left_behind(shop, database):
    assert "none" in ok(shop, "doctor")
    shop.apply()
    assert "helper objects of revisions in flight" in ok(shop, "doctor")
    database.run("CREATE FUNCTION _migrator_lost() RETURNS int LANGUAGE sql AS 'SELECT 1'")
    shop.abort("rename")
    document = shop.cli("doctor")
    assert document.returncode == 1
    assert "_migrator_lost()" in document.stdout


def test_alembic_agrees_on_what_may_be_released(shop, database):
    versions = "SELECT version_num FROM alembic_version"
    shop.apply("expand")
    assert database.rows(versions) == [("first",)]
    shop.apply("migrate")
    assert database.rows(versions) == [("rename",)]
    shop.abort("rename")
    assert database.rows(versions) == [("first",)]


@pytest.mark.parametrize("database", ["postgresql", "mariadb", *(["mysql"] if WANTED else [])])
def test_the_demo_keeps_the_promise(database, project):
    """The same as `make demo`, on a smaller table."""
    if database != "postgresql":
        needed_program(database)
    measured = project.json("demo", "--rows", "5000", "--database", database)
    assert measured["failed_statements"] == 0
    assert measured["differences"] == 0
    assert measured["statements"] > 500
    assert measured["rows"] >= 5000
    assert measured["max_wait_ms"] > 0
    assert not measured["gate"]["open"]
    # MySQL has seen statements that name the old shape, so there the hours have not begun.
    assert measured["gate"]["opens_at"] or database == "mysql"
    phases = [step["phase"] for step in measured["steps"]]
    assert set(phases) == {"expand", "migrate", "contract", "purge"}
    assert all({"phase", "name", "seconds", "lock_held_ms"} <= set(step) for step in measured["steps"])
    assert {load["version"] for load in measured["versions"] if load["statements"]} == {"1.0", "2.0"}
