"""Rows that fail, driven by a list: found one by one, set aside once, tried again, and no other row is kept waiting."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phases.backfill import Pacing, perform_fill
from phases.catalog import Server
from phases.dialects.postgresql_backfill import blames_row
from phases.effects import Batch, Batched, Commit, Failure, ListAside, Query, RowAside, SetAside
from phases.errors import Refused, Unchanged
from phases.model import Fill, TableName

STEP = Fill(
    name="backfill",
    table=TableName("public", "t"),
    target="t.b",
    assignments='"b" = "a"',
    pending="todo",
    stripe='"id"',
    key=('"id"',),
)
TIDS = re.compile(
    r"ctid >= '\((\d+),(\d+)\)'::tid AND ctid < '\((\d+),(\d+)\)'::tid(?: AND \(\"id\" & (\d+)\) = (\d+))?"
)
KEYS = re.compile(r"(?:true|\(\"id\"\) > \('(\d+)'\)) AND \(\"id\"\) <= \('(\d+)'\)")
ONE = re.compile(r"\(\"id\"\) = \('(\d+)'\)")
LINES = 7
BAD = Failure("22P02", "not a number")


class Killed(Exception):
    """The runner is gone, and what it did not commit with it."""


class Table:
    """Rows of `LINES` to a page, numbered from 1; what it commits survives, and `log` has it in order."""

    def __init__(self, pages, bad=(), held=(), version=18, limit=100):
        self.ids = range(1, pages * LINES + 1)
        self.pages, self.bad, self.held = pages, set(bad), list(held)
        self.version, self.pacing = version, Pacing(stripes=4, first_window=3, first_rows=9, set_aside_limit=limit)
        self.done, self.aside, self.log, self.cursor = set(), {}, [], None
        self.finished = False

    def run(self, kill_after=None, step=STEP):
        """Perform the step; the effects asked for. `kill_after`: answer that many, then die."""
        steps = perform_fill(step, self.cursor, Server("postgresql", (self.version, 0)), self.pacing)
        effects, answer = [], None
        while True:
            try:
                effect = steps.send(answer)
            except StopIteration:
                return effects
            if kill_after is not None and len(effects) == kill_after:
                raise Killed
            effects.append(effect)
            answer = self.answer(effect)

    def to_the_end(self, kills=()):
        for kill in kills:
            try:
                return self.run(kill)
            except Killed:
                continue
        return self.run()

    def answer(self, effect):
        match effect:
            case Query():
                return self.asked(effect.sql)
            case Batch():
                return self.batch(effect)
            case SetAside():
                for found in self.spanned(effect.sql):
                    self.aside[found] = effect.failure
                    self.log.append(("aside", found))
                self.saved(effect.cursor)
                return len(self.aside)
            case ListAside():
                return [RowAside((str(found),), why) for found, why in self.aside.items()]
            case Commit():
                self.finished = effect.finishes
        return None

    def batch(self, effect):
        if self.held and self.held.pop():
            return Batched(0, 0.1, blocked=True)
        rows = [found for found in self.spanned(effect.sql) if found not in self.done]
        if self.bad & set(rows):
            return Batched(0, 0.1, failure=BAD)
        self.done |= set(rows)
        self.log += [("done", found) for found in rows]
        if effect.settles is not None:
            self.aside.pop(int(effect.settles[0]), None)
        self.saved(effect.cursor)
        return Batched(len(rows), 0.1)

    def saved(self, cursor):
        self.cursor = json.loads(json.dumps(cursor))

    def asked(self, sql):
        if "pg_relation_size" in sql:
            return [(self.pages,)]
        if "EXISTS" in sql:
            return [(bool(set(self.ids) - self.done),)]
        if "DESC" in sql:
            return [(str(self.ids[-1]),)] if self.ids else []
        after = int(m[1]) if (m := re.search(r"> \('(\d+)'\)", sql)) else 0
        inside = [found for found in self.ids if after < found < int(re.search(r"< \('(\d+)'\)", sql)[1])]
        skip = int(m[1]) if (m := re.search(r"OFFSET (\d+)", sql)) else (len(inside) - 1) // 2
        return [(str(found),) for found in inside[max(skip, 0) :][:1]]

    def spanned(self, sql):
        if one := ONE.search(sql):
            return [int(one[1])] if int(one[1]) in self.ids else []
        if keys := KEYS.search(sql):
            return [found for found in self.ids if int(keys[1] or 0) < found <= int(keys[2])]
        first, low, last, high, mask, stripe = (int(part or 0) for part in TIDS.search(sql).groups())
        place = {found: divmod(found - 1, LINES) for found in self.ids}
        return [
            found
            for found, (page, line) in place.items()
            if (first, low) <= (page, line + 1) < (last, high) and found & mask == stripe
        ]


broken = st.sets(st.integers(1, 6 * LINES), max_size=12)
holds = st.lists(st.booleans(), max_size=25)
kills = st.lists(st.integers(1, 60), max_size=6)
versions = st.sampled_from([18, 13])


@settings(deadline=None)
@given(st.integers(1, 6), broken, holds, kills, versions)
def test_every_good_row_is_changed_once_and_every_bad_one_recorded_once_wherever_it_is_killed(
    pages, bad, held, kills, version
):
    table = Table(pages, bad, held, version)
    failing = set(table.ids) & bad
    if failing:
        with pytest.raises(Unchanged) as stopped:
            table.to_the_end(kills)
        assert {int(row.key[0]) for row in stopped.value.rows} == failing
        assert stopped.value.limit is None
    else:
        table.to_the_end(kills)
    assert table.finished is not bool(failing)
    assert set(table.aside) == failing
    assert sorted(table.log) == sorted(
        [("aside", found) for found in failing] + [("done", found) for found in set(table.ids) - failing]
    )


@settings(deadline=None)
@given(broken, broken, kills, versions)
def test_mended_rows_are_done_by_the_next_run_and_the_others_stay_on_record(bad, mended, kills, version):
    table = Table(6, bad | {1}, version=version)
    with pytest.raises(Unchanged):
        table.run()
    walked = len(table.log)
    table.bad -= mended
    if table.bad:
        with pytest.raises(Unchanged):
            table.to_the_end(kills)
        assert set(table.aside) == table.bad
        table.bad = set()
    table.to_the_end(kills)
    assert table.finished
    assert not table.aside
    assert sorted(table.log[walked:]) == [("done", found) for found in sorted(bad | {1})]


def test_a_retry_asks_for_exactly_the_rows_set_aside():
    table = Table(6, {5, 40})
    with pytest.raises(Unchanged):
        table.run()
    with pytest.raises(Unchanged):
        table.run()
    table.bad.clear()
    batches = [effect for effect in table.run() if isinstance(effect, Batch)]
    assert sorted(effect.settles for effect in batches) == [("40",), ("5",)]


@pytest.mark.parametrize("version", [18, 13])
@pytest.mark.parametrize("limit", [0, 3])
def test_the_step_stops_at_the_row_that_is_one_too_many(limit, version):
    table = Table(6, range(1, 30), version=version, limit=limit)
    with pytest.raises(Unchanged) as stopped:
        table.run()
    assert stopped.value.limit == limit
    assert len(table.aside) == len(stopped.value.rows) == limit + 1
    with pytest.raises(Unchanged):
        table.run()
    assert len(table.aside) == limit + 1, "a run that starts over the limit goes no further"
    table.pacing = Pacing(stripes=4, first_window=3, first_rows=9)
    with pytest.raises(Unchanged) as stopped:
        table.run()
    assert stopped.value.limit is None
    assert set(table.aside) == set(range(1, 30))


def test_a_row_that_only_waits_for_another_ones_value_is_done_at_the_end():
    class Taken(Table):
        """Row n takes the value that row n + 1 still has, as in `SET position = position + 1`."""

        def batch(self, effect):
            rows = set(self.spanned(effect.sql)) - self.done
            self.bad = {n for n in rows if n + 1 in self.ids and n + 1 not in self.done}
            return super().batch(effect)

    table = Taken(2)
    table.run()
    assert table.finished
    assert not table.aside
    assert table.done == set(table.ids)


def test_a_row_that_moved_before_it_was_tried_again_is_looked_for_once_more():
    table = Table(2, {3})
    with pytest.raises(Unchanged):
        table.run()
    table.aside = {99: BAD}  # what it was known by: nothing is there any more, and row 3 is still to do
    table.bad.clear()
    table.run()
    assert table.finished
    assert table.done == set(table.ids)


def test_a_backfill_without_triggers_does_not_walk_for_ever_over_rows_that_fail():
    step = Fill(name="b", table=STEP.table, target="t", assignments="x", pending="y", key=STEP.key, repeat=True)
    table = Table(3, {4})
    with pytest.raises(Unchanged):
        table.run(step=step)
    table.bad.clear()
    table.run(step=step)
    assert table.finished


def test_rows_that_never_stop_matching_after_one_was_mended_are_refused():
    class Growing(Table):
        def asked(self, sql):
            return [(True,)] if "EXISTS" in sql else super().asked(sql)

    table = Growing(1, {2})
    with pytest.raises(Unchanged):
        table.run()
    table.bad.clear()
    with pytest.raises(Refused, match="still match"):
        table.run()


@pytest.mark.parametrize("sqlstate", ["22P02", "22012", "23505", "23503", "23514", "21000", "P0001", "44000", "54000"])
def test_errors_about_values_blame_a_row(sqlstate):
    assert blames_row(sqlstate)


@pytest.mark.parametrize(
    "sqlstate", ["40001", "40P01", "55P03", "57014", "57P01", "08006", "53100", "42703", "42501", ""]
)
def test_errors_about_anything_else_do_not(sqlstate):
    assert not blames_row(sqlstate)
