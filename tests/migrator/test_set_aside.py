"""Rows a backfill cannot change, on real servers: set aside with their key, tried again, never in the way of others."""

from __future__ import annotations

import dataclasses

import pytest

from migrator import api, runs
from migrator.errors import RowsSetAside
from migrator.events import ignore
from migrator.ledger import tables
from phases.catalog import Server
from phases.model import Phase

pytestmark = pytest.mark.in_turn

AMOUNT = 'Backfill("users", {"amount": "(note)::int"}, where="amount IS NULL")'
NOTES = "SELECT i, CASE WHEN i IN (77, 1900) THEN 'x' ELSE i::text END FROM generate_series(1, 2000) i"
COLUMNS = "note text, amount int"

KEYS = {
    "integer key": (f"CREATE TABLE users (id int PRIMARY KEY, {COLUMNS})", NOTES, {"77", "1900"}),
    "key of two columns": (
        f"""CREATE TABLE users ("Unit %" text, no int, {COLUMNS}, PRIMARY KEY ("Unit %", no))""",
        f"SELECT 'it''s ' || i % 3, i, note FROM ({NOTES}) AS notes (i, note)",
        {"it's 2, 77", "it's 1, 1900"},
    ),
    "unique key": (
        f"CREATE TABLE users (code uuid NOT NULL UNIQUE, {COLUMNS})",
        f"SELECT lpad(i::text, 32, '0')::uuid, note FROM ({NOTES}) AS notes (i, note)",
        {f"00000000-0000-0000-0000-{77:012}", f"00000000-0000-0000-0000-{1900:012}"},
    ),
    "no key": (f"CREATE TABLE users (id int, {COLUMNS})", NOTES, None),
}


@pytest.fixture
def shop(any_database, project):
    project.url = any_database.url
    return project


@pytest.fixture
def users(any_database, shop):
    """2,000 rows, two of which have no number in `note`."""
    any_database.run(f"CREATE TABLE users (id int PRIMARY KEY, {COLUMNS})", f"INSERT INTO users {NOTES}")
    shop.revision("change", AMOUNT)
    return shop


def migrate_as(shop, version, observer=ignore):
    """Run the migrate phase as on a server of another version: an older one has no TID range scans."""
    graph = runs.load_graph(shop.settings)
    with runs.running(shop.settings, "apply") as session:
        if version is not None:
            session.facts = dataclasses.replace(session.facts, server=Server("postgresql", (version, 0)))
        runs.execution(shop.settings, session, graph, observer).run_phase("change", Phase.MIGRATE)


@pytest.mark.parametrize("version", [None, 13], ids=["as it is", "as 13"])
@pytest.mark.parametrize("case", KEYS)
def test_failing_rows_are_named_whatever_key_there_is_and_the_others_are_done(case, version, any_database, shop):
    create, rows, keys = KEYS[case]
    any_database.run(create, f"INSERT INTO users {rows}")
    shop.revision("change", AMOUNT)
    shop.apply("expand")
    with pytest.raises(RowsSetAside) as stopped:
        migrate_as(shop, version)
    sample = stopped.value.facts["sample"]
    if keys is None:
        addresses = any_database.rows("SELECT ctid::text FROM users WHERE note = 'x'")
        keys = {address for (address,) in addresses}
    assert {", ".join(row["key"]) for row in sample} == keys
    assert {row["sqlstate"] for row in sample} == {"22P02"}
    assert any_database.rows("SELECT note FROM users WHERE amount IS NULL") == [("x",), ("x",)]

    any_database.run("UPDATE users SET note = '5' WHERE note = 'x'")
    migrate_as(shop, version)
    assert any_database.rows("SELECT count(*) FROM users WHERE amount IS DISTINCT FROM note::int") == [(0,)]
    assert any_database.rows("SELECT count(*) FROM migrator.set_aside") == [(0,)]
    assert shop.states() == {}


def test_the_contract_stays_shut_and_everything_says_why(users):
    done = users.cli("apply", "--yes")
    assert done.returncode == 1
    assert '2 rows of "public.users" could not be changed and are set aside' in done.stderr
    assert '77: invalid input syntax for type integer: "x" (SQLSTATE 22P02)' in done.stderr
    assert "mend them, then: migrator retry change" in done.stderr
    assert users.states() == {"change": "migrating"}
    assert "alembic_version: nothing yet" in users.cli("status").stdout

    contract = users.cli("apply", "--phase", "contract", "--to", "change", "--yes", "--override", "--reason", "no")
    assert contract.returncode == 2
    assert "is migrating, and 2 of its rows are set aside" in contract.stderr
    assert "rows set aside, to be mended and tried again: 2" in users.cli("gate", "change").stdout
    build = users.cli("deploy", "start", "--app", "shop", "--version", "2.0")
    assert build.returncode == 3

    status = users.cli("status").stdout
    assert "2 rows of public.users set aside" in status
    assert "migrator retry change" in status
    aside = users.json("status")["revisions"][0]["set_aside"]
    assert aside["rows"] == 2
    assert sorted(row["key"] for row in aside["sample"]) == [["1900"], ["77"]]
    assert {row["table"] for row in aside["sample"]} == {"public.users"}


def test_retry_and_apply_go_on_with_the_rows_that_are_left(users, any_database):
    assert users.cli("apply", "--yes").returncode == 1
    any_database.run("UPDATE users SET note = '7' WHERE id = 77")
    again = users.cli("retry", "change")
    assert again.returncode == 1
    assert "1 row of" in again.stderr
    assert any_database.rows("SELECT amount FROM users WHERE id = 77") == [(7,)]
    any_database.run("UPDATE users SET note = '9' WHERE id = 1900")
    assert users.cli("apply", "--yes").returncode == 0
    assert any_database.rows("SELECT amount FROM users WHERE id = 1900") == [(9,)]
    assert users.states() == {}
    assert "Nothing to do" in users.cli("retry", "change").stdout


def test_rows_that_somebody_else_settles_count_as_done(users, any_database):
    assert users.cli("apply", "--yes").returncode == 1
    any_database.run("UPDATE users SET amount = 1 WHERE id = 77", "DELETE FROM users WHERE id = 1900")
    assert users.cli("retry", "change").returncode == 0
    assert any_database.rows("SELECT amount, note FROM users WHERE id = 77") == [(1, "x")]


def test_a_new_reason_takes_the_place_of_the_old_one(users, any_database):
    assert users.cli("apply", "--yes").returncode == 1
    any_database.run("UPDATE users SET note = '99999999999' WHERE id = 77")
    assert "out of range" in users.cli("retry", "change").stderr
    reasons = any_database.rows("SELECT sqlstate FROM migrator.set_aside WHERE row_key LIKE '%77%'")
    assert reasons == [("22003",)]


def test_the_limit_stops_the_step_and_0_stops_at_the_first(users, any_database):
    any_database.run("UPDATE users SET note = 'x' WHERE id % 100 = 0")
    first = users.cli("apply", "--yes", "--set-aside-limit", "0")
    assert first.returncode == 1
    assert "1 row of" in first.stderr
    assert "it stopped there, because 0 may be" in first.stderr
    assert any_database.rows("SELECT count(*) FROM migrator.set_aside") == [(1,)]
    more = users.cli("retry", "change", "--set-aside-limit", "9")
    assert "10 rows of" in more.stderr
    assert "and 5 more" in more.stderr
    assert users.json("apply", "--yes")["error"]["facts"]["rows"] == 21
    any_database.run("UPDATE users SET note = '1' WHERE note = 'x'")
    assert users.cli("retry", "change").returncode == 0
    assert any_database.rows("SELECT count(*) FROM users WHERE amount IS NULL") == [(0,)]


def test_abort_takes_back_a_migration_that_has_set_rows_aside(users, any_database):
    assert users.cli("apply", "--yes").returncode == 1
    assert users.cli("abort", "change", "--yes").returncode == 0
    assert any_database.rows("SELECT count(*) FROM migrator.set_aside") == [(0,)]


def test_a_restore_sets_rows_aside_as_well_and_goes_on_with_them(database, project):
    database.run(f"CREATE TABLE users (id int PRIMARY KEY, {COLUMNS})", f"INSERT INTO users {NOTES}")
    project.url = database.url
    project.revision("change", 'RenameColumn("users", "note", "remark")')
    project.apply()
    project.apply("contract", "change")
    database.run("UPDATE users SET remark = 'later' WHERE id IN (77, 78)", *REFUSE_77)
    stopped = project.cli("restore", "change", "--yes")
    assert stopped.returncode == 1
    assert "77: not this one (SQLSTATE P0001)" in stopped.stderr
    assert "mend them, then: migrator restore change" in stopped.stderr
    assert project.states() == {"change": "restoring"}
    assert "migrator restore change" in project.cli("retry", "change").stderr
    database.run("DROP TRIGGER refuse ON users")
    assert project.cli("restore", "change", "--yes").returncode == 0
    assert database.rows("SELECT count(*) FROM users WHERE note IS DISTINCT FROM remark") == [(0,)]
    assert database.rows("SELECT count(*) FROM migrator.set_aside") == [(0,)]


REFUSE_77 = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$",
    "CREATE TRIGGER refuse BEFORE UPDATE ON users FOR EACH ROW WHEN (NEW.id = 77) EXECUTE FUNCTION refuse()",
)
FAULTS = {
    "a condition that fails": (
        "ALTER TABLE users ADD CHECK (amount IS DISTINCT FROM 77)",
        'Backfill("users", {"amount": "id"}, where="amount IS NULL")',
        "23514",
    ),
    "a unique key that is checked at the commit": (
        "ALTER TABLE users ADD UNIQUE (amount) DEFERRABLE INITIALLY DEFERRED",
        'Backfill("users", {"amount": "CASE id WHEN 77 THEN 76 ELSE id END"}, where="amount IS NULL")',
        "23505",
    ),
    "a trigger that raises": (
        "; ".join(REFUSE_77),
        'Backfill("users", {"amount": "id"}, where="amount IS NULL")',
        "P0001",
    ),
    "a condition of the backfill itself": (
        "UPDATE users SET note = '0' WHERE id = 77",
        'Backfill("users", {"amount": "id"}, where="amount IS NULL AND 1 / note::int < 2")',
        "22012",
    ),
    "a column that is renamed": (
        "; ".join(REFUSE_77),
        'RenameColumn("users", "note", "remark")',
        "P0001",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_the_server_has_against_a_row_only_that_row_is_set_aside(fault, database, project):
    before, operation, sqlstate = FAULTS[fault]
    database.run(
        f"CREATE TABLE users (id int PRIMARY KEY, {COLUMNS})",
        "INSERT INTO users SELECT i, i::text FROM generate_series(1, 2000) i",
        before,
    )
    project.url = database.url
    project.revision("change", operation)
    with pytest.raises(RowsSetAside) as stopped:
        project.apply()
    assert stopped.value.facts["rows"] == 1
    row = stopped.value.facts["sample"][0]
    assert row["sqlstate"] == sqlstate
    assert row["key"] == ["77"] or (sqlstate == "23505" and row["key"] == ["76"])


def test_positions_can_be_moved_up_by_one_under_a_unique_key(database, project):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, position int UNIQUE, moved boolean NOT NULL DEFAULT false)",
        "INSERT INTO users SELECT i, i FROM generate_series(1, 40) i",
    )
    project.url = database.url
    operation = 'Backfill("users", {"position": "position + 1", "moved": "true"}, where="NOT moved")'
    project.revision("change", operation)
    project.apply()
    assert database.rows("SELECT count(*) FROM users WHERE position = id + 1") == [(40,)]


def test_a_statement_that_is_wrong_for_every_row_sets_none_aside(database, project):
    database.run(f"CREATE TABLE users (id int PRIMARY KEY, {COLUMNS})", f"INSERT INTO users {NOTES}")
    project.url = database.url
    project.revision("change", 'Backfill("users", {"amount": "nothing_of_the_kind(id)"}, where="amount IS NULL")')
    done = project.cli("apply", "--yes")
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    assert database.rows("SELECT count(*) FROM migrator.set_aside") == [(0,)]


def test_a_ledger_of_the_version_before_is_brought_up_to_date_by_what_writes(users, any_database):
    """As the first version left it: no such table, and a revision in flight."""
    users.apply("expand")
    any_database.run(
        "DROP TABLE migrator.set_aside, migrator.parts, migrator.progress, migrator.controls",
        "DROP TABLE migrator.consumers, migrator.approvals, migrator.chain",
        *(
            f"ALTER TABLE {table} {', '.join(f'DROP COLUMN {name}' for name in names.split())}"
            for columns in tables.WIDENED.values()
            for table, names in columns.items()
        ),
        "UPDATE migrator.ledger_version SET version = 1",
    )
    before = any_database.rows("SELECT count(*) FROM pg_class")
    for words in (("status",), ("plan",), ("gate", "change"), ("doctor",), ("deploy", "list")):
        looked = users.cli(*words)
        assert looked.returncode in (0, 3), looked.stderr
    assert any_database.rows("SELECT count(*) FROM pg_class") == before
    assert any_database.rows("SELECT version FROM migrator.ledger_version") == [(1,)]

    assert users.cli("apply", "--yes").returncode == 1
    assert any_database.rows("SELECT version FROM migrator.ledger_version") == [(tables.VERSION,)]
    assert any_database.rows("SELECT count(*) FROM migrator.set_aside") == [(2,)]
    assert api.status(users.settings).aside["change"][0].sqlstate == "22P02"


def test_backfill_35_a_backfill_that_an_older_program_began_is_finished(users, any_database):
    """Its cursor says nothing of rows that fail."""
    with pytest.raises(RowsSetAside):
        users.apply()
    any_database.run(
        "UPDATE migrator.backfills SET cursor ="
        " (cursor::jsonb - 'broken' - 'aside' || '{\"page\": 0, \"stripe\": 0}')::json",
        "DELETE FROM migrator.set_aside",
        "UPDATE users SET note = '1' WHERE id = 77",
    )
    with pytest.raises(RowsSetAside) as stopped:
        users.apply()
    assert [row["key"] for row in stopped.value.facts["sample"]] == [["1900"]]
