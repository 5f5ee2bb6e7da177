"""Whole tables: who may use a renamed one, what holds a dropped one, and how both come back."""

from __future__ import annotations

import psycopg
import pytest

from migrator.errors import PlanRefused, StepFailed

pytestmark = pytest.mark.in_turn

TABLES = (
    "CREATE TABLE users (id int PRIMARY KEY, name text, secret text)",
    "INSERT INTO users VALUES (1, 'Ann', 'a'), (2, 'Bob', 'b')",
    "CREATE TABLE settings (user_id int REFERENCES users, colour text)",
    "INSERT INTO settings VALUES (1, 'red'), (2, 'blue')",
)


@pytest.fixture
def shop(any_database, project):
    any_database.run(*TABLES)
    project.url = any_database.url
    return project


@pytest.fixture
def reader(any_database):
    """A role that may use a table only as far as it was granted."""
    role = f"reader_{any_database.name}"
    any_database.run(f"CREATE ROLE {role}")
    yield role
    any_database.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def may(database, role, statement):
    with database.connect() as connection:
        connection.execute(f"SET ROLE {role}")
        try:
            return connection.execute(statement).fetchall()
        except psycopg.errors.InsufficientPrivilege:
            return None


def test_a_role_may_do_under_the_new_name_what_it_may_under_the_old(shop, any_database, reader):
    any_database.run(
        f"GRANT SELECT (id, name), UPDATE (name) ON users TO {reader}",
        f"GRANT DELETE ON users TO {reader} WITH GRANT OPTION",
        f"ALTER DEFAULT PRIVILEGES GRANT SELECT, INSERT ON TABLES TO {reader}, PUBLIC",
    )
    revision = shop.revision("change", 'RenameTable("users", "people")')
    shop.apply()
    for _ in range(2):
        assert may(any_database, reader, "SELECT name FROM people WHERE id = 1") == [("Ann",)]
        assert may(any_database, reader, "UPDATE people SET name = 'Ann' WHERE id = 1 RETURNING id") == [(1,)]
        assert may(any_database, reader, "DELETE FROM people WHERE id = 9 RETURNING id") == []
        assert may(any_database, reader, "SELECT secret FROM people") is None
        assert may(any_database, reader, "INSERT INTO people (id) VALUES (3) RETURNING id") is None
        grantable = f"has_table_privilege('{reader}', 'people', 'DELETE WITH GRANT OPTION')"
        assert any_database.rows(f"SELECT {grantable}") == [(True,)]
        shop.apply("contract", revision)
        shop.restore(revision)
    shop.apply("contract", revision)
    assert may(any_database, reader, "SELECT name FROM people WHERE id = 1") == [("Ann",)]
    assert may(any_database, reader, "SELECT secret FROM people") is None


def test_row_level_security_holds_under_the_new_name_or_the_rename_is_refused(shop, any_database, reader):
    any_database.run(
        f"GRANT SELECT ON users TO {reader}",
        "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY theirs ON users USING (id = 2)",
    )
    shop.revision("change", 'RenameTable("users", "people")')
    if any_database.version < (15, 0):
        with pytest.raises(PlanRefused, match="row level security"):
            shop.apply()
        assert any_database.rows("SELECT to_regclass('people')") == [(None,)]
        return
    any_database.run(f"REVOKE SELECT ON users FROM {reader}", f"GRANT SELECT (name) ON users TO {reader}")
    with pytest.raises(PlanRefused, match="may not read all its columns"):
        shop.apply()
    any_database.run(f"GRANT SELECT, UPDATE (name) ON users TO {reader}")
    shop.apply()
    assert may(any_database, reader, "SELECT name FROM people") == [("Bob",)]
    assert may(any_database, reader, "UPDATE people SET name = name RETURNING id") == [(2,)]
    assert may(any_database, reader, "UPDATE people SET secret = name RETURNING id") is None


def test_the_view_belongs_to_the_owner_of_the_table(shop, any_database, reader):
    any_database.run(f"GRANT CREATE ON SCHEMA public TO {reader}", f"ALTER TABLE users OWNER TO {reader}")
    shop.revision("change", 'RenameTable("users", "people")')
    shop.apply()
    owner = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname = 'people'"
    assert any_database.rows(owner) == [(reader,)]
    assert len(may(any_database, reader, "SELECT name FROM people")) == 2
    any_database.run(f"REASSIGN OWNED BY {reader} TO postgres")


def test_a_function_that_names_the_table_has_to_be_seen_to(shop, any_database):
    any_database.run(
        "CREATE FUNCTION greet() RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT min(name) FROM users); END'",
        "CREATE FUNCTION other() RETURNS text LANGUAGE sql AS 'SELECT max(user) || $$users_of$$'",
    )
    shop.revision("change", 'RenameTable("users", "people")')
    with pytest.raises(PlanRefused, match=r"public\.greet\)$") as refused:
        shop.apply()
    assert 'functions=["schema.function", …]' in refused.value.next_step
    shop.last = None
    shop.revision("change", 'RenameTable("users", "people", functions=["public.greet"])')
    shop.apply()


def test_writers_that_do_not_know_a_dropped_table_may_delete_what_it_references(shop, any_database):
    shop.revision("change", 'DropTable("settings")')
    with pytest.raises(PlanRefused, match="settings_user_id_fkey") as refused:
        shop.apply()
    assert 'DropConstraint("settings", "settings_user_id_fkey")' in refused.value.next_step
    shop.last = None
    revision = shop.revision("change", 'DropTable("settings", keeps_referenced=True)')
    shop.apply()
    shop.apply("contract", revision)
    any_database.run("DELETE FROM users WHERE id = 2")
    shop.apply("purge", revision)
    assert any_database.rows("SELECT to_regclass('settings')") == [(None,)]


def test_a_restored_table_says_which_rows_reference_what_is_gone(shop, any_database):
    revision = shop.revision("change", 'DropTable("settings", keeps_referenced=True)')
    before = any_database.dump()
    shop.apply()
    shop.apply("contract", revision)
    any_database.run("DELETE FROM users WHERE id = 2")
    with pytest.raises(StepFailed, match="settings_user_id_fkey"):
        shop.restore(revision)
    any_database.run("DELETE FROM settings WHERE user_id = 2")
    shop.restore(revision)
    assert any_database.dump() == before
    assert any_database.rows("SELECT colour FROM settings") == [("red",)]


def test_a_table_that_a_dropped_one_still_references_waits_for_its_purge(shop, any_database):
    first = shop.revision("first", 'DropTable("settings", keeps_referenced=True)')
    any_database.run(
        "ALTER TABLE settings DROP CONSTRAINT settings_user_id_fkey,"
        " ADD CONSTRAINT mine FOREIGN KEY (user_id) REFERENCES users ON DELETE CASCADE"
    )
    shop.apply()
    shop.apply("contract", first)
    second = shop.revision("second", 'DropTable("users")')
    with pytest.raises(PlanRefused, match="mine") as refused:
        shop.apply()
    assert "migrator apply --phase purge" in refused.value.next_step
    shop.apply("purge", first)
    shop.apply()
    shop.apply("contract", second)
    shop.apply("purge", second)
    assert "users" not in any_database.dump()


def test_a_table_that_is_being_renamed_is_changed_after_the_contract(shop, any_database):
    shop.revision("first", 'RenameTable("users", "people")')
    shop.apply()
    for name in ("users", "people"):
        shop.last = "first"
        shop.revision("second", f'AddColumn("{name}", "age", "int")')
        with pytest.raises(PlanRefused, match="still being changed by revision first") as refused:
            shop.apply()
        assert "migrator apply --phase contract --to first" in refused.value.next_step
    shop.apply("contract", "first")
    shop.apply()
    assert any_database.rows("SELECT count(*) FROM people WHERE age IS NULL") == [(2,)]


def test_the_doctor_knows_a_quarantined_table_by_its_revision(shop, any_database):
    revision = shop.revision("change", 'DropTable("settings", keeps_referenced=True)')
    shop.apply()
    shop.apply("contract", revision)
    assert "1 helper objects of revisions in flight" in shop.cli("doctor").stdout
    any_database.run("CREATE TABLE _migrator_quarantine_01234567_users ()")
    assert "of no revision in flight: table _migrator_quarantine_01234567_users" in shop.cli("doctor").stdout
