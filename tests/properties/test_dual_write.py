"""Whatever two versions write while a change moves on: both columns have what was written last."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.database import connect
from migrator.errors import DatabaseError
from migrator.introspection import read_catalog, volatility_reader
from migrator.planning import dialect_for, steps_of
from phases.backfill import Pacing
from phases.effects import Batch, Batched, Commit, Look, Looked, Mark, Progress, Query
from phases.model import Fill, Phase, Transaction
from phases.operations import AddColumn, RenameColumn
from phases.performing import perform
from tests.plugins.servers import fresh_database, missing, versions

ROWS = 12
COLLATION = "CREATE COLLATION \"und-ci\" (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
DEFAULT = "dflt"
EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Kind:
    """How the old column is declared, and whether NULL may be written to it."""

    declaration: str
    nullable: bool
    default: bool


KINDS = {
    "nullable": Kind("text", True, False),
    "nullable with a default": Kind(f"text DEFAULT '{DEFAULT}'", True, True),
    "required with a default": Kind(f"text NOT NULL DEFAULT '{DEFAULT}'", False, True),
    "required": Kind("text NOT NULL", False, False),
    "collated, equal but not the same": Kind('text COLLATE "und-ci" NOT NULL', False, False),
}
WRITERS = ("old", "new")


@pytest.fixture(scope="module", params=versions() or [None], ids=lambda major: f"pg{major}" if major else "pg")
def session(request, fleet):
    if request.param is None:
        missing("no PostgreSQL server")
    with fresh_database(fleet.server(request.param)) as database, connect(database.url, "test") as opened:
        # Not every build has ICU; without it the kind that needs it is left out.
        with suppress(DatabaseError):
            opened.alone(COLLATION)
        yield opened


def run(session, *statements):
    with session.transaction():
        for statement in statements:
            session.execute(statement)


class Change:
    """A change in progress: expanded, and backfilled one batch at a time."""

    def __init__(self, session, operation):
        self.session = session
        with session.transaction() as connection:
            catalog = read_catalog(connection)
            dialect = dialect_for(session.server, volatility_reader(connection))
            steps, _ = steps_of([operation], catalog, dialect)
        self.steps = {phase: [step for of, step in steps if of is phase] for phase in Phase}
        for step in self.steps[Phase.EXPAND]:
            assert isinstance(step, Transaction)
            run(session, *step.statements)
        fill = next(step for step in self.steps[Phase.MIGRATE] if isinstance(step, Fill))
        self.backfill = perform(fill, None, session.server, Pacing(first_window=1, largest_window=1, stripes=4))
        self.answer = None
        self.over = False

    def batch(self):
        """One more batch, if any is left."""
        while not self.over:
            try:
                effect = self.backfill.send(self.answer)
            except StopIteration:
                self.over = True
                return
            self.answer = self.answered(effect)
            if isinstance(effect, Batch):
                return

    def answered(self, effect):
        if isinstance(effect, Query):
            return self.session.query(effect.sql)
        if isinstance(effect, Batch):
            with self.session.transaction():
                return Batched(self.session.execute(effect.sql), 0.001)
        if isinstance(effect, Look):
            return Looked(self.session.query(effect.sql)[0], 0.001)
        assert isinstance(effect, Commit | Mark | Progress)
        return None

    def finish(self):
        while not self.over:
            self.batch()


def literal(value):
    return "NULL" if value is None else "'" + value + "'"


values = st.sampled_from(["a", "A", "b", "a ", DEFAULT, "", None])
actions = st.lists(
    st.one_of(
        st.tuples(st.just("insert"), st.sampled_from(WRITERS), values),
        st.tuples(st.just("insert nothing"), st.sampled_from(WRITERS), st.none()),
        st.tuples(st.just("update"), st.sampled_from(WRITERS), values, st.integers(1, ROWS + 3)),
        st.tuples(st.just("upsert"), st.sampled_from(WRITERS), values, st.integers(1, ROWS + 3)),
        st.tuples(st.just("touch"), st.sampled_from(WRITERS), st.none(), st.integers(1, ROWS + 3)),
        st.tuples(st.just("delete"), st.sampled_from(WRITERS), st.none(), st.integers(1, ROWS + 3)),
        st.tuples(st.just("backfill"), st.none(), st.none()),
    ),
    max_size=25,
)


class World:
    """The table, and beside it a dictionary that says what was written last."""

    def __init__(self, session, kind, before):
        self.session, self.kind = session, kind
        run(session, "DROP TABLE IF EXISTS things")
        left = session.query("SELECT proname FROM pg_proc WHERE starts_with(proname::text, '_migrator_')")
        run(session, *(f'DROP FUNCTION "{name}"' for (name,) in left))
        # Two rows fill a page, so a row that is written moves away, as rows do in a table that is in use.
        run(
            session,
            f"CREATE TABLE things (id int PRIMARY KEY, old {kind.declaration}, other int,"
            " wide text DEFAULT repeat('x', 3500))",
            "ALTER TABLE things ALTER COLUMN wide SET STORAGE PLAIN",
        )
        self.expected = {}
        for row, value in enumerate(before, 1):
            if value is not None or kind.nullable:
                run(session, f"INSERT INTO things (id, old) VALUES ({row}, {literal(value)})")
                self.expected[row] = value
        self.next = len(before) + 1

    def act(self, action, writer, value, row=0):
        if value is None and not self.kind.nullable and action in ("insert", "update", "upsert"):
            return
        if action == "insert":
            self.insert(writer, self.next, value)
        elif action == "insert nothing" and (self.kind.default or self.kind.nullable):
            run(self.session, f"INSERT INTO things (id) VALUES ({self.next})")
            self.expected[self.next] = DEFAULT if self.kind.default else None
            self.next += 1
        elif action == "upsert" and row not in self.expected:
            return
        elif action == "upsert":
            sql = f"INSERT INTO things (id, {writer}) VALUES ({row}, {literal(value)})"
            run(self.session, f"{sql} ON CONFLICT (id) DO UPDATE SET {writer} = EXCLUDED.{writer}")
            self.expected[row] = value
        elif row in self.expected and action == "update":
            run(self.session, f"UPDATE things SET {writer} = {literal(value)} WHERE id = {row}")
            self.expected[row] = value
        elif row in self.expected and action == "touch":
            run(self.session, f"UPDATE things SET other = coalesce(other, 0) + 1 WHERE id = {row}")
        elif row in self.expected and action == "delete":
            run(self.session, f"DELETE FROM things WHERE id = {row}")
            del self.expected[row]

    def insert(self, writer, row, value):
        run(self.session, f"INSERT INTO things (id, {writer}) VALUES ({row}, {literal(value)})")
        self.expected[row] = value
        self.next += 1

    def column(self, name):
        return dict(self.session.query(f"SELECT id, {name} FROM things"))


@pytest.mark.parametrize("name", KINDS)
@given(before=st.lists(values, max_size=ROWS), written=actions)
@EXAMPLES
def test_old_and_new_are_what_was_written_last(session, name, before, written):
    if "und-ci" in KINDS[name].declaration and not session.query(
        "SELECT 1 FROM pg_collation WHERE collname = 'und-ci'"
    ):
        pytest.skip("this server was built without ICU")
    world = World(session, KINDS[name], before)
    change = Change(session, RenameColumn("things", "old", "new"))
    for action, writer, value, *row in written:
        if action == "backfill":
            change.batch()
        else:
            world.act(action, writer, value, *row)
        assert world.column("old") == world.expected
    change.finish()
    assert world.column("old") == world.expected
    assert world.column("new") == world.expected


@given(before=st.lists(values, max_size=ROWS), written=actions)
@EXAMPLES
def test_a_filled_column_never_stays_empty(session, before, written):
    """AddColumn with fill=: whatever is written, every row ends with a value, and one that was given stays."""
    world = World(session, KINDS["nullable"], before)
    change = Change(session, AddColumn("things", "new", "text", nullable=False, fill="coalesce(old, 'none')"))
    given_values = {}
    for action, writer, value, *row in written:
        if action == "backfill":
            change.batch()
        elif writer == "new" and action == "update" and value is not None and row[0] in world.expected:
            run(session, f"UPDATE things SET new = {literal(value)} WHERE id = {row[0]}")
            given_values[row[0]] = value
        elif writer == "old":
            world.act(action, "old", value, *row)
    change.finish()
    assert world.column("old") == world.expected
    new = world.column("new")
    assert None not in new.values()
    assert {row: new[row] for row in given_values if row in new} == {r: v for r, v in given_values.items() if r in new}


def test_a_fill_finds_its_functions_whatever_the_writers_search_path_is(session):
    world = World(session, KINDS["nullable"], ["a"])
    run(session, "CREATE OR REPLACE FUNCTION shout(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)'")
    change = Change(session, AddColumn("things", "new", "text", nullable=False, fill="shout(old)"))
    with session.transaction():
        session.execute("SET LOCAL search_path = pg_catalog")
        session.execute("INSERT INTO public.things (id, old) VALUES (2, 'b')")
    change.finish()
    assert world.column("new") == {1: "A", 2: "B"}


def test_cascades_of_foreign_keys_go_through_the_triggers(session):
    left = session.query("SELECT proname FROM pg_proc WHERE starts_with(proname::text, '_migrator_')")
    run(session, "DROP TABLE IF EXISTS things, parents", *(f'DROP FUNCTION "{name}"' for (name,) in left))
    run(
        session,
        "CREATE TABLE parents (id int PRIMARY KEY)",
        "INSERT INTO parents SELECT generate_series(1, 6)",
        "CREATE TABLE things (id int PRIMARY KEY,"
        " old int REFERENCES parents ON DELETE SET NULL ON UPDATE CASCADE, other int)",
        "INSERT INTO things SELECT i, i FROM generate_series(1, 6) i",
    )
    change = Change(session, RenameColumn("things", "old", "new"))
    run(session, "DELETE FROM parents WHERE id = 1", "UPDATE parents SET id = 22 WHERE id = 2")
    change.finish()
    for step in change.steps[Phase.MIGRATE]:
        if isinstance(step, Transaction):
            run(session, *step.statements)
    run(session, "DELETE FROM parents WHERE id = 3", "UPDATE parents SET id = 44 WHERE id = 4")
    expected = {1: None, 2: 22, 3: None, 4: 44, 5: 5, 6: 6}
    assert dict(session.query("SELECT id, old FROM things")) == expected
    assert dict(session.query("SELECT id, new FROM things")) == expected


@pytest.mark.parametrize("signal", WRITERS)
def test_the_session_signal_decides_when_both_sides_are_written(session, signal):
    world = World(session, KINDS["required"], ["a"])
    Change(session, RenameColumn("things", "old", "new"))
    with session.transaction():
        session.execute(f"SET LOCAL migrator.writes = '{signal}'")
        session.execute("UPDATE things SET old = 'by old', new = 'by new' WHERE id = 1")
        session.execute("INSERT INTO things (id, old, new) VALUES (50, 'by old', 'by new')")
    assert world.column("old") == world.column("new") == {1: f"by {signal}", 50: f"by {signal}"}
