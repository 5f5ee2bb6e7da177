"""A verification driven by a list: every chunk once, from wherever it stopped, and no difference twice."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.catalog import Server
from phases.effects import Commit, Look, Looked, Mark, Progress, Query
from phases.errors import Mismatched
from phases.model import TableName, Verify
from phases.verification import perform_verify

STEP = Verify(name="verify", table=TableName("public", "t"), target="t.b", mismatch="a <> b", key=('"id"',))
TWIN = replace(STEP, twin=("public", "u", "h(a)", "true", "h(b)", "true", '"id"'))
TID = re.compile(r"ctid >= '\((\d+),0\)'::tid AND ctid < '\((\d+),0\)'::tid")
PAGES = 1000


@dataclass
class Rows:
    """Answers a verification of a table of one row a page; `wrong` are pages, `writing` moves all to another file."""

    wrong: set[int] = field(default_factory=set)
    stop_after: int | None = None
    writing: int | None = None
    seen: list[int] = field(default_factory=list)
    looks: int = 0
    cursor: dict | None = None
    finished: bool = False

    def verify(self, step=STEP):
        steps, answer = perform_verify(step, self.cursor, Server("postgresql", (18, 0)), 0.1), None
        self.looks = 0
        try:
            while self.stop_after is None or self.looks < self.stop_after:
                answer = self.answer(steps.send(answer))
        except StopIteration:
            pass

    def answer(self, effect):
        match effect:
            case Look():
                self.looks += 1
                return Looked(self.compared(effect.sql), 0.05)
            case Query() if "pg_relation_size" in effect.sql:
                return [(PAGES,)]
            case Query() if "count(*)" in effect.sql:
                return [self.compared(effect.sql, again=True)]
            case Query():
                return [(str(page),) for page in self.within(effect.sql) if page in self.wrong]
            case Mark():
                self.cursor = dict(effect.cursor)
            case Commit():
                self.finished = effect.finishes
        assert isinstance(effect, Mark | Commit | Progress)
        return None

    def compared(self, sql, *, again=False):
        pages = self.within(sql)
        if not again:
            self.seen += pages
        return len(pages), len(self.wrong & set(pages)), 1 if self.writing is None or self.looks < self.writing else 2

    def within(self, sql):
        first, last = map(int, TID.search(sql).groups())
        return list(range(first, last))


@given(st.lists(st.integers(1, 3), max_size=5))
def test_a_verification_that_is_killed_again_and_again_sees_every_page(kills):
    rows = Rows()
    for looks in kills:
        rows.stop_after = looks
        rows.verify()
    rows.stop_after = None
    rows.verify()
    assert set(rows.seen) == set(range(PAGES))
    assert rows.finished


def test_no_page_that_was_found_equal_is_looked_at_after_a_kill():
    rows = Rows(stop_after=3)
    rows.verify()
    done, rows.seen = rows.cursor["page"], []
    rows.stop_after = None
    rows.verify()
    assert min(rows.seen) == done > 0


def test_a_position_is_never_behind_a_row_that_differs():
    rows = Rows(wrong={400}, stop_after=4)
    rows.verify()
    assert rows.cursor["page"] <= 400
    rows.stop_after = None
    with pytest.raises(Mismatched) as found:
        rows.verify()
    assert (found.value.compared, found.value.mismatches, found.value.sample) == (PAGES, 1, ("400",))
    assert not rows.finished


def test_rows_that_were_written_anew_meanwhile_are_all_looked_at_again():
    rows = Rows(writing=3)
    rows.verify()
    assert rows.seen.count(0) == 2
    assert set(rows.seen) == set(range(PAGES))


class Twins(Rows):
    """Two tables whose hashes differ in their first chunk; row by row nothing does."""

    def answer(self, effect):
        match effect:
            case Look():
                self.looks += 1
                return Looked((1000, self.looks == 1, 0), 0.05)
            case Query() if "count(*)" in effect.sql:
                self.seen.append(effect.sql)
                return [(1000, 0, 0)]
            case Query() if "DESC LIMIT 1" in effect.sql:
                return [("3000",)]
            case Query() if "reltuples" in effect.sql:
                return [(3000,)]
            case Query():
                return [("2000",)] if "> ('2000')" not in effect.sql else []
        return super().answer(effect)


def test_a_chunk_whose_hashes_differ_is_looked_at_row_by_row_before_it_counts():
    twins = Twins()
    twins.verify(TWIN)
    (sql,) = twins.seen
    assert "<= ('2000')" in sql
    assert twins.finished
