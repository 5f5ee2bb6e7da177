"""Whatever two versions write to one table or to two: both shapes say the same, and what was written last."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from migrator.database import connect
from phases.backfill import Pacing
from phases.model import Phase, Transaction, Verify
from phases.operations import SplitTable
from phases.performing import perform
from tests.plugins.servers import fresh_database, missing, versions
from tests.properties.test_dual_write import Change, literal, run

EXAMPLES = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
ROWS = 6
PACING = Pacing(first_window=1, largest_window=1, stripes=1)
EMPTY = (None, None)

COUNTED = """BEGIN
  IF pg_trigger_depth() = 1 THEN UPDATE users SET writes = writes + 1 WHERE id = NEW.id; END IF;
  RETURN NULL; END"""
TRIGGERS = (
    "CREATE OR REPLACE FUNCTION trimmed() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN NEW.city := rtrim(NEW.city); RETURN NEW; END'",
    "CREATE TRIGGER trimmed BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION trimmed()",
    f"CREATE OR REPLACE FUNCTION counted() RETURNS trigger LANGUAGE plpgsql AS '{COUNTED}'",
    "CREATE TRIGGER counted AFTER UPDATE ON users FOR EACH ROW EXECUTE FUNCTION counted()",
)
"""Triggers of the user's that change what is written, and write to the row once more."""


@dataclass(frozen=True)
class Kind:
    """Whether the first of the columns that move demands a value."""

    required: bool

    @property
    def declaration(self):
        return "text NOT NULL" if self.required else "text"

    def allows(self, street, city):
        return not self.required or street is not None


KINDS = {"nullable": Kind(False), "required": Kind(True)}

numbers = st.integers(1, ROWS + 2)
words = st.sampled_from(["a", "A", "b ", "", None])
OLD = ("insert", "update", "update part", "upsert", "delete", "truncate", "rekey", "touch")
NEW = (
    "insert user",
    "insert both",
    "insert both at once",
    "insert address",
    "update address",
    "update part of address",
    "upsert address",
    "delete address",
    "move address",
    "truncate addresses",
    "delete",
    "rekey",
    "touch",
)


def statements(version, names):
    return st.tuples(st.just(version), st.sampled_from(names), numbers, words, words, st.integers(1, ROWS + 9))


@pytest.fixture(scope="module")
def session(fleet):
    if not versions():
        missing("no PostgreSQL server")
    with fresh_database(fleet.server(versions()[0])) as database, connect(database.url, "test") as opened:
        yield opened


class World:
    """Two tables, and beside them a dictionary that says what each user's address is."""

    def __init__(self, session, kind, before):
        self.session, self.kind, self.trims = session, kind, True
        run(session, "DROP TABLE IF EXISTS addresses, users")
        left = session.query("SELECT proname FROM pg_proc WHERE starts_with(proname::text, '_migrator_')")
        run(session, *(f'DROP FUNCTION "{name}"' for (name,) in left))
        run(
            session,
            f"CREATE TABLE users (id int PRIMARY KEY, street {kind.declaration}, city text,"
            " writes int DEFAULT 0, wide text DEFAULT repeat('x', 3500))",
            "ALTER TABLE users ALTER COLUMN wide SET STORAGE PLAIN",
            *TRIGGERS,
        )
        self.expected = {}
        for row, (street, city) in enumerate(before, 1):
            if kind.allows(street, city):
                self.act("old", "insert", row, street, city, 0)

    def has(self, row):
        """What an application asks before it inserts."""
        return bool(self.session.query(f"SELECT FROM addresses WHERE user_id = {row}"))

    def act(self, version, action, row, street, city, other):
        known, values = row in self.expected, f"{literal(street)}, {literal(city)}"
        allowed = self.kind.allows(street, city)
        if version == "old":
            self.old(action, row, street, city, values, known, allowed)
        else:
            self.new(action, row, street, city, values, known, allowed, other)
        if action == "rekey" and known and other not in self.expected:
            run(self.session, f"UPDATE users SET id = {other} WHERE id = {row}")
            self.expected[other] = self.expected.pop(row)
        elif action == "delete" and known:
            run(self.session, f"DELETE FROM users WHERE id = {row}")
            del self.expected[row]
        elif action == "touch":
            run(self.session, f"UPDATE users SET writes = -1 WHERE id = {row}")

    def old(self, action, row, street, city, values, known, allowed):
        insert = f"INSERT INTO users (id, street, city) VALUES ({row}, {values})"
        if action == "insert" and not known and allowed:
            run(self.session, insert)
        elif action == "upsert" and allowed:
            run(self.session, f"{insert} ON CONFLICT (id) DO UPDATE SET street = EXCLUDED.street, city = EXCLUDED.city")
        elif action == "update" and known and allowed:
            run(self.session, f"UPDATE users SET street = {literal(street)}, city = {literal(city)} WHERE id = {row}")
        elif action == "update part" and known and self.kind.allows(self.expected[row][0], city):
            street = self.expected[row][0]
            run(self.session, f"UPDATE users SET city = {literal(city)} WHERE id = {row}")
        elif action == "truncate" and len(self.expected) > ROWS:
            run(self.session, "TRUNCATE users")
            self.expected.clear()
            return
        else:
            return
        self.note(row, street, city)

    def note(self, row, street, city):
        self.expected[row] = (street, city.rstrip() if city and self.trims else city)

    def new(self, action, row, street, city, values, known, allowed, other):
        user, address = f"INSERT INTO users (id) VALUES ({row})", f"INSERT INTO addresses VALUES ({row}, {values})"
        if action == "insert user" and not known:
            run(self.session, user)
            street, city = EMPTY
        elif action == "insert both" and not known and allowed:
            run(self.session, user, f"{address} RETURNING street")
        elif action == "insert both at once" and not known and allowed:
            both = f"INSERT INTO addresses SELECT id, {literal(street)}, {literal(city)} FROM made"
            run(self.session, f"WITH made AS ({user} RETURNING id) {both}")
        elif action == "insert address" and known and allowed and not self.has(row):
            run(self.session, address)
        elif action == "upsert address" and known and allowed:
            update = "street = EXCLUDED.street, city = EXCLUDED.city"
            run(self.session, f"{address} ON CONFLICT (user_id) DO UPDATE SET {update}")
        elif action in ("update address", "update part of address") and known and allowed and self.has(row):
            sets = [f"city = {literal(city)}"]
            sets += [f"street = {literal(street)}"] if action == "update address" else []
            street = street if action == "update address" else self.expected[row][0]
            run(self.session, f"UPDATE addresses SET {', '.join(sets)} WHERE user_id = {row}")
        elif action == "delete address" and known:
            run(self.session, f"DELETE FROM addresses WHERE user_id = {row}")
            street, city = EMPTY
        elif action == "move address" and known and other in self.expected and other != row and self.has(row):
            run(self.session, f"DELETE FROM addresses WHERE user_id = {other}")
            run(self.session, f"UPDATE addresses SET user_id = {other} WHERE user_id = {row}")
            self.expected[other], (street, city) = self.expected[row], EMPTY
        elif action == "truncate addresses" and len(self.expected) > ROWS:
            run(self.session, "TRUNCATE addresses")
            self.expected = dict.fromkeys(self.expected, EMPTY)
            return
        else:
            return
        self.note(row, street, city)

    def drop_trigger(self):
        """Before a contract, drop the trigger that reads a column that moves."""
        run(self.session, "DROP TRIGGER trimmed ON users")
        self.trims = False

    def check_old(self):
        assert {r: (s, c) for r, s, c in self.session.query("SELECT id, street, city FROM users")} == self.expected

    def check_new(self):
        rows = {r: (s, c) for r, s, c in self.session.query("SELECT user_id, street, city FROM addresses")}
        assert set(rows) <= set(self.expected)
        assert {**dict.fromkeys(self.expected, EMPTY), **rows} == self.expected


class Split(Change):
    """The change in progress, up to its contract and back."""

    def __init__(self, session):
        super().__init__(session, SplitTable("users", ["street", "city"], to="addresses", key="user_id", optional=True))

    def perform(self, step):
        """Carry out a step; yields after each batch of a backfill."""
        if isinstance(step, Transaction):
            run(self.session, *step.statements)
            return
        self.backfill, self.answer, self.over = perform(step, None, self.session.server, PACING), None, False
        while not self.over:
            self.batch()
            yield

    def verify(self):
        for step in self.steps[Phase.MIGRATE]:
            if isinstance(step, Verify):
                list(self.perform(step))


def live_through(world, change, overlap, contracted, restoring, check):
    """Both versions, the contract, and back from it; `check` is of the shape that is left after the contract."""
    for action in overlap:
        world.act(*action)
        world.check_old()
        world.check_new()
    change.verify()
    world.drop_trigger()
    after = iter(contracted)
    for step in change.steps[Phase.CONTRACT]:
        run(change.session, *step.statements)
        if action := next(after, None):
            world.act(*action)
            check()
    for action in after:
        world.act(*action)
        check()
    later = iter(restoring)
    for undone in reversed(change.steps[Phase.CONTRACT]):
        for step in undone.undo:
            for _ in change.perform(step):
                if action := next(later, None):
                    world.act(*action)
    world.check_old()
    world.check_new()


@pytest.mark.parametrize("name", KINDS)
@given(
    before=st.lists(st.tuples(words, words), max_size=ROWS),
    migrating=st.lists(statements("old", OLD), max_size=10),
    overlap=st.lists(st.one_of(statements("old", OLD), statements("new", NEW)), max_size=25),
    contracted=st.lists(statements("new", NEW), max_size=8),
    restoring=st.lists(statements("new", NEW), max_size=8),
)
@example(
    before=[("a", "A")] * ROWS,
    migrating=[],
    overlap=[],
    contracted=[*[("new", "touch", 3, None, None, 1)] * 3, ("new", "update address", 3, "b", "b", 1)],
    restoring=[("new", "touch", 3, None, None, 1)] * 8,
)
@EXAMPLES
def test_both_shapes_say_what_was_written_last(session, name, before, migrating, overlap, contracted, restoring):
    world = World(session, KINDS[name], before)
    change = Split(session)
    for action in migrating:
        world.act(*action)
        change.batch()
        world.check_old()
    change.finish()
    change.verify()
    live_through(world, change, overlap, contracted, restoring, world.check_new)
