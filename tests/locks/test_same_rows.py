"""Both versions write the same rows at the same moment, one to each of two tables that say the same."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
import pytest

ROWS = 3
ROUNDS = 60
PAUSE = 42
"""Advisory lock for which whoever writes to users waits, once the row is locked and before it is mirrored."""

TABLES = (
    "CREATE TABLE users (id int, region text, street text, city text, PRIMARY KEY (region, id))",
    f"INSERT INTO users SELECT i, 'eu', 'street ' || i, 'York' FROM generate_series(1, {ROWS}) i",
    "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS"
    f" 'BEGIN IF pg_trigger_depth() = 1 THEN PERFORM pg_advisory_xact_lock_shared({PAUSE}); END IF; RETURN NULL; END'",
    "CREATE TRIGGER a_pause AFTER UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION pause()",
)
WRITERS = {
    "old": (
        "UPDATE users SET street = %(value)s WHERE id = %(row)s",
        "INSERT INTO users (region, id, street) VALUES ('eu', %(row)s, %(value)s)"
        " ON CONFLICT (region, id) DO UPDATE SET street = EXCLUDED.street",
        "UPDATE users SET city = NULL, street = NULL WHERE id = %(row)s",
    ),
    "new": (
        "UPDATE addresses SET street = %(value)s WHERE id = %(row)s",
        "INSERT INTO addresses (region, id, street) VALUES ('eu', %(row)s, %(value)s)"
        " ON CONFLICT (region, id) DO UPDATE SET city = EXCLUDED.city, street = EXCLUDED.street",
        "UPDATE users SET region = region WHERE id = %(row)s",
    ),
}
DIFFERENT = (
    "SELECT region, id FROM users LEFT JOIN addresses USING (region, id)"
    " WHERE (users.street, users.city) IS DISTINCT FROM (addresses.street, addresses.city)"
)


CHANGES = {
    "split": ((), 'SplitTable("users", ["street", "city"], to="addresses")'),
    "merge": (
        (
            "CREATE TABLE addresses AS SELECT * FROM users",
            "ALTER TABLE users DROP street, DROP city",
            "ALTER TABLE addresses ADD PRIMARY KEY (region, id), ADD FOREIGN KEY (region, id) REFERENCES users",
        ),
        'MergeTables("users", "addresses", ["street", "city"], cascade=True)',
    ),
}


@pytest.fixture(params=CHANGES)
def shop(request, any_database, project):
    """A database in which one version keeps addresses in users, the other in a table of their own."""
    given, operation = CHANGES[request.param]
    any_database.run(*TABLES, *given)
    project.url = any_database.url
    project.revision("change", operation)
    project.apply()
    return any_database


def waits(database, session):
    """Wait until a session waits for a lock, or is idle again."""
    question = f"SELECT state = 'idle' OR wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = {session}"
    while database.rows(question) != [(True,)]:
        pass


@contextmanager
def paused_in(database, statement):
    """A statement on users that has locked its row, and mirrors it only at the end of the block."""
    with (
        database.connect() as holder,
        database.connect() as writer,
        ThreadPoolExecutor(1) as pool,
    ):
        holder.execute(f"SELECT pg_advisory_lock({PAUSE})")
        done = pool.submit(writer.execute, statement)
        waits(database, writer.info.backend_pid)
        yield
        holder.execute(f"SELECT pg_advisory_unlock({PAUSE})")
        done.result()


def test_whoever_writes_to_the_second_table_locks_the_row_of_the_first_before_its_own(shop):
    for written, rows in (("UPDATE users SET street = 'old' WHERE id = 1", 1), ("DELETE FROM users WHERE id = 1", 0)):
        with shop.connect() as writer, ThreadPoolExecutor(1) as pool:
            with paused_in(shop, written):
                done = pool.submit(writer.execute, "UPDATE addresses SET city = 'new' WHERE id = 1")
                waits(shop, writer.info.backend_pid)
            assert done.result().rowcount == rows
    assert shop.rows(DIFFERENT) == []


@pytest.mark.in_turn
def test_no_statement_fails_that_writes_the_same_rows_through_the_other_table(shop):
    failures, start = [], threading.Barrier(4)

    def write(version, number):
        with shop.connect() as session:
            start.wait()
            for turn in range(ROUNDS):
                statement = WRITERS[version][(turn + number) % 3]
                try:
                    session.execute(statement, {"row": turn % ROWS + 1, "value": f"{version} {turn}"})
                except psycopg.Error as problem:
                    failures.append(f"{version} {statement}: {problem}")

    with ThreadPoolExecutor(4) as pool:
        for number, version in enumerate(("old", "new", "old", "new")):
            pool.submit(write, version, number)
    assert failures == []
    assert shop.rows(DIFFERENT) == []
