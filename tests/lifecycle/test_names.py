"""Names are taken exactly as they are, whatever is in them."""

from __future__ import annotations

import pytest

LONG_UNICODE = "ü" * 31 + "x"
NAMES = {
    "mixed case, quotes, unicode": ('Us"ers', 'voller "Näme"', "имя'Name"),
    "reserved words": ("order", "select", "table"),
    "percent, backslash, spaces, dots, braces": ("100% {my} table.", "%s full.name", " back\\slash %(x)s :a $1 "),
    "63 bytes of unicode": (LONG_UNICODE, "é" * 31 + "a", "é" * 31 + "b"),
    "longest, alike up to the last byte": ("t" * 63, "x" * 62 + "1", "x" * 62 + "2"),
}


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def make_table(database, schema, table, column):
    full = f"{quoted(schema)}.{quoted(table)}"
    database.run(
        f"CREATE SCHEMA IF NOT EXISTS {quoted(schema)}",
        f"CREATE TABLE {full} (id int PRIMARY KEY, {quoted(column)} text NOT NULL UNIQUE)",
        f"ALTER TABLE {full} ADD CHECK ({quoted(column)} <> '')",
        f"CREATE INDEX ON {full} (lower({quoted(column)}))",
        f"INSERT INTO {full} SELECT i, 'user ' || i FROM generate_series(1, 100) i",
    )
    return full


def through(database, project, revision, full, old, new):
    """Out, back, out again, through; both names written while both are there."""
    before = database.dump()
    project.apply()
    database.run(
        f"INSERT INTO {full} (id, {quoted(old)}) VALUES (101, 'by old')",
        f"INSERT INTO {full} (id, {quoted(new)}) VALUES (102, 'by new')",
    )
    same = f"SELECT count(*) FROM {full} WHERE {quoted(old)} = {quoted(new)}"
    assert database.rows(same) == [(102,)]
    project.abort(revision)
    assert database.dump() == before
    project.apply()
    migrated = database.dump()
    project.apply("contract", revision)
    database.run(f"INSERT INTO {full} (id, {quoted(new)}) VALUES (103, 'alone')")
    project.restore(revision)
    assert database.dump() == migrated
    assert database.rows(same) == [(103,)]
    project.apply("contract", revision)
    project.apply("purge", revision)
    assert database.rows(f"SELECT {quoted(new)} FROM {full} WHERE id > 101 ORDER BY id") == [("by new",), ("alone",)]
    assert "migrator" not in database.dump()


@pytest.mark.parametrize("name", NAMES)
def test_rename_under_any_name(name, database, project):
    table, old, new = NAMES[name]
    full = make_table(database, "public", table, old)
    project.url = database.url
    revision = project.revision("change", f"RenameColumn({table!r}, {old!r}, {new!r})")
    through(database, project, revision, full, old, new)


@pytest.mark.parametrize("name", NAMES)
def test_other_operations_under_any_name(name, database, project):
    table, old, new = NAMES[name]
    full = make_table(database, "public", table, old)
    project.url = database.url
    before = database.dump()
    fill = f"lower({quoted(old)})"
    revision = project.revision(
        "change",
        f"AddColumn({table!r}, {new!r}, 'text', nullable=False, fill={fill!r}), CreateIndex({table!r}, [{new!r}]),"
        f" Backfill({table!r}, {{{new!r}: \"'filled'\"}}, where={quoted(new) + ' = ' + repr('user 1')!r})",
    )
    project.apply()
    assert database.rows(f"SELECT {quoted(new)} FROM {full} WHERE id < 3 ORDER BY id") == [("filled",), ("user 2",)]
    project.abort(revision, discard=True)
    assert database.dump() == before


def test_another_schema_and_several_at_once(database, project):
    """Same names in two schemas, neither of them on the search path, changed by one revision."""
    one = make_table(database, "Tenant One", "users", "full_name")
    two = make_table(database, "tenant'2", "users", "full_name")
    project.url = database.url
    before = database.dump()
    revision = project.revision(
        "change",
        'RenameColumn("users", "full_name", "name", schema="Tenant One"),'
        ' RenameColumn("users", "full_name", "name", schema="tenant\'2")',
    )
    project.apply()
    project.abort(revision)
    assert database.dump() == before
    project.apply()
    project.apply("contract", revision)
    project.apply("purge", revision)
    for full in (one, two):
        assert database.rows(f"SELECT count(name) FROM {full}") == [(100,)]
    assert "migrator" not in database.dump()


def test_a_name_of_64_bytes_is_refused_before_anything_is_done(database, project):
    make_table(database, "public", "users", "full_name")
    project.url = database.url
    project.revision("change", f"RenameColumn('users', 'full_name', {'d' * 64!r})")
    done = project.cli("apply", "--yes")
    assert done.returncode == 2
    assert "64 bytes" in done.stderr
    assert "change.py:" in done.stderr
