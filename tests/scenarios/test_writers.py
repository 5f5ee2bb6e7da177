"""Ways in which rows are written while a column has two names. Numbers: docs/explanation/scenarios.md."""

from __future__ import annotations

import pytest

from tests.plugins.projects import ROOT, Project
from tests.plugins.servers import fresh_database, missing, versions

TABLES = (
    "CREATE TABLE users (id int PRIMARY KEY, full_name text, note text)",
    "INSERT INTO users SELECT i, 'user ' || i, 'note' FROM generate_series(1, 50) i",
    "CREATE FUNCTION called() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN IF NEW.note = ''call me Eve'' THEN NEW.full_name := ''Eve''; END IF; RETURN NEW; END'",
    "CREATE TRIGGER a_called BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION called()",
    "CREATE TABLE counts (id int PRIMARY KEY, n int NOT NULL)",
)
OPERATIONS = (
    'RenameColumn("users", "full_name", "name", functions="public.called"),'
    ' TransformColumns("counts", "n", Column("m", "int", nullable=False), up={"m": "n + 1"}, down={"n": "m - 1"})'
)


@pytest.fixture(scope="module")
def shop(fleet, tmp_path_factory):
    """A database in which both shapes are in use, and nothing is backfilled."""
    if not versions():
        missing("no PostgreSQL server")
    folder = tmp_path_factory.mktemp("shop")
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "migrations" / "env.py").write_text((ROOT / "migrator/templates/env.py.txt").read_text())
    with fresh_database(fleet.server(versions()[0])) as database:
        database.run(*TABLES)
        project = Project(folder, database.url)
        project.revision("change", OPERATIONS)
        project.apply("expand")
        yield database


def both(database, condition):
    return database.rows(f"SELECT id, full_name, name FROM users WHERE {condition} ORDER BY id")


def test_06_a_mapping_that_is_not_idempotent_is_applied_once_by_an_upsert(shop):
    upsert = "INSERT INTO counts (id, n) VALUES (1, 10) ON CONFLICT (id) DO UPDATE SET n = excluded.n"
    shop.run(upsert, upsert)
    assert shop.rows("SELECT n, m FROM counts") == [(10, 11)]


def test_07_copy_upsert_and_merge_write_both(shop):
    with shop.connect() as connection, connection.cursor().copy("COPY users (id, full_name) FROM STDIN") as copy:
        copy.write_row((100, "by copy"))
    shop.run(
        "INSERT INTO users (id, name) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET name = 'by upsert'",
        "MERGE INTO users USING (VALUES (2), (101)) given (id) ON users.id = given.id"
        " WHEN MATCHED THEN UPDATE SET full_name = 'by merge'"
        " WHEN NOT MATCHED THEN INSERT (id, name) VALUES (given.id, 'by merge')",
    )
    assert both(shop, "id IN (1, 2, 100, 101)") == [
        (1, "by upsert", "by upsert"),
        (2, "by merge", "by merge"),
        (100, "by copy", "by copy"),
        (101, "by merge", "by merge"),
    ]


def test_09_a_row_that_is_deleted_is_gone_under_both_names(shop):
    shop.run("DELETE FROM users WHERE id = 3")
    assert both(shop, "id = 3") == []


def test_15_what_a_user_trigger_changes_beyond_the_set_list_is_mirrored(shop):
    shop.run("UPDATE users SET note = 'call me Eve' WHERE id = 4")
    assert both(shop, "id = 4") == [(4, "Eve", "Eve")]


@pytest.mark.parametrize("path", ['"$user", public', "pg_temp, public, pg_catalog", "pg_catalog"])
def test_28_the_search_path_of_a_writer_says_nothing_about_its_version(shop, path):
    with shop.connect() as connection, connection.transaction():
        connection.execute(f"SET LOCAL search_path = {path}")
        connection.execute("UPDATE public.users SET full_name = 'old' WHERE id = 5")
        connection.execute("UPDATE public.users SET name = 'new' WHERE id = 6")
    assert both(shop, "id IN (5, 6)") == [(5, "old", "old"), (6, "new", "new")]


def test_08_a_truncated_table_is_empty_under_both_names(shop):
    shop.run("TRUNCATE counts", "INSERT INTO counts (id, m) VALUES (1, 5)")
    assert shop.rows("SELECT n, m FROM counts") == [(4, 5)]
