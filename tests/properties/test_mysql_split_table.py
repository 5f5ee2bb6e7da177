"""Whatever two versions write to one table or to two on MySQL and MariaDB: both shapes say what was written last."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from migrator.database import connect
from phases.backfill import Pacing
from phases.model import Fill, Phase
from phases.operations import SplitTable
from phases.performing import perform
from tests.plugins.mysql_servers import FAMILIES, fresh_mysql_database
from tests.properties.test_dual_write import Change, literal, run
from tests.properties.test_split_table import (
    EMPTY,
    EXAMPLES,
    KINDS,
    ROWS,
    Split,
    World,
    live_through,
    statements,
    words,
)

SHARED = ("delete", "rekey", "touch", "rekey and set", "unchecked delete", "unchecked rekey")
OLD = ("insert", "update", "update part", "update several", "upsert", "replace", *SHARED)
NEW = (
    "insert user",
    "insert both",
    "insert address",
    "selected address",
    "update address",
    "update part of address",
    "update several addresses",
    "upsert address",
    "replace address",
    "delete address",
    "move address",
    "move all addresses",
    "delete",
    "rekey",
    "touch",
)


@pytest.fixture(scope="module", params=[*zip(FAMILIES, KINDS, strict=True)], ids="-".join)
def session_and_kind(request, mysql_fleet):
    """The triggers are the same on both servers: each has a kind of column of its own."""
    family, kind = request.param
    with fresh_mysql_database(mysql_fleet, family) as database, connect(database.url, "test") as session:
        yield session, KINDS[kind]


class MySQLWorld(World):
    """Two tables, written to as on these servers; a trigger of the user's is refused there on a column that moves."""

    def __init__(self, session, kind, before):
        self.session, self.kind, self.trims = session, kind, False
        street = f"varchar(20) {'NOT NULL' if kind.required else 'NULL'}"
        run(
            session,
            "DROP TABLE IF EXISTS addresses",
            "DROP TABLE IF EXISTS users",
            f"CREATE TABLE users (id int PRIMARY KEY, street {street}, city varchar(20), writes int DEFAULT 0)",
        )
        self.expected = {}
        for row, (street, city) in enumerate(before, 1):
            if kind.allows(street, city):
                self.act("old", "insert", row, street, city, 0)

    def has(self, row):
        return bool(self.session.query(f"SELECT 1 FROM addresses WHERE user_id = {row}"))

    def drop_trigger(self):
        """There is none."""

    def act(self, version, action, row, street, city, other):
        allowed = self.kind.allows(street, city)
        if action == "unchecked delete" and row in self.expected:
            self.unchecked(f"DELETE FROM users WHERE id = {row}")
            del self.expected[row]
        elif action == "unchecked rekey" and row in self.expected and other not in self.expected:
            self.unchecked(f"UPDATE users SET id = {other} WHERE id = {row}")
            self.expected[other] = self.expected.pop(row)
        elif action == "rekey and set" and row in self.expected and other not in self.expected and allowed:
            sets = f"id = {other}, street = {literal(street)}, city = {literal(city)}"
            run(self.session, f"UPDATE users SET {sets} WHERE id = {row}")
            del self.expected[row]
            self.expected[other] = (street, city)
        else:
            super().act(version, action, row, street, city, other)

    def unchecked(self, statement):
        """A statement of a session that has turned foreign keys off, so that none cascades."""
        run(self.session, "SET SESSION foreign_key_checks = 0", statement, "SET SESSION foreign_key_checks = 1")

    def old(self, action, row, street, city, values, known, allowed):
        into = f"INTO users (id, street, city) VALUES ({row}, {values})"
        if action == "upsert" and allowed:
            update = f"street = {literal(street)}, city = {literal(city)}"
            run(self.session, f"INSERT {into} ON DUPLICATE KEY UPDATE {update}")
        elif action == "replace" and allowed:
            run(self.session, f"REPLACE {into}")
        elif action == "update several" and known:
            rows = [r for r in self.expected if r <= row and self.kind.allows(self.expected[r][0], city)]
            listed = ", ".join(map(str, rows or [0]))
            run(self.session, f"UPDATE users SET city = {literal(city)}, writes = 1 WHERE id IN ({listed})")
            self.expected |= {r: (self.expected[r][0], city) for r in rows}
            return
        elif action in ("insert", "update", "update part"):
            super().old(action, row, street, city, values, known, allowed)
            return
        else:
            return
        self.note(row, street, city)

    def new(self, action, row, street, city, values, known, allowed, other):
        into = f"INTO addresses (user_id, street, city) VALUES ({row}, {values})"
        if action == "insert both" and not known and allowed:
            run(self.session, f"INSERT INTO users (id) VALUES ({row})", f"INSERT {into}")
        elif action == "selected address" and known and allowed and not self.has(row):
            values = f"{literal(city)}, {row}, {literal(street)}"
            run(self.session, f"INSERT INTO addresses (city, user_id, street) SELECT {values}")
        elif action == "upsert address" and known and allowed:
            update = f"street = {literal(street)}, city = {literal(city)}"
            run(self.session, f"INSERT {into} ON DUPLICATE KEY UPDATE {update}")
        elif action == "replace address" and known and allowed:
            run(self.session, f"REPLACE {into}")
        elif action == "update several addresses":
            there = [r for (r,) in self.session.query(f"SELECT user_id FROM addresses WHERE user_id <= {row}")]
            run(self.session, f"UPDATE addresses SET city = {literal(city)} WHERE user_id <= {row}")
            self.expected |= {r: (self.expected[r][0], city) for r in there}
            return
        elif action == "move all addresses":
            self.move_all()
            return
        else:
            super().new(action, row, street, city, values, known, allowed, other)
            return
        self.note(row, street, city)

    def move_all(self):
        """Give each address to the next user, the last one to a user made for it."""
        first, last = min(self.expected, default=0), max(self.expected, default=0)
        if not 0 < last - first + 1 == len(self.expected) <= ROWS:
            return
        run(
            self.session,
            f"INSERT INTO users (id) VALUES ({last + 1})",
            "UPDATE addresses SET user_id = user_id + 1 ORDER BY user_id DESC",
        )
        moved = {row + 1: values for row, values in self.expected.items()}
        self.expected = {first: EMPTY, **moved}


class MySQLSplit(Split):
    """The change in progress, its backfill two rows first."""

    def __init__(self, session):
        Change.__init__(
            self, session, SplitTable("users", ["street", "city"], to="addresses", key="user_id", optional=True)
        )
        fill = next(step for step in self.steps[Phase.MIGRATE] if isinstance(step, Fill))
        self.backfill = perform(fill, None, session.server, Pacing(first_rows=2))


@given(
    before=st.lists(st.tuples(words, words), max_size=ROWS),
    migrating=st.lists(statements("old", OLD), max_size=10),
    overlap=st.lists(st.one_of(statements("old", OLD), statements("new", NEW)), max_size=25),
    contracted=st.lists(statements("new", NEW), max_size=8),
    restoring=st.lists(statements("new", NEW), max_size=8),
)
@example(
    before=[("a", "A")] * (ROWS - 1) + [EMPTY],
    migrating=[("old", "update", 2, "b", None, 1)],
    overlap=[
        ("old", "update", 6, "b", "b", 1),
        ("new", "move all addresses", 1, None, None, 1),
        ("old", "update several", 4, None, "A", 1),
        ("old", "unchecked rekey", 2, None, None, 13),
        ("old", "unchecked delete", 3, None, None, 1),
        ("old", "update", 1, "", "a", 1),
    ],
    contracted=[("new", "delete address", 4, None, None, 1), ("new", "update address", 3, "b", "b", 1)],
    restoring=[("new", "rekey", 3, None, None, 14), ("new", "replace address", 5, "b ", None, 1)],
)
@EXAMPLES
def test_both_shapes_say_what_was_written_last(session_and_kind, before, migrating, overlap, contracted, restoring):
    session, kind = session_and_kind
    world = MySQLWorld(session, kind, before)
    change = MySQLSplit(session)
    for action in migrating:
        world.act(*action)
        change.batch()
        world.check_old()
    change.finish()
    change.verify()
    live_through(world, change, overlap, contracted, restoring, world.check_new)
