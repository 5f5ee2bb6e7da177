"""Values of enum types are renamed and removed wherever they are, by whoever may."""

from __future__ import annotations

import psycopg
import pytest

from migrator.errors import PlanRefused, RowsSetAside, StepFailed, VerificationFailed
from migrator.planning import not_ours
from phases.catalog import Catalog, Enum, Server
from phases.model import TableName
from phases.operations import Touch
from phases.operations.enum_types import enum_of
from tests.migrator.test_alembic import alembic

RENAME = 'RenameEnumValue("mood", "sad", "blue", reads_both=True)'
MOODS = "SELECT string_agg(mood::text, ',' ORDER BY id) FROM users"


@pytest.fixture
def shop(database, project):
    database.run(
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE TABLE users (id int PRIMARY KEY, mood mood DEFAULT 'sad')",
        "INSERT INTO users VALUES (1, 'sad'), (2, 'happy')",
    )
    project.url = database.url
    return project


def test_whoever_was_there_before_the_swap_and_whoever_comes_later_writes_either_label(shop, database):
    """What a session prepared, and what it keeps of a trigger's function, is as good as what is looked up anew."""
    rename = shop.revision("rename", RENAME)
    addresses = database.rows("SELECT ctid::text FROM users WHERE id = 1")
    shop.apply()

    def written(session):
        update = "UPDATE users SET mood = %s WHERE id = 2 RETURNING mood"
        rows = [session.execute(update, [label]).fetchone() for label in ("sad", "blue")]
        return [*rows, *session.execute("SELECT mood FROM users WHERE mood IN ('sad', 'blue') ORDER BY id").fetchall()]

    with database.connect(prepare_threshold=0) as early:
        for label in ("sad", "blue", "sad", "blue"):
            with database.connect() as late:
                assert written(early) == written(late) == [(label,)] * 4
            if label == "sad":
                shop.apply("contract", rename)
            else:
                shop.restore(rename)
    assert database.rows("SELECT ctid::text FROM users WHERE id = 1") == addresses


def test_a_value_is_renamed_and_the_old_label_taken_away_in_the_next_revision(shop, database):
    rename = shop.revision("rename", RENAME)
    shop.apply()
    shop.apply("contract", rename)
    shop.apply("purge", rename)
    remove = shop.revision("remove", 'RemoveEnumValue("mood", "sad")')
    shop.apply()
    shop.apply("contract", remove)
    shop.apply("purge", remove)
    assert database.rows(MOODS) == [("blue,happy",)]
    with pytest.raises(psycopg.errors.InvalidTextRepresentation):
        database.run("UPDATE users SET mood = 'sad'")
    database.run("ALTER TYPE mood ADD VALUE 'sad'")
    again = shop.revision("again", 'RemoveEnumValue("mood", "sad")')
    shop.apply()
    shop.apply("contract", again)
    assert database.rows("SELECT cardinality(enum_range(NULL::mood))") == [(4,)]


def test_all_phases_at_once_where_nobody_writes(shop, database):
    """A value cannot be used in the transaction that adds it, and the label is the same as elsewhere afterwards."""
    shop.revision("rename", RENAME)
    shop.revision("remove", 'RemoveEnumValue("mood", "happy", replaced_by="blue")')
    done = alembic(shop, "upgrade", "rename")
    assert done.returncode == 0, done.stderr
    assert database.rows("SELECT enum_range(NULL::mood)::text, string_agg(mood::text, ',') FROM users") == [
        ("{blue,sad,happy}", "blue,happy")
    ]
    done = alembic(shop, "upgrade", "head")
    assert done.returncode == 0, done.stderr
    assert database.rows(MOODS) == [("blue,blue",)]
    assert database.rows("SELECT count(*) FROM pg_trigger") == [(0,)]


def test_a_writer_that_may_not_see_the_schema_of_the_type(shop, database):
    role = f"writer_{database.name}"
    database.run(
        "CREATE SCHEMA types",
        "ALTER TYPE mood SET SCHEMA types",
        f"CREATE ROLE {role}",
        f"GRANT ALL ON users TO {role}",
        f"GRANT {role} TO CURRENT_USER",
    )
    shop.revision("rename", 'RenameEnumValue("mood", "sad", "blue", reads_both=True, schema="types")')
    try:
        shop.apply()
        with database.connect() as session:
            session.execute(f"SET ROLE {role}".encode())
            session.execute("UPDATE users SET mood = 'blue'")
        assert database.rows(MOODS) == [("sad,sad",)]
    finally:
        database.run(f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_a_column_that_came_by_hand_keeps_the_labels_as_they_are(shop, database):
    rename = shop.revision("rename", RENAME)
    shop.apply()
    database.run("CREATE TABLE pets (mood mood, moods mood[])")
    database.run("DELETE FROM migrator.parts")  # as if they came after the comparison with what migrate left
    with pytest.raises(StepFailed, match=r"moods of table pets.* may have the value") as stopped:
        shop.apply("contract", rename)
    assert "column mood of table pets" in str(stopped.value)
    assert database.rows(MOODS) == [("sad,happy",)]
    database.run("DROP TABLE pets")
    shop.apply("contract", rename)
    assert database.rows(MOODS) == [("blue,happy",)]


@pytest.mark.parametrize(
    "operation",
    [
        'AddColumn("users", "second", "mood[]")',
        'CreateTable("pets", Column("mood", sa.Enum("sad", name="mood")))',
        'ChangeType("users", "note", "mood", to="second", up="note::mood", down="second::text")',
        'AddEnumValue("mood", "blue")',
        'RenameColumn("users", "mood", "feeling")',
    ],
)
def test_a_revision_that_would_use_the_type_waits_for_the_contract(shop, database, operation):
    database.run("ALTER TABLE users ADD COLUMN note text")
    rename = shop.revision("rename", RENAME)
    shop.apply()
    shop.revision("use", operation)
    with pytest.raises(PlanRefused, match="still being changed by revision rename"):
        shop.apply()
    shop.abort(rename)
    (shop.folder / "migrations" / "versions" / "use.py").unlink()
    shop.revision("rename", f"{RENAME}, {operation}", down=None)
    with pytest.raises(PlanRefused, match="cannot rename value"):
        shop.apply()


def test_rows_that_have_the_value_again_after_a_restore_are_replaced_again(shop, database):
    removal = shop.revision("remove", 'RemoveEnumValue("mood", "happy", replaced_by="sad")')
    shop.apply()
    with database.connect() as session:
        session.execute("INSERT INTO users VALUES (3, 'happy')")
        shop.apply("contract", removal)
        shop.restore(removal)
        session.execute("UPDATE users SET mood = 'happy' WHERE id = 1")
    assert database.rows(MOODS) == [("happy,sad,sad",)]
    shop.apply("contract", removal)
    assert database.rows(MOODS) == [("sad,sad,sad",)]


def test_a_value_written_past_the_trigger_is_found_before_the_swap(shop, database):
    rename = shop.revision("rename", RENAME)
    shop.apply()
    with database.connect() as session:
        session.execute("SET session_replication_role = replica")
        session.execute("UPDATE users SET mood = 'blue' WHERE id = 2")
    with pytest.raises(VerificationFailed, match=r"have the value 'blue' \(for example 2\)"):
        shop.apply("contract", rename)
    database.run("UPDATE users SET mood = mood WHERE id = 2")
    shop.apply("contract", rename)
    assert database.rows(MOODS) == [("blue,blue",)]


def test_a_row_that_cannot_have_the_other_value_keeps_the_label_until_it_is_mended(shop, database):
    removal = shop.revision("remove", 'RemoveEnumValue("mood", "happy", replaced_by="sad")')
    database.run("ALTER TABLE users ADD CHECK (id <> 2 OR mood <> 'sad')")
    shop.apply()
    with pytest.raises(RowsSetAside) as failing:
        shop.apply("contract", removal)
    assert failing.value.next_step == (
        "mend them, then: migrator apply --phase contract --to remove; or take it back: migrator restore remove"
    )
    database.run("UPDATE users SET id = 3 WHERE id = 2")
    shop.apply("contract", removal)
    assert database.rows(MOODS) == [("sad,sad",)]


def test_a_type_of_another_owner_may_be_used_but_not_changed():
    mood = TableName("public", "mood")
    server = Server("postgresql", (18, 0))
    catalog = Catalog(server, "public", enums={mood: Enum(mood, ("sad",), foreign_owner="somebody")})
    assert not_ours([Touch(mood, "column users.mood", uses=True)], catalog) == ()
    assert not_ours([Touch(mood)], catalog) == ('"public.mood" belongs to role "somebody"',)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("mood", "public.mood"),
        ("MOOD", "public.mood"),
        ("public.mood", "public.mood"),
        ('"Mood "', "public.Mood "),
        ('shop."a.""b"[]', 'shop.a."b'),
        ("mood [3] []", "public.mood"),
        ("shop.mood", None),
        ("numeric(3, 2)", None),
        ("timestamp with time zone", None),
    ],
)
def test_a_type_is_an_enum_however_it_is_written(text, found):
    names = [TableName("public", "mood"), TableName("public", "Mood "), TableName("shop", 'a."b')]
    catalog = Catalog(Server("postgresql", (18, 0)), "public", enums={name: Enum(name, ()) for name in names})
    assert str(enum_of(catalog, text) or "None") == str(found)
