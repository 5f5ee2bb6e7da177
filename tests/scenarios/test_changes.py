"""What may be found, or happen, around a change. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

import json

import psycopg
import pytest

from migrator import api
from migrator.embedded import EmbeddedServer, all_binaries
from migrator.errors import ConnectionFailed, DriftFound, PlanRefused, UsageError, VerificationFailed
from migrator.events import Drifted
from tests.crash.test_kill import start, wait_for
from tests.plugins.aging import age
from tests.plugins.servers import missing, versions

TABLES = (
    "CREATE TABLE users (id int PRIMARY KEY, full_name text, note text, age int)",
    "INSERT INTO users SELECT i, 'user ' || i, i, i FROM generate_series(1, 50) i",
)
RENAME = 'RenameColumn("users", "full_name", "name")'


@pytest.fixture
def shop(database, project):
    database.run(*TABLES)
    project.url = database.url
    return project


def said(project):
    """What is said of the plan of the only revision that is pending."""
    return "; ".join(api.plan(project.settings).revisions[0].warnings)


def test_14_a_trigger_that_fires_after_ours_is_refused(shop, database):
    database.run(
        "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        'CREATE TRIGGER "~~late" BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION late()',
    )
    shop.revision("change", RENAME)
    with pytest.raises(PlanRefused, match=r'trigger "~~late" .* sorts after the dual-write triggers'):
        api.plan(shop.settings)


def test_16_rows_written_past_the_triggers_keep_the_contract_shut(shop, database):
    shop.revision("change", RENAME)
    shop.apply()
    with database.connect(options="-c session_replication_role=replica") as connection:
        connection.execute("UPDATE users SET full_name = 'past the triggers' WHERE id = 7")
    with pytest.raises(VerificationFailed, match=r"1 of 50 rows .*for example 7"):
        api.verify(shop.settings)
    with pytest.raises(VerificationFailed) as found:
        shop.apply("contract", "change")
    assert "session_replication_role" in found.value.next_step
    assert shop.states() == {"change": "migrated"}
    database.run("UPDATE users SET name = 'mended' WHERE id = 7")
    shop.apply("contract", "change")
    assert database.rows("SELECT name FROM users WHERE id = 7") == [("mended",)]


def test_20_a_published_table_without_replica_identity_is_refused_before_anything_is_done(shop, database):
    database.run("CREATE TABLE log (at int, what text)", "CREATE PUBLICATION feed FOR TABLE log, users")
    shop.revision("change", 'RenameColumn("log", "what", "event")')
    with pytest.raises(PlanRefused, match='published by "feed" and has no replica identity') as found:
        api.plan(shop.settings)
    assert "REPLICA IDENTITY FULL" in found.value.next_step
    database.run("ALTER TABLE log REPLICA IDENTITY FULL")
    assert said(shop) == (
        '"public.log" is published by feed: add "event" to it in every subscriber before expand;'
        ' let subscribers that have "what" bear that nothing comes for it after the contract'
    )


def test_20_a_column_that_a_publication_lists_is_refused(shop, database):
    if database.version < (15, 0):
        pytest.skip("column lists came with PostgreSQL 15")
    database.run("CREATE PUBLICATION feed FOR TABLE users (id, full_name)")
    shop.revision("change", RENAME)
    with pytest.raises(PlanRefused, match="would break publication feed"):
        api.plan(shop.settings)


def test_26_nothing_is_looked_for_in_the_search_path(shop, database):
    database.run(
        "CREATE SCHEMA other",
        "CREATE TABLE other.users (id int PRIMARY KEY, full_name text, org int REFERENCES public.users)",
        "INSERT INTO other.users VALUES (1, 'Ann', 1)",
        f'ALTER DATABASE "{database.name}" SET search_path = public, other',
    )
    shop.revision("change", 'RenameColumn("users", "org", "organisation", schema="other")')
    shop.apply()
    shop.apply("contract", "change")
    assert database.rows("SELECT organisation FROM other.users") == [(1,)]
    assert database.rows("SELECT count(full_name) FROM public.users") == [(50,)]


@pytest.fixture
def server_with_statistics():
    if not versions() or 0 in versions():
        missing("no server of our own")
    for major in versions():
        share = all_binaries()[major]
        try:
            with EmbeddedServer(share, {"shared_preload_libraries": "pg_stat_statements"}) as server:
                with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
                    connection.execute("CREATE EXTENSION pg_stat_statements")
                    for statement in TABLES:
                        connection.execute(statement)
                    yield server.url(), connection
                return
        except (psycopg.Error, RuntimeError):
            continue
    pytest.skip("no server here has pg_stat_statements")


def test_29_statements_that_read_every_column_are_pointed_out(server_with_statistics, project):
    project.url, connection = server_with_statistics
    project.revision("change", RENAME)
    connection.execute("SELECT count(*) FROM users")
    assert said(project) == ""
    connection.execute("SELECT u.* FROM Users u WHERE id = 1")
    assert "SELECT u.* FROM Users u WHERE id = $1" in said(project)
    assert "cached plan must not change result type" in said(project)
    assert "warning: statements read all columns" in project.cli("plan").stdout


def test_31_an_index_build_waits_for_old_snapshots_without_the_short_timeout(shop, database):
    shop.revision("change", 'CreateIndex("users", "note")')
    with database.connect() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1 FROM pg_class LIMIT 1")
        runner = start(shop, "apply", "--yes", "--lock-timeout", "1ms")
        wait_for(database, "query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'")
        other.execute("UPDATE users SET note = 'meanwhile' WHERE id = 1")
        other.execute("COMMIT")
    assert runner.wait(60) == 0
    assert database.rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'users_note_idx'::regclass") == [(True,)]


def test_32_timeouts_made_for_the_application_do_not_cut_our_statements_short(shop, database):
    database.run(
        "CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE sql AS 'SELECT true FROM pg_sleep(0.02) WHERE $1 < 8'",
        f'ALTER DATABASE "{database.name}" SET statement_timeout = 100',
    )
    shop.revision("change", 'AddCheck("users", "coalesce(slow(age), true)", name="slowly")')
    shop.apply()
    shop.apply("contract", "change")
    assert database.rows("SELECT convalidated FROM pg_constraint WHERE conname = 'slowly'") == [(True,)]


def test_42_rows_that_row_level_security_hides_are_not_left_out(shop, database):
    role = f"owner_{database.name}"
    database.run(
        f"CREATE ROLE {role} LOGIN",
        f'GRANT CREATE ON DATABASE "{database.name}" TO {role}',
        f"GRANT CREATE, USAGE ON SCHEMA public TO {role}",
        f"ALTER TABLE users OWNER TO {role}",
        "CREATE POLICY adults ON users USING (id > 9)",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "ALTER TABLE users FORCE ROW LEVEL SECURITY",
    )
    shop.revision("change", RENAME)
    everything, shop.url = shop.url, database.url.replace("postgres@", f"{role}@")
    try:
        with pytest.raises(PlanRefused, match="row-level security hides rows"):
            shop.apply()
        shop.url = everything
        shop.apply()
        assert database.rows("SELECT count(name) FROM users") == [(50,)]
    finally:
        database.run(f"DROP OWNED BY {role} CASCADE", f"DROP ROLE {role}")


def test_43_whoever_may_use_a_column_may_use_its_successor(shop, database):
    role = f"reader_{database.name}"
    database.run(f"CREATE ROLE {role} LOGIN", f"GRANT SELECT (id, full_name), UPDATE (full_name) ON users TO {role}")
    shop.revision("change", RENAME)
    try:
        shop.apply()
        with psycopg.connect(database.plain_url.replace("postgres@", f"{role}@"), autocommit=True) as reader:
            reader.execute("UPDATE users SET name = 'Ann' WHERE id = 1")
            assert reader.execute("SELECT full_name, name FROM users WHERE id = 1").fetchone() == ("Ann", "Ann")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute("SELECT note FROM users")
    finally:
        database.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def named(stopped):
    return {each["part"]: (each["was"], each["is"]) for each in stopped.value.facts["differences"]}


def test_51_all_that_somebody_changed_by_hand_is_named_before_the_contract_begins(shop, database):
    database.run("CREATE INDEX users_full_name ON users (full_name)", "CREATE INDEX users_note ON users (note)")
    shop.revision("change", RENAME)
    shop.apply()
    ((first, again), (second, definition)) = database.rows(
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname LIKE '~migrator%' ORDER BY 1"
    )
    ((function, source),) = database.rows(
        "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE '\\_migrator%'"
    )
    again, definition = (text.replace('FUNCTION "', 'FUNCTION public."') for text in (again, definition))
    database.run(
        f"CREATE OR REPLACE FUNCTION \"{function}\"() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        f'DROP TRIGGER "{second}" ON users',
        f'DROP TRIGGER "{first}" ON users',
        "ALTER TABLE users ALTER name TYPE varchar(90), ALTER full_name SET DEFAULT 'x'",
        again,
        f'ALTER TABLE users ENABLE REPLICA TRIGGER "{first}"',
        "DROP INDEX users_full_name",
        "CREATE INDEX urgent ON users (full_name, note)",
        "ALTER TABLE users ADD CONSTRAINT brief CHECK (full_name < 'z')",
        "ALTER TABLE users ALTER age SET DEFAULT 1, ADD extra int",  # nobody claims these
        "DROP INDEX users_note",
    )
    with pytest.raises(DriftFound, match="nothing was done") as stopped:
        shop.apply("contract", "change")
    found = named(stopped)
    was, source_is = found.pop(f"function public.{function}")
    assert was != source_is
    on = "of public.users"
    assert found == {
        f"trigger {first} {on}": (again, f"{again}, disabled"),
        f"trigger {second} {on}": (definition, "not there"),
        f"column name {on}": ("text", "character varying(90)"),
        f"column full_name {on}": ("text", "text DEFAULT 'x'::text"),
        f"index users_full_name {on}": (
            "CREATE INDEX users_full_name ON public.users USING btree (full_name)",
            "not there",
        ),
        f"index urgent {on}": ("not there", "CREATE INDEX urgent ON public.users USING btree (full_name, note)"),
        f"constraint brief {on}": ("not there", "CHECK ((full_name < 'z'::text))"),
    }
    assert shop.states() == {"change": "migrated"}

    database.run(
        source,
        f'DROP TRIGGER "{first}" ON users',
        "ALTER TABLE users ALTER name TYPE text, ALTER full_name DROP DEFAULT, DROP CONSTRAINT brief",
        again,
        definition,
        "CREATE INDEX users_full_name ON users (full_name)",
        "DROP INDEX urgent",
    )
    shop.apply("contract", "change")
    shop.restore("change")
    database.run("ALTER TABLE users ALTER full_name SET DEFAULT 'x'")
    with pytest.raises(DriftFound) as stopped:
        shop.apply("contract", "change")
    assert "migrator abort change" in stopped.value.next_step


def test_51_what_somebody_changed_by_hand_stops_the_next_phase(shop, database):
    shop.revision("change", RENAME)
    shop.apply("expand")
    database.run("ALTER TABLE users RENAME COLUMN name TO nom")
    done = shop.cli("apply", "--yes")
    assert done.returncode == 1
    assert "column name of public.users\n    was: text\n    is:  not there" in done.stderr
    assert "migrator abort change" in done.stderr
    assert shop.states() == {"change": "expanded"}
    database.run("ALTER TABLE users RENAME COLUMN nom TO name")
    shop.apply()
    shop.apply("contract", "change")
    ((kept,),) = database.rows("SELECT attname FROM pg_attribute WHERE attname LIKE '\\_migrator%'")
    database.run(f'ALTER TABLE users RENAME COLUMN "{kept}" TO full_name')
    with pytest.raises(DriftFound, match=kept) as stopped:
        shop.apply("purge", "change")
    assert "migrator restore change" in stopped.value.next_step


def test_51_what_other_revisions_change_meanwhile_is_no_drift(shop, database):
    shop.revision("first", RENAME)
    shop.revision("second", 'RenameColumn("users", "note", "remark")')
    shop.revision("third", 'AddCheck("users", "age > 0", name="grown")')
    database.run("CREATE INDEX together ON users (full_name, age)")
    shop.apply("expand")
    shop.apply()
    for name in ("third", "second", "first"):
        shop.apply("contract", name)
    for name in ("first", "second"):
        shop.apply("purge", name)
    assert shop.states() == {}


def test_51_a_revision_that_an_older_program_began_has_nothing_to_be_compared_with(shop, database):
    shop.revision("change", RENAME)
    shop.apply()
    database.run("DELETE FROM migrator.parts", "ALTER TABLE users ALTER full_name SET DEFAULT 'x'")
    shop.apply("contract", "change")


def test_51_an_abort_is_refused_only_where_values_may_be_in_the_new_shape_alone(shop, database):
    shop.revision("change", RENAME)
    shop.apply()
    database.run("ALTER TABLE users ALTER full_name SET DEFAULT 'x'", "ALTER TABLE users DISABLE TRIGGER USER")
    with pytest.raises(UsageError, match=", disabled") as stopped:
        shop.abort("change")
    assert "--discard-data" in stopped.value.next_step
    database.run("ALTER TABLE users ENABLE TRIGGER USER")
    shop.abort("change")
    changed = [event for event in shop.seen if isinstance(event, Drifted)]
    assert changed[-1] == Drifted("change", "column full_name of public.users", "text", "text DEFAULT 'x'::text")
    assert shop.states() == {"change": "pending"}


def test_51_rows_of_a_trigger_that_was_off_for_a_while_are_noticed_before_the_contract(shop, database):
    shop.revision("change", RENAME)
    shop.apply()
    database.run(
        "ALTER TABLE users DISABLE TRIGGER USER",
        "UPDATE users SET full_name = 'x' WHERE id = 1",
        "ALTER TABLE users ENABLE TRIGGER USER",
    )
    with pytest.raises(VerificationFailed):
        shop.apply("contract", "change")


CUT = """
CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN IF NEW.id = {} THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END';
CREATE TRIGGER a_cut BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION cut()
"""


def test_52_a_run_that_loses_its_connection_is_finished_by_the_next(shop, database):
    database.run(CUT.format(40))
    shop.revision("change", RENAME)
    done = shop.cli("apply", "--yes")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    database.run("DROP TRIGGER a_cut ON users")
    shop.apply()
    assert database.rows("SELECT count(*) FROM users WHERE name IS DISTINCT FROM full_name") == [(0,)]


@pytest.mark.parametrize("again", [False, True], ids=["after a failover", "on another server"])
def test_backfill_31_a_backfill_trusts_its_cursor_only_where_the_rows_are_where_they_were(again, shop, database):
    if database.version < (14, 0) and not again:
        pytest.skip("before PostgreSQL 14 a walk begins again until nothing is left")
    database.run(CUT.format(7))
    shop.revision("change", RENAME)
    with pytest.raises(ConnectionFailed):
        shop.apply()
    (kept,) = [event.detail for event in api.status(shop.settings, events=99).events if event.kind == "server"]
    other = {"system": "1"} if again else {"timeline": kept["timeline"] - 1}
    with database.connect(options="-c session_replication_role=replica") as connection:
        connection.execute("DROP TRIGGER a_cut ON users")
        connection.execute("UPDATE users SET name = NULL WHERE id = 20 AND name = full_name")  # the walk was there
        found = json.dumps({**kept, **other})
        connection.execute("INSERT INTO migrator.events (kind, actor, detail) VALUES ('server', 'test', %s)", [found])
    if again:
        shop.apply()
        assert shop.states() == {"change": "migrated"}
    else:
        with pytest.raises(VerificationFailed, match="20"):
            shop.apply()


FILLS = {
    "AddColumn": ('AddColumn("users", "size", "int", nullable=False, fill="note::int")', "size"),
    "SetNotNull": ('SetNotNull("users", "age", fill="note::int")', "age"),
}


@pytest.mark.parametrize("name", FILLS)
def test_45_a_fill_that_fails_for_what_an_old_writer_gives_fails_no_statement_and_keeps_the_contract_shut(
    name, shop, database
):
    operation, column = FILLS[name]
    shop.revision("change", operation)
    shop.apply()
    database.run("INSERT INTO users (id, note) VALUES (60, 'no number')")
    with pytest.raises(VerificationFailed, match=f'have no value in "{column}" .*60'):
        shop.apply("contract", "change")
    database.run(f"UPDATE users SET {column} = 1 WHERE id = 60")
    shop.apply("contract", "change")
    assert database.rows(f"SELECT {column} FROM users WHERE id = 60") == [(1,)]


def test_45_a_dropped_columns_fill_that_fails_fails_no_statement_of_the_new_version(shop, database):
    database.run("ALTER TABLE users ALTER COLUMN age SET NOT NULL")
    shop.revision("change", 'DropColumn("users", "age", fill="note::int")')
    shop.apply()
    database.run("INSERT INTO users (id, note) VALUES (60, 'no number'), (61, '61')")
    assert database.rows("SELECT age FROM users WHERE id > 59 ORDER BY id") == [(None,), (61,)]
    with pytest.raises(VerificationFailed, match="60"):
        shop.abort("change")
    database.run("UPDATE users SET age = 1 WHERE id = 60")
    shop.abort("change")
    nullable = "SELECT attnotnull FROM pg_attribute WHERE attrelid = 'users'::regclass AND attname = 'age'"
    assert database.rows(nullable) == [(True,)]


LATE = {
    "check": ('AddCheck("users", "age >= 0")', -1, "break the check users_age_check"),
    "NOT NULL": ('SetNotNull("users", "age")', "NULL", 'have no value in "age"'),
}


@pytest.mark.parametrize("name", LATE)
def test_45_rows_that_break_a_rule_after_expand_are_found_before_it_is_declared(name, shop, database):
    operation, value, fault = LATE[name]
    shop.revision("change", operation)
    shop.apply()
    database.run(f"UPDATE users SET age = {value} WHERE id = 7")
    with pytest.raises(UsageError, match="nothing to compare"):
        api.verify(shop.settings, "change")
    with pytest.raises(VerificationFailed, match=f"{fault} .*7"):
        shop.apply("contract", "change")
    database.run("UPDATE users SET note = 'still to be written' WHERE id = 7", "UPDATE users SET age = 1 WHERE id = 7")
    shop.apply("contract", "change")


def test_33_the_plan_says_which_statements_can_deadlock_while_rows_live_in_two_tables(shop, database):
    database.run(
        "CREATE TABLE cards (user_id int PRIMARY KEY REFERENCES users ON DELETE CASCADE, colour text)",
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER keep BEFORE UPDATE ON cards FOR EACH ROW EXECUTE FUNCTION keep()",
    )
    shop.revision("change", 'MergeTables("users", "cards", ["colour"], key="user_id")')
    told = 'DELETE and TRUNCATE of "public.cards", UPDATE of its key, any UPDATE of it (BEFORE trigger keep), SELECT …'
    assert told in shop.cli("plan").stdout
    shop.apply()
    (warning,) = json.loads(shop.cli("plan", "--format", "json").stdout)["revisions"][0]["warnings"]
    assert told in warning
    assert 'lock the row of "public.users" first, or try again after 40P01' in warning
    shop.apply("contract", "change")
    assert said(shop) == ""


def test_47_the_contract_waits_for_a_session_of_an_old_build_and_names_it(shop, database):
    shop.revision("change", RENAME)
    shop.apply()
    for version, shape in (("1.0", "none"), ("2.0", "change")):
        words = ("deploy", "record", "--app", "shop", "--version", version, "--shape", shape)
        assert shop.cli(*words).returncode == 0
    age(shop.url, 25)
    contract = ("apply", "--phase", "contract", "--yes", "--to", "change")
    with database.connect(application_name="shop/1.0 web") as old, database.connect(application_name="shop/2.0"):
        left_behind = f'of a build that does not survive the contract: pid {old.info.backend_pid} "shop/1.0 web"'
        before = database.rows("SELECT count(*) FROM migrator.events")
        gate = shop.cli("gate", "change")
        assert gate.returncode == 3
        assert f"[ ] no session of an old build: {left_behind}" in gate.stdout
        assert "pg_terminate_backend(pid)" in gate.stdout
        assert database.rows("SELECT count(*) FROM migrator.events") == before
        done = shop.cli(*contract)
        assert done.returncode == 3
        assert left_behind in done.stderr
        assert shop.states() == {"change": "migrated"}
        old.close()
        assert "change: open" in shop.cli("gate", "change").stdout
        assert shop.cli(*contract).returncode == 0
