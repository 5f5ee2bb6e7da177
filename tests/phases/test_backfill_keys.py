"""A backfill along whole numbers: every row once and in order, in batches of no more rows than were wanted."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from phases.backfill import Pacing, perform_fill
from phases.catalog import Server
from phases.effects import Batch, Batched, Commit, Query
from phases.model import Fill, TableName

STEP = Fill(name="f", table=TableName("shop", "t"), target="t.n", assignments='"n" = 1', pending="TRUE", key=('#"k"',))
BOUND = re.compile(r'"k" (>|<=|<) (-?\d+)')
OFFSET = re.compile(r"LIMIT (\d+), 1")


class Table:
    """Rows by their keys; `filled` are those that a batch has nothing to do for."""

    def __init__(self, keys, filled=(), stop_after=None):
        self.keys, self.filled, self.stop_after = sorted(keys), set(filled), stop_after
        self.done, self.sizes, self.asked, self.cursor = [], [], 0, None

    def walk(self, pacing):
        steps, answer = perform_fill(STEP, self.cursor, Server("mariadb", (10, 11)), pacing), None
        try:
            while self.stop_after is None or len(self.sizes) < self.stop_after:
                answer = self.answer(steps.send(answer))
        except StopIteration:
            return

    def inside(self, sql):
        found = self.keys
        for operator, text in BOUND.findall(sql):
            value = int(text)
            found = [k for k in found if (k > value if operator == ">" else k < value + (operator == "<="))]
        return found

    def answer(self, effect):
        match effect:
            case Query() if "information_schema" in effect.sql:
                return [(len(self.keys),)]
            case Query() if "DESC" in effect.sql:
                return [(str(key),) for key in self.keys[-1:]]
            case Query():
                self.asked += 1
                offset = int(OFFSET.search(effect.sql)[1])
                return [(str(key),) for key in self.inside(effect.sql)[offset : offset + 1]]
            case Batch():
                rows = self.inside(effect.sql)
                self.done += rows
                self.sizes.append(len(rows))
                self.cursor = effect.cursor
                return Batched(len(set(rows) - self.filled), 0.1)
            case Commit():
                return None
        return None


keys = st.sets(st.one_of(st.integers(-40, 200), st.integers(-(10**12), 10**12)), max_size=150)
PACING = Pacing(target_seconds=0.1, first_rows=9)


@given(keys, st.sets(st.integers(0, 150)), st.integers(1, 30))
def test_every_row_once_wherever_it_stops(keys, filled, stop_after):
    table = Table(keys, [sorted(keys)[place] for place in filled if place < len(keys)], stop_after)
    table.walk(PACING)
    table.stop_after = None
    table.walk(PACING)
    assert table.done == sorted(keys)
    assert max(table.sizes, default=0) <= 2 * PACING.first_rows  # a batch may grow, and ends with the key that is last


def test_where_keys_are_dense_nobody_is_asked_where_a_batch_ends():
    table = Table(range(1, 901))
    table.walk(PACING)
    assert len(table.sizes) == 100
    assert table.asked <= 3


def test_a_gap_of_keys_costs_one_batch():
    table = Table([*range(1, 300), *range(10**9, 10**9 + 300)])
    table.walk(PACING)
    assert len(table.sizes) <= 72
    assert table.sizes.count(0) <= 1
