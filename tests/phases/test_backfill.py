"""A backfill driven by a list: every page and stripe once, from wherever it stopped."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.backfill import Pacing, perform_fill
from phases.catalog import Server
from phases.effects import Batch, Batched, Commit, Pause, Progress, Query
from phases.errors import Held as RowsHeld
from phases.errors import Refused
from phases.model import Fill, TableName

STEP = Fill(
    name="backfill", table=TableName("public", "t"), target="t.b", assignments='"b" = "a"', pending="x", stripe='"id"'
)
TID = re.compile(r"ctid >= '\((\d+),0\)'::tid AND ctid < '\((\d+),0\)'::tid(?: AND \(\"id\" & (\d+)\) = (\d+))?")


class Table:
    """Answers a walk: how many pages there are, how long a batch takes, and which rows are held."""

    def __init__(self, pages, seconds, held=(), stop_after=None):
        self.pages, self.seconds, self.held = pages, list(seconds), list(held)
        self.seen, self.cursor, self.stop_after = [], None, stop_after
        self.finished = False

    def walk(self, pacing, version=(18, 0), step=STEP):
        steps = perform_fill(step, self.cursor, Server("postgresql", version), pacing)
        answer = None
        try:
            while True:
                answer = self.answer(steps.send(answer))
                if self.stop_after is not None and len(self.seen) >= self.stop_after:
                    return
        except StopIteration:
            return

    def answer(self, effect):
        match effect:
            case Query():
                return [(self.pages,)]
            case Batch():
                blocked = self.held.pop() if self.held else False
                if blocked:
                    return Batched(0, 0.1, blocked=True)
                self.seen.append(effect.sql)
                self.cursor = effect.cursor
                return Batched(1, self.seconds.pop() if self.seconds else 0.05)
            case Commit():
                self.finished = effect.finishes
        assert isinstance(effect, Query | Batch | Commit | Pause | Progress)
        return None

    def covered(self):
        found = []
        for sql in self.seen:
            first, last, _, stripe = TID.search(sql).groups()
            found += [(page, int(stripe or 0)) for page in range(int(first), int(last))]
        return found


pacings = st.builds(
    lambda stripes, window: Pacing(stripes=stripes, first_window=window, smallest_window=1, largest_window=64),
    st.sampled_from([2, 4, 8]),
    st.integers(1, 64),
)


def test_a_batch_of_rows_that_are_only_copied_begins_with_no_more_of_them():
    """They are taken in one pass, so a window of as many pages would be as many times the rows."""
    copied = replace(STEP, copy=("INSERT INTO u SELECT a", "ON CONFLICT DO NOTHING"))
    table = Table(64, [])
    table.walk(Pacing(stripes=8, first_window=32), step=copied)
    assert TID.search(table.seen[0]).groups()[:2] == ("0", "4")


@given(st.integers(0, 200), pacings, st.lists(st.floats(0.001, 2.0), max_size=50), st.lists(st.booleans(), max_size=40))
def test_every_page_and_stripe_once_whatever_is_slow_or_held(pages, pacing, seconds, held):
    table = Table(pages, seconds, held)
    table.walk(pacing)
    assert sorted(table.covered()) == [(page, stripe) for page in range(pages) for stripe in range(pacing.stripes)]
    assert table.finished


@given(st.integers(1, 100), pacings, st.lists(st.booleans(), max_size=20), st.integers(1, 60))
def test_goes_on_from_any_cursor_without_doing_anything_twice(pages, pacing, held, stop_after):
    table = Table(pages, [], held, stop_after)
    table.walk(pacing)
    table.stop_after = None
    table.walk(pacing)
    assert sorted(table.covered()) == [(page, stripe) for page in range(pages) for stripe in range(pacing.stripes)]


@given(st.integers(1, 100), st.lists(st.booleans(), max_size=20), st.integers(1, 60), st.booleans())
def test_backfill_35_a_walk_that_began_with_fewer_passes_ends_with_them(pages, held, stop_after, said):
    """A stripe of the cursor, or of a span that somebody held, is one of eight."""
    table = Table(pages, [], held, stop_after)
    table.walk(Pacing(stripes=8, first_window=16, smallest_window=1))
    if not said and table.cursor is not None:
        table.cursor = {name: value for name, value in table.cursor.items() if name != "stripes"}
    table.stop_after = None
    begun = table.cursor is not None
    table.walk(Pacing(stripes=16, first_window=16, smallest_window=1))
    stripes = 8 if begun else 16
    assert sorted(table.covered()) == [(page, stripe) for page in range(pages) for stripe in range(stripes)]


def test_rows_that_keep_coming_are_refused_and_not_chased_for_ever():
    class Busy(Table):
        def answer(self, effect):
            if isinstance(effect, Query) and "EXISTS" in effect.sql:
                return [(True,)]
            return super().answer(effect)

    step = Fill(name="b", table=STEP.table, target="t.b", assignments="x", pending="y", repeat=True)
    with pytest.raises(Refused, match="still match after 20 walks"):
        Busy(1, []).walk(Pacing(), step=step)


def test_a_server_without_tid_ranges_walks_the_key():
    class Keys(Table):
        """Keys 1 to 2,500, as the server answers questions about them."""

        def answer(self, effect):
            if isinstance(effect, Query) and "DESC" in effect.sql:
                return [("2500",)]
            if isinstance(effect, Query) and "reltuples" in effect.sql:
                return [(2400,)]
            if isinstance(effect, Query):
                after = re.search(r"> \('(\d+)'\)", effect.sql)
                skip = int(re.search(r"OFFSET (\d+)", effect.sql)[1])
                key = int(after[1] if after else 0) + skip + 1
                return [(str(key),)] if key <= 2500 else []
            return super().answer(effect)

    step = Fill(name="b", table=STEP.table, target="t.b", assignments='"b" = "a"', pending="x", key=('"id"',))
    table = Keys(0, [])
    table.walk(Pacing(first_rows=1000), (13, 0), step)
    bounds = [re.search(r"<= \('(\d+)'\)", sql)[1] for sql in table.seen]
    assert bounds == ["1000", "2500"]
    assert table.finished
    stopped = Keys(0, [], stop_after=1)
    stopped.walk(Pacing(first_rows=1000), (13, 0), step)
    stopped.stop_after = None
    stopped.walk(Pacing(first_rows=1000), (13, 0), step)
    assert [re.search(r"<= \('(\d+)'\)", sql)[1] for sql in stopped.seen] == ["1000", "2000", "2500"]


class Held:
    """Keys 1 to `last`, some of which another session holds for a number of tries, as the server answers for them."""

    step = Fill(name="b", table=STEP.table, target="t.b", assignments='"b" = "a"', pending="x", key=('"id"',))

    def __init__(self, last, held):
        self.last, self.held = last, dict(held)
        self.done, self.cursor, self.finished = [], None, False

    def walk(self, pacing, stop_after=None):
        steps, answer = perform_fill(self.step, self.cursor, Server("postgresql", (13, 0)), pacing), None
        try:
            while stop_after is None or len(self.done) < stop_after:
                answer = self.answer(steps.send(answer))
        except StopIteration:
            self.finished = True

    def answer(self, effect):
        if isinstance(effect, Query) and "DESC" in effect.sql:
            return [(str(self.last),)]
        if isinstance(effect, Query) and "reltuples" in effect.sql:
            return [(self.last,)]
        if isinstance(effect, Query):
            low, high = self.bounds(effect.sql)
            key = (
                (low + high) // 2
                if "SELECT (count" in effect.sql
                else low + int(effect.sql.split("OFFSET ")[1].split()[0]) + 1
            )
            return [(str(key),)] if low < key < high else []
        if isinstance(effect, Batch):
            low, high = self.bounds(effect.sql)
            wanted = [key for key in self.held if low < key <= high]
            for key in wanted:
                self.held[key] -= 1
                if self.held[key] <= 0:
                    del self.held[key]
            if wanted:
                return Batched(0, 0.01, blocked=True)
            self.done += range(low + 1, high + 1)
            self.cursor = json.loads(json.dumps(effect.cursor))
            return Batched(high - low, 0.05)
        return None

    def bounds(self, sql):
        alone = re.search(r"\) = \('(\d+)'\)", sql)
        if alone:
            return int(alone[1]) - 1, int(alone[1])
        low, high = re.search(r"> \('(\d+)'\)", sql), re.search(r"<=? \('(\d+)'\)", sql)
        return int(low[1]) if low else 0, int(high[1])


holding = st.dictionaries(st.integers(1, 3000), st.integers(1, 20), max_size=8)


@given(st.integers(1, 3000), holding, st.integers(1, 4000))
def test_every_key_is_done_once_whoever_holds_it_and_wherever_the_walk_was_killed(last, held, stop_after):
    table = Held(last, held)
    table.walk(Pacing(first_rows=500), stop_after)
    table.walk(Pacing(first_rows=500))
    assert sorted(table.done) == list(range(1, last + 1))
    assert table.finished


def test_a_key_that_is_held_for_long_keeps_no_other_waiting():
    table = Held(2500, {700: 10**6})
    with pytest.raises(RowsHeld):
        table.walk(Pacing(first_rows=1000))
    assert sorted(table.done) == [key for key in range(1, 2501) if key != 700]
