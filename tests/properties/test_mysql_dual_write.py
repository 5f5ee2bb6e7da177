"""Whatever two versions write on MariaDB while columns are made of each other: each side has what was written last."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.database import connect
from migrator.errors import DatabaseError
from migrator.introspection import read_catalog
from migrator.planning import dialect_for, steps_of
from phases.backfill import Pacing
from phases.effects import Batch, Batched, Failure, Query, RowAside, SetAside
from phases.errors import Unchanged
from phases.model import Fill, Phase, Verify
from phases.operations import Column, TransformColumns
from phases.performing import perform
from tests.plugins.mysql_servers import fresh_mysql_database

ROWS = 6
CHANGE = TransformColumns(
    "things", "old", Column("new", "int"), up={"new": "old + 0"}, down={"old": "concat(new, '')"}, lossy=True
)
EXAMPLES = settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
WIDE = "4" * 12
"""More than the new column holds."""


@pytest.fixture(scope="module")
def session(mysql_fleet):
    with fresh_mysql_database(mysql_fleet, "mariadb") as database, connect(database.url, "test") as opened:
        yield opened


def run(session, *statements):
    for statement in statements:
        session.alone(statement)


def literal(value):
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


def as_number(text):
    return int(text) if text and text.isdigit() and text != WIDE else None


class World:
    """The table in a change, and what each side of every row must have."""

    def __init__(self, session, before):
        self.session = session
        run(session, "DROP TABLE IF EXISTS things")
        run(session, "CREATE TABLE things (id int PRIMARY KEY, old varchar(20), other int NOT NULL DEFAULT 0)")
        self.rows = {row: (value, as_number(value)) for row, value in enumerate(before, 1)}
        for row, value in enumerate(before, 1):
            run(session, f"INSERT INTO things (id, old) VALUES ({row}, {literal(value)})")
        with session.transaction() as connection:
            catalog = read_catalog(connection)
        steps, _ = steps_of([CHANGE], catalog, dialect_for(session.server, lambda _: "volatile"))
        self.steps = [(phase, step) for phase, step in steps]
        for phase, step in self.steps:
            if phase is Phase.EXPAND:
                run(session, *step.statements)
        fill = next(step for _, step in self.steps if isinstance(step, Fill))
        self.backfill = perform(fill, None, session.server, Pacing(first_rows=2))
        self.answer, self.over, self.aside = None, False, []

    def batch(self):
        """One more batch, if any is left."""
        while not self.over:
            try:
                effect = self.backfill.send(self.answer)
            except (StopIteration, Unchanged):
                self.over = True
                return
            self.answer = self.answered(effect)
            if isinstance(effect, Batch):
                return

    def answered(self, effect):
        if isinstance(effect, Query):
            return self.session.query(effect.sql)
        if isinstance(effect, Batch):
            try:
                with self.session.transaction():
                    return Batched(self.session.execute(effect.sql), 0.001)
            except DatabaseError as problem:
                return Batched(0, 0.001, failure=Failure(problem.facts["sqlstate"], problem.message))
        if isinstance(effect, SetAside):
            self.aside += [RowAside(tuple(row), effect.failure) for row in self.session.query(effect.sql)]
            return len(self.aside)
        return list(self.aside)

    def write(self, action, writer, value, row):
        if action == "insert" and row not in self.rows:
            run(self.session, f"INSERT INTO things (id, {writer}) VALUES ({row}, {literal(value)})")
        elif action == "upsert" or (action == "update" and row in self.rows):
            # Who writes NULL to a row that is not filled yet can say so.
            run(self.session, f"SET @migrator_writes = '{writer if value is None else ''}'")
            sql = f"INSERT INTO things (id, {writer}) VALUES ({row}, {literal(value)})"
            run(self.session, f"{sql} ON DUPLICATE KEY UPDATE {writer} = VALUES({writer})")
            run(self.session, "SET @migrator_writes = NULL")
        else:
            return
        text = literal(value).strip("'")
        new = (None if value is None else text, value)
        self.rows[row] = (value, as_number(value)) if writer == "old" else new

    def act(self, action, writer, value, row):
        if action == "backfill":
            self.batch()
        elif action == "touch":
            run(self.session, f"UPDATE things SET other = other + 1 WHERE id = {row}")
        else:
            self.write(action, writer, value, row)

    def found(self):
        return {row: (old, new) for row, old, new in self.session.query("SELECT id, old, new FROM things")}


olds = st.sampled_from(["1", "2", "x", WIDE, None])
news = st.sampled_from([1, 2, None])
rows = st.integers(1, ROWS + 2)
verbs = st.sampled_from(["insert", "update", "upsert"])
actions = st.lists(
    st.one_of(
        st.tuples(verbs, st.just("old"), olds, rows),
        st.tuples(verbs, st.just("new"), news, rows),
        st.tuples(st.sampled_from(["touch", "backfill"]), st.just("old"), st.none(), rows),
    ),
    max_size=20,
)


@given(before=st.lists(olds, max_size=ROWS), written=actions)
@EXAMPLES
def test_each_side_is_made_of_what_was_written_last(session, before, written):
    """No statement fails; what the other side cannot hold is NULL there, and verification finds just these rows."""
    world = World(session, before)
    for action in written:
        world.act(*action)
        assert {row: old for row, (old, _) in world.found().items()} == {r: old for r, (old, _) in world.rows.items()}
    while not world.over:
        world.batch()
    assert world.found() == world.rows
    lost = {row for row, (old, new) in world.rows.items() if old is not None and new is None}
    verify = next(step for _, step in world.steps if isinstance(step, Verify))
    assert {row for (row,) in session.query(f"SELECT id FROM things WHERE {verify.mismatch}")} == lost
