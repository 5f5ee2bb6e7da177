"""Rows that a backfill on PostgreSQL may meet, and what others do to them meanwhile. Numbers as in test_backfill."""

from __future__ import annotations

import pytest

from migrator import api
from migrator.errors import PlanRefused, RowsSetAside, VerificationFailed
from migrator.events import Paused, StepProgress
from tests.compatibility.living import Watched
from tests.scenarios.test_backfill import DIFFERENT, LOG, RENAME, TWICE, meanwhile, once, shop, users

__all__ = ["meanwhile", "shop", "users"]  # fixtures


def test_backfill_03_rows_whose_key_is_random_are_each_written_once(database, shop):
    database.run(
        "CREATE TABLE users (id uuid PRIMARY KEY DEFAULT md5(random()::text)::uuid, full_name text)",
        "INSERT INTO users (full_name) SELECT 'user ' || i FROM generate_series(1, 3000) i",
        *(statement.replace("bigint", "uuid") for statement in LOG),
    )
    shop.revision("change", RENAME)
    shop.apply()
    assert database.rows(TWICE) == [(3000, 3000)]
    assert database.rows(DIFFERENT) == [(0,)]


def test_backfill_06_rows_that_nothing_tells_apart_are_all_done(database, shop):
    database.run(
        "CREATE TABLE users (code int UNIQUE, full_name text)",
        "INSERT INTO users SELECT nullif(i, 0), 'user ' || i FROM generate_series(0, 500) i",
        "INSERT INTO users SELECT NULL, 'the same' FROM generate_series(1, 500)",
    )
    shop.revision("change", RENAME)
    shop.apply()
    assert database.rows(DIFFERENT) == [(0,)]


def test_backfill_08_a_row_that_is_inserted_behind_the_cursor_is_filled_by_its_writer(users, shop):
    shop.revision("change", RENAME)
    shop.apply("expand")
    shop.seen = once(lambda: users.run("INSERT INTO users (id, full_name) VALUES (-1, 'behind'), (99, 'ahead')"))
    shop.apply("migrate")
    assert users.rows(DIFFERENT) == [(0,)]
    assert users.rows("SELECT name FROM users WHERE id IN (-1, 99) ORDER BY id") == [("behind",), ("ahead",)]


def test_backfill_09_rows_that_come_all_the_time_are_not_chased(database, shop):
    database.run(
        "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, full_name text)",
        "INSERT INTO users (full_name) SELECT repeat('x', 100) FROM generate_series(1, 1000)",
    )
    shop.revision("change", RENAME)
    shop.apply("expand")
    more = "INSERT INTO users (full_name) SELECT repeat('y', 100) FROM generate_series(1, 1000)"
    batches = []

    def grow(event):
        if isinstance(event, StepProgress) and "backfill" in event.name and len(batches) < 100:
            database.run(more)
            batches.append(event)

    shop.seen = Watched(grow)
    shop.apply("migrate")
    assert len(batches) < 20, "each batch made a table of another one"
    assert database.rows(DIFFERENT) == [(0,)]


def test_backfill_11_a_row_that_is_written_while_its_batch_computes_keeps_what_was_written_last(meanwhile, users):
    assert meanwhile("UPDATE users SET full_name = 'later' WHERE id = 5") == 0
    assert users.rows("SELECT full_name, note FROM users WHERE id = 5") == [("later", "LATER")]


def test_backfill_13_a_row_that_is_held_keeps_no_other_waiting(users, shop):
    shop.revision("change", RENAME)
    shop.apply("expand")
    with users.connect() as holder:
        holder.execute("BEGIN")
        holder.execute("UPDATE users SET age = 0 WHERE id = 30")

        def seen(event):
            if isinstance(event, Paused):
                users.run("UPDATE users SET full_name = 'meanwhile' WHERE id IN (29, 31)")
                holder.execute("COMMIT")

        shop.seen = Watched(seen)
        shop.apply("migrate")
    assert any(isinstance(event, Paused) for event in shop.seen)
    assert users.rows(DIFFERENT) == [(0,)]


def test_backfill_22_a_row_that_cannot_be_changed_is_set_aside_and_no_other(users, shop):
    users.run("UPDATE users SET full_name = 'x' WHERE id <> 7", "UPDATE users SET full_name = '1' WHERE id % 7 <> 0")
    shop.revision("change", 'Backfill("users", {"age": "full_name::int"}, where="note IS NULL AND age <> 1")')
    with pytest.raises(RowsSetAside) as stopped:
        shop.apply()
    assert users.rows("SELECT count(*) FROM users WHERE age = 1") == [(52,)]
    assert "8 rows" in str(stopped.value)


def test_backfill_26_a_trigger_that_writes_its_table_again_ends(users, shop):
    users.run(
        "CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " UPDATE users SET note = NEW.full_name WHERE id = NEW.id AND note IS DISTINCT FROM NEW.full_name;"
        " RETURN NULL; END $$",
        "CREATE TRIGGER again AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION again()",
    )
    shop.revision("change", RENAME.replace(")", ', functions=["public.again"])'))
    shop.apply()
    users.run("UPDATE users SET name = 'new' WHERE id = 3")
    assert users.rows("SELECT full_name, note FROM users WHERE id = 3") == [("new", "new")]
    assert users.rows(DIFFERENT) == [(0,)]


def test_backfill_27_rows_that_are_copied_in_write_both_and_those_past_the_triggers_are_named(users, shop):
    shop.revision("change", RENAME)
    shop.apply("expand")
    with users.connect() as connection, connection.cursor().copy("COPY users (id, full_name) FROM STDIN") as lines:
        lines.write("100\tcopied\n")
    assert users.rows("SELECT name FROM users WHERE id = 100") == [("copied",)]
    shop.apply("migrate")
    users.run("SET session_replication_role = replica", "INSERT INTO users (id, full_name) VALUES (101, 'applied')")
    with pytest.raises(VerificationFailed, match="101"):
        api.verify(shop.settings)


def refused(database, shop, operation, said):
    before = database.dump()
    shop.revision("change", operation)
    with pytest.raises(PlanRefused, match=said):
        shop.apply()
    assert database.dump() == before


def test_backfill_29_a_unique_index_over_values_that_are_there_twice_is_refused(users, shop):
    users.run("UPDATE users SET note = 'x' WHERE id < 3")
    refused(users, shop, 'CreateIndex("users", "note", unique=True)', "share a value")


def test_backfill_30_a_conversion_that_would_lose_something_is_refused_with_a_row_that_would(users, shop):
    users.run("UPDATE users SET full_name = left(full_name, 6)", "UPDATE users SET full_name = 'too long' WHERE id = 7")
    mapped = 'up="left(full_name, 6)", down="full_name"'
    refused(users, shop, f'ChangeType("users", "full_name", "varchar(6)", {mapped})', "7")


def test_backfill_33_a_partitioned_table_is_refused(users, shop):
    users.run("CREATE TABLE parted (id int PRIMARY KEY, full_name text) PARTITION BY HASH (id)")
    refused(users, shop, 'RenameColumn("parted", "full_name", "name")', "partitioned")
