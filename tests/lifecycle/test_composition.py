"""Several changes of one table in flight at once: each goes its own way, and none fights another."""

from __future__ import annotations

import pytest

from migrator.errors import PlanRefused

TABLE = (
    "CREATE TABLE people (id int PRIMARY KEY, full_name text NOT NULL, age int NOT NULL DEFAULT 0,"
    " street text, city text, note text)",
    "CREATE INDEX ON people (full_name, age)",
    "INSERT INTO people SELECT i, 'name ' || i, i, 'street ' || i, 'city ' || i, NULL FROM generate_series(1, 500) i",
)
RENAME = 'RenameColumn("people", "full_name", "name")'
WIDEN = 'ChangeType("people", "age", "bigint", to="years")'
MERGE = """TransformColumns("people", ["street", "city"], Column("address", "text", nullable=False),
  up={"address": "coalesce(street, '') || '/' || coalesce(city, '')"},
  down={"street": "nullif(split_part(address, '/', 1), '')", "city": "nullif(split_part(address, '/', 2), '')"})"""
FILL = """SetNotNull("people", "note", fill="'none'"), AddColumn("people", "email", "text", nullable=False,
  fill="lower(full_name) || '@example.org'")"""


def test_four_changes_of_one_table_in_flight_leave_it_as_one_after_the_other_would(any_database, project):
    any_database.run(*TABLE)
    project.url = any_database.url
    any_database.run("DROP INDEX people_full_name_age_idx")
    rename = project.revision("rename", RENAME)
    widen = project.revision("widen", WIDEN)
    merge = project.revision("merge", MERGE)
    project.apply()
    any_database.run(
        "INSERT INTO people (id, full_name, age, street, city) VALUES (501, 'old', 7, 'a', 'b')",
        "INSERT INTO people (id, name, years, address) VALUES (502, 'new', 8, 'c/d')",
        "INSERT INTO people (id, name, age, address) VALUES (503, 'mixed', 9, 'e/f')",
        "UPDATE people SET full_name = 'x', years = 1, city = 'y' WHERE id = 1",
    )
    assert any_database.rows(
        "SELECT id, full_name, name, age, years, street, city, address FROM people WHERE id IN (1, 501, 502, 503)"
        " ORDER BY id"
    ) == [
        (1, "x", "x", 1, 1, "street 1", "y", "street 1/y"),
        (501, "old", "old", 7, 7, "a", "b", "a/b"),
        (502, "new", "new", 8, 8, "c", "d", "c/d"),
        (503, "mixed", "mixed", 9, 9, "e", "f", "e/f"),
    ]
    project.apply("contract", merge)
    project.restore(merge)
    for revision in (rename, widen, merge):
        project.apply("contract", revision)
        project.apply("purge", revision)
    assert any_database.rows("SELECT * FROM people WHERE id > 500 ORDER BY id") == [
        (501, None, "old", 7, "a/b"),
        (502, None, "new", 8, "c/d"),
        (503, None, "mixed", 9, "e/f"),
    ]
    assert "migrator" not in any_database.dump()


def test_operations_of_one_revision_share_a_table_and_its_triggers(database, project):
    database.run(*TABLE)
    project.url = database.url
    revision = project.revision("all", f"DropIndex('people_full_name_age_idx'), {FILL}, {WIDEN}, {MERGE}")
    project.apply("expand")
    database.run(
        "INSERT INTO people (id, full_name, age, street) VALUES (501, 'Old', 7, 'a')",
        "INSERT INTO people (id, full_name, years, address, email) VALUES (502, 'New', 8, '/b', 'new')",
    )
    project.apply("migrate")
    question = "SELECT id, note, email, age, years, street, city, address FROM people WHERE id > 499 ORDER BY id"
    assert database.rows(question) == [
        (500, "none", "name 500@example.org", 500, 500, "street 500", "city 500", "street 500/city 500"),
        (501, "none", "old@example.org", 7, 7, "a", None, "a/"),
        (502, "none", "new", 8, 8, None, "b", "/b"),
    ]
    project.apply("contract", revision)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ('ChangeType("people", "name", "varchar", to="label")', "still being changed by revision rename"),
        ('DropColumn("people", "full_name")', "still being changed by revision rename"),
        ('AddCheck("people", "length(full_name) > 0")', "still being changed by revision rename"),
        ('DropIndex("people_full_name_age_idx")', "still being changed by revision rename"),
    ],
)
def test_a_second_change_of_a_column_in_flight_waits_for_the_contract_of_the_first(second, reason, database, project):
    database.run(*TABLE)
    project.url = database.url
    rename = project.revision("rename", RENAME)
    project.apply()
    project.revision("second", second)
    with pytest.raises(PlanRefused, match=reason):
        project.apply()
    project.apply("contract", rename)
    if "full_name" not in second:
        project.apply()
        assert project.states()["second"] in ("expanded", "migrated")
