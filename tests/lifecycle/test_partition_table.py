"""A table becomes a partitioned one under everybody's hands: prepared statements, old snapshots, changes by hand."""

from __future__ import annotations

import threading

import psycopg
import pytest

from migrator.errors import PlanRefused, StepFailed
from tests.crash.test_kill import wait_for
from tests.lifecycle.test_partitions import StopAfter, Stopped

pytestmark = pytest.mark.in_turn

TABLES = (
    "CREATE TABLE orders (id int, gone text, day date, note text, PRIMARY KEY (id, day))",
    "ALTER TABLE orders DROP COLUMN gone",
    "INSERT INTO orders SELECT i, date '2025-01-01' + i, 'note ' || i FROM generate_series(1, 600) i",
)
OPERATION = (
    'PartitionTable("orders", "range", "day", default="orders_rest",'
    " partitions={\"orders_2025\": \"FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')\"})"
)


@pytest.fixture
def shop(any_database, project):
    any_database.run(*TABLES)
    project.url = any_database.url
    return project


def test_statements_prepared_before_go_on_through_the_exchange_of_names_and_back(shop, any_database):
    revision = shop.revision("change", OPERATION)
    any_database.run("CREATE VIEW noted AS SELECT * FROM orders")
    shop.apply()
    with any_database.connect() as application:

        def look(id_):
            for source in ("orders", "noted"):
                found = application.execute(f"SELECT * FROM {source} WHERE id = %s", [id_], prepare=True).fetchall()
                assert [row[2] for row in found] == ["written"]

        def write(id_):
            sql = "INSERT INTO orders VALUES (%s, '2025-05-05', 'written') RETURNING tableoid::regclass::text"
            return application.execute(sql, [id_], prepare=True).fetchone()[0]

        assert write(1001) == "orders"
        look(1001)
        shop.apply("contract", revision)
        look(1001)
        assert write(1002) == "orders_2025"
        look(1002)
        shop.restore(revision)
        look(1002)
        assert write(1003) == "orders"
        look(1003)


def test_a_transaction_with_an_old_snapshot_neither_misses_rows_nor_leaves_any(shop, any_database):
    revision = shop.revision("change", OPERATION)
    shop.apply("expand")
    with any_database.connect() as old, any_database.connect() as older:
        for connection in (old, older):
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
            connection.execute("SELECT FROM pg_class")
        shop.seen = StopAfter(1)
        with pytest.raises(Stopped):
            shop.apply("migrate")
        shop.seen = []
        with pytest.raises(psycopg.errors.SerializationFailure):
            old.execute("DELETE FROM orders WHERE id = 7")
        old.execute("ROLLBACK")
        # Its snapshot would find nothing in partitions that took the name.
        runner = threading.Thread(target=shop.apply)
        runner.start()
        wait_for(any_database, "query LIKE 'CREATE INDEX CONCURRENTLY%' AND wait_event_type = 'Lock'")
        assert older.execute("SELECT count(*) FROM orders").fetchone() == (600,)
        older.execute("COMMIT")
        runner.join()
    assert shop.states() == {revision: "migrated"}


def test_what_came_after_the_revision_began_is_not_left_behind(shop, any_database):
    any_database.run("CREATE FUNCTION stay() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    revision = shop.revision("change", OPERATION)
    shop.apply()
    any_database.run(
        "CREATE TRIGGER late AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION stay()",
        "CREATE VIEW latest AS SELECT max(day) FROM orders",
        "ALTER TABLE orders ADD COLUMN more int",
        "DELETE FROM migrator.parts",  # as if they came after the comparison with what migrate left
    )
    with pytest.raises(StepFailed, match="column more, trigger late, view latest came or was changed"):
        shop.apply("contract", revision)
    any_database.run("DROP TRIGGER late ON orders", "DROP VIEW latest", "ALTER TABLE orders DROP COLUMN more")
    shop.apply("contract", revision)
    assert any_database.rows("SELECT count(*) FROM orders") == [(600,)]


def test_a_trigger_before_rows_has_to_keep_the_partition(shop, any_database):
    any_database.run(
        "CREATE FUNCTION trim_note() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.note := trim(NEW.note); RETURN NEW; END'",
        "CREATE TRIGGER trimmed BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION trim_note()",
    )
    shop.revision("change", OPERATION)
    with pytest.raises(PlanRefused, match="trimmed"):
        shop.apply()
    shop.last = None
    revision = shop.revision("change", OPERATION[:-1] + ", keeps_key=True)")
    if any_database.version < (13, 0):
        with pytest.raises(PlanRefused, match="as no trigger of a partitioned table does"):
            shop.apply()
        return
    shop.apply()
    shop.apply("contract", revision)
    any_database.run("INSERT INTO orders VALUES (1001, '2030-01-01', ' far ')")
    assert any_database.rows("SELECT note FROM orders_rest WHERE id = 1001") == [("far",)]
