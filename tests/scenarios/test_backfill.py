"""What a backfill has to survive on PostgreSQL. Numbers: the second table of docs/explanation/scenarios.md."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psycopg
import pytest

from migrator import api
from migrator.dialects.base import Trouble
from migrator.dialects.postgresql_family import PostgreSQLFamily
from migrator.embedded import free_port
from migrator.errors import ConnectionFailed, MigratorError, StepFailed
from migrator.events import StepProgress
from phases.dialects.postgresql_backfill import KeyWalk
from phases.model import Fill
from tests.compatibility.living import Watched
from tests.crash.test_kill import wait_for
from tests.migrator.test_set_aside import migrate_as
from tests.plugins.servers import fresh_database, versions

FAR = 300_000_000_000
RENAME = 'RenameColumn("users", "full_name", "name")'
USERS = (
    "CREATE TABLE users (id bigint PRIMARY KEY, full_name text, age int, note text)",
    "INSERT INTO users SELECT i, 'user ' || i, i FROM generate_series(1, 60) i",
)
LOG = (
    "CREATE TABLE writes (id bigint)",
    "CREATE FUNCTION note_write() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN INSERT INTO writes VALUES (NEW.id); RETURN NULL; END'",
    "CREATE TRIGGER note_write AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION note_write()",
)
DIFFERENT = "SELECT count(*) FROM users WHERE name IS DISTINCT FROM full_name"
TWICE = "SELECT count(*), count(DISTINCT id) FROM writes"


@pytest.fixture
def shop(database, project):
    project.url = database.url
    return project


@pytest.fixture
def users(database, shop):  # noqa: ARG001 (its project is on the database)
    """60 rows, in a page or two."""
    database.run(*USERS)
    return database


def once(action):
    """Do something after the first batch of a backfill."""
    waiting = [action]

    def seen(event):
        if isinstance(event, StepProgress) and waiting:
            waiting.pop()()

    return Watched(seen)


def fills(shop):
    return [planned.step for planned in shop.plan("change") if isinstance(planned.step, Fill)]


@pytest.mark.parametrize("version", [None, 13], ids=["by page", "by key"])
def test_backfill_01_gaps_and_rows_that_are_gone_cost_no_batches(version, database, shop):
    database.run(
        USERS[0],
        f"INSERT INTO users SELECT i + (i > 9000)::int * {FAR} * i, 'user' FROM generate_series(1, 10000) i",
        "DELETE FROM users WHERE id BETWEEN 500 AND 9000",
    )
    shop.revision("change", RENAME)
    shop.apply("expand")
    batches = []
    migrate_as(shop, version, batches.append)
    assert database.rows(DIFFERENT) == [(0,)]
    assert len([event for event in batches if isinstance(event, StepProgress)]) < 30


def test_backfill_02_a_key_of_several_columns_is_found_in_its_index(database, shop):
    database.run(
        "CREATE TABLE users (area text, b int, c bigint, full_name text, PRIMARY KEY (area, b, c))",
        "INSERT INTO users SELECT 'area ' || i % 3, i % 100, i, 'user' FROM generate_series(1, 5000) i",
        "ANALYZE users",
    )
    shop.revision("change", RENAME)
    (step,) = fills(shop)
    walk = KeyWalk(step)
    last = ["area 1", "50", "4000"]
    for question in (walk.end(), walk.next(["area 1", "20", "7"], last, 100)):
        plan = "\n".join(line for (line,) in database.rows(f"EXPLAIN {question}"))
        assert "Seq Scan" not in plan
        assert "Sort" not in plan
        assert "users_pkey" in plan


COLLATIONS = {
    "equal is not the same": "provider = icu, locale = 'und-u-ks-level2', deterministic = false",
    "another order": "provider = icu, locale = 'sv'",
}
PAIRS = [first + second for first in "zåäBcé'" for second in ("Ö", "%", "n", "_", " ", "")]


@pytest.mark.parametrize("name", COLLATIONS)
def test_backfill_04_text_keys_are_compared_by_the_server_alone(name, fleet, project):
    with first_server_with(fleet, f"CREATE COLLATION odd ({COLLATIONS[name]})") as database:
        database.run('CREATE TABLE users (id text COLLATE "odd" PRIMARY KEY, full_name text)')
        keys = [pair + rest for pair in PAIRS for rest in ("", "1", "x ")]
        with database.connect() as connection:
            connection.cursor().executemany("INSERT INTO users VALUES (%s, %s)", [(key, key) for key in keys])
        project.url = database.url
        project.revision("change", RENAME)
        project.apply("expand")
        assert walked(KeyWalk(fills(project)[0]), database, 10) == [10] * (len(keys) // 10) + [len(keys) % 10]
        assert database.rows(DIFFERENT) == [(0,)]


@contextmanager
def first_server_with(fleet, statement):
    """A database on a server that takes a statement: not every build has every part."""
    for major in versions():
        with fresh_database(fleet.server(major)) as database:
            try:
                database.run(statement)
            except psycopg.errors.FeatureNotSupported:
                continue
            yield database
            return
    pytest.skip("no server here was built with ICU")


def walked(walk, database, rows):
    """Walk a key in batches of so many rows; returns how many each has changed."""
    last, after, changed = database.rows(walk.end())[0], (), []
    with database.connect() as connection:
        while after != last:
            found = database.rows(walk.next(after, last, rows))
            upto = found[0] if found else last
            changed.append(connection.execute(walk.batch([after, upto]).encode()).rowcount)
            after = upto
    return changed


ENDLESS = {
    "an expression that gives NULL": "{'note': 'upper(full_name)'}, where='note IS NULL'",
    "a value that stays": "{'age': 'age'}, where='age > 0'",
    "a function without an answer": "function=nothing, writes='note', where='note IS NULL'",
}
NOTHING = "def nothing(rows):\n    return [None for _ in rows]\n"


@pytest.mark.parametrize("name", ENDLESS)
def test_backfill_07_rows_that_are_never_done_are_refused_after_one_walk(name, users, shop):
    users.run("UPDATE users SET full_name = NULL WHERE id = 9", *LOG)
    shop.revision("change", f'Backfill("users", {ENDLESS[name]})', extra=NOTHING)
    with pytest.raises(StepFailed, match=r"row \d+ of .* still to do after it was done 3 times") as stopped:
        shop.apply()
    assert "IS NOT NULL" in stopped.value.next_step
    assert users.rows("SELECT count(*) FROM writes")[0][0] < 70


COMPUTED = """
import os
from sqlalchemy import create_engine, text


def upper(rows):
    statement = os.environ.pop("MEANWHILE", None)
    if statement:
        engine = create_engine(os.environ["WHERE"])
        with engine.begin() as connection:
            connection.execute(text(statement))
        engine.dispose()
    return [row["full_name"].upper() for row in rows]
"""


@pytest.fixture
def meanwhile(users, shop, monkeypatch):
    """Backfill by a function, while whose first call somebody runs a statement; returns the rows not done."""

    def run(statement):
        monkeypatch.setenv("WHERE", users.url)
        monkeypatch.setenv("MEANWHILE", statement)
        call = 'Backfill("users", function=upper, reads=["full_name"], writes="note", where="note IS NULL")'
        shop.revision("change", call, extra=COMPUTED)
        shop.apply()
        return users.rows("SELECT count(*) FROM users WHERE note IS DISTINCT FROM upper(full_name)")[0][0]

    return run


def test_backfill_10_a_row_that_is_deleted_before_its_batch_writes_is_no_error(meanwhile, users):
    assert meanwhile("DELETE FROM users WHERE id = 5") == 0
    assert users.rows("SELECT count(*) FROM users") == [(59,)]


def test_backfill_12_a_row_whose_key_changes_while_it_is_walked_is_not_left_behind(meanwhile, users):
    assert meanwhile("UPDATE users SET id = id - 1000 WHERE id = 5") == 0
    assert users.rows("SELECT note FROM users WHERE id = -995") == [("USER 5",)]


def test_backfill_14_a_writer_in_the_other_order_is_no_victim_of_a_deadlock(users, shop):
    shop.revision("change", RENAME)
    shop.apply("expand")
    with users.connect() as writer, ThreadPoolExecutor(1) as pool:
        writer.execute("BEGIN")
        writer.execute("UPDATE users SET full_name = 'held' WHERE id = 58")
        migrating = pool.submit(shop.apply, "migrate")
        wait_for(users, "query LIKE '%UPDATE ONLY%' AND wait_event_type = 'Lock'")
        writer.execute("UPDATE users SET full_name = 'other' WHERE id = 2")  # of the same stripe, before it
        writer.execute("COMMIT")
        migrating.result(60)
    assert users.rows(DIFFERENT) == [(0,)]
    assert users.rows("SELECT name FROM users WHERE id IN (2, 58) ORDER BY id") == [("other",), ("held",)]


@pytest.mark.parametrize(
    ("codes", "trouble"),
    [
        ("55P03", Trouble.LOCK_TIMEOUT),
        ("40P01 40001", Trouble.DEADLOCK),
        ("57P01 57P02 57P03 08000 08003 08006", Trouble.LOST),
        ("25006", Trouble.READ_ONLY),
        ("57014", Trouble.CANCELLED),
        ("53100 42703", Trouble.OTHER),
    ],
)
def test_backfill_15_what_passes_is_told_from_what_does_not(codes, trouble):
    assert {PostgreSQLFamily().trouble(code) for code in codes.split()} == {trouble}


class Line:
    """A line to a server that is cut once, when it is told to, as soon as the server has answered a COMMIT."""

    def __init__(self, database):
        self.port, self.database = free_port(), database
        self.armed = self.cut = self.cutting = False
        self.listening = socket.create_server(("127.0.0.1", self.port))
        self.target = database.url.rpartition("@")[2].partition("/")[0].split(":")

    @property
    def url(self):
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{self.database.name}"

    def serve(self):
        with suppress(OSError):
            while True:
                client, _ = self.listening.accept()
                server = socket.create_connection((self.target[0], int(self.target[1])))
                threading.Thread(target=self.there, args=(client, server), daemon=True).start()
                threading.Thread(target=self.back, args=(client, server), daemon=True).start()

    def there(self, client, server):
        with suppress(OSError):
            while said := client.recv(65536):
                committing = self.armed and said.startswith(b"Q") and b"COMMIT" in said
                if committing:
                    self.armed, self.cutting = False, True
                server.sendall(said)
        self.hang_up(client, server)

    def back(self, client, server):
        with suppress(OSError):
            while said := server.recv(65536):
                if self.cutting and b"COMMIT\0" in said:
                    self.cutting, self.cut = False, True
                    break
                client.sendall(said)
        self.hang_up(client, server)

    @staticmethod
    def hang_up(*ends):
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@contextmanager
def line_to(database):
    line = Line(database)
    threading.Thread(target=line.serve, daemon=True).start()
    try:
        yield line
    finally:
        line.listening.close()


def test_backfill_16_a_commit_whose_answer_is_lost_is_neither_repeated_nor_forgotten(users, shop):
    users.run(*LOG)
    shop.revision("change", 'Backfill("users", {"age": "age + 1000"}, where="age < 1000")')
    with line_to(users) as line:
        shop.url, shop.seen = line.url, once(lambda: setattr(line, "armed", True))
        with suppress(ConnectionFailed):
            shop.apply()
        assert line.cut
    shop.url = users.url
    shop.apply()
    assert users.rows(TWICE) == [(60, 60)]
    assert users.rows("SELECT count(*) FROM users WHERE age = id + 1000") == [(60,)]


def test_backfill_23_a_statement_timeout_of_the_application_cuts_no_batch_short(users, shop):
    users.run(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.01); RETURN NEW; END'",
        "CREATE TRIGGER a_slow BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION slow()",
        f'ALTER DATABASE "{users.name}" SET statement_timeout = 30',
    )
    shop.revision("change", 'Backfill("users", {"note": "full_name"}, where="note IS NULL")')
    shop.apply()
    assert users.rows("SELECT count(note) FROM users") == [(60,)]


def test_backfill_24_what_is_stored_apart_from_a_wide_row_is_not_written_again(database, shop):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, body text, full_name text)",
        "ALTER TABLE users ALTER body SET STORAGE EXTERNAL",
        "INSERT INTO users SELECT i, repeat(md5(i::text), 3000), 'user ' || i FROM generate_series(1, 40) i",
    )
    size = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = 'users'::regclass"
    before = database.rows(size)
    assert before[0][0] > 3_000_000
    shop.revision("change", RENAME)
    shop.apply()
    assert database.rows(DIFFERENT) == [(0,)]
    assert database.rows(size) == before


def test_backfill_25_a_trigger_that_notes_the_time_fires_for_a_backfill_and_the_plan_says_so(users, shop):
    users.run(
        "ALTER TABLE users ADD updated_at timestamptz DEFAULT '2020-01-01',"
        " ADD twice int GENERATED ALWAYS AS (age * 2) STORED",
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.updated_at = now(); RETURN NEW; END'",
        "CREATE TRIGGER touch BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    shop.revision("change", RENAME)
    warnings = "; ".join(api.plan(shop.settings).revisions[0].warnings)
    assert 'trigger "touch"' in warnings
    shop.apply()
    assert users.rows("SELECT count(*) FROM users WHERE updated_at > '2021-01-01' AND twice = age * 2") == [(60,)]


def test_backfill_28_unique_values_that_two_rows_exchange_are_those_written_last(users, shop):
    users.run("ALTER TABLE users ADD UNIQUE (age) DEFERRABLE INITIALLY DEFERRED")
    shop.revision("change", 'RenameColumn("users", "age", "years")')
    swap = "UPDATE users SET age = 3 - age WHERE id IN (1, 2)"
    shop.apply("expand")
    users.run(swap)
    shop.apply("migrate")
    users.run(swap, swap.replace("age", "years"))
    assert users.rows("SELECT age, years FROM users WHERE id < 3 ORDER BY id") == [(2, 2), (1, 1)]


def test_backfill_32_a_column_that_somebody_drops_while_it_is_filled_is_named(users, shop):
    shop.revision("change", RENAME)
    shop.apply("expand")
    shop.seen = once(lambda: users.run("ALTER TABLE users DROP COLUMN name CASCADE"))
    with pytest.raises(MigratorError, match='column "name" does not exist'):
        shop.apply("migrate")
    with pytest.raises(MigratorError, match="name"):
        shop.apply("migrate")
    assert users.rows("SELECT count(full_name) FROM users") == [(60,)]
