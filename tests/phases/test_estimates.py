"""Estimates: never negative, growing with the table, and measured rates before assumed ones."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.catalog import Server
from phases.estimates import (
    ASSUMED,
    MEASURED,
    Estimate,
    Rate,
    Rates,
    Size,
    estimate,
    measured_rate,
    total,
)
from phases.model import BuildIndex, Fill, Lock, LockMode, RemoveIndex, TableName, Transaction, Verify

USERS = TableName("public", "users")
NEW, OLD = Server("postgresql", (18, 0)), Server("postgresql", (12, 0))
FILL = Fill(name="fill", table=USERS, target="name", assignments="", pending="")
BUILD = BuildIndex(name="build", table=USERS, index="i", create="", create_inside="", drop="", drop_inside="", state="")
REMOVE = RemoveIndex(name="remove", table=USERS, index="i", drop="", drop_inside="", state="")
VERIFY = Verify(name="verify", table=USERS, target="name", mismatch="")
BRIEF = Transaction(name="add", statements=("ALTER TABLE users ADD COLUMN a int",))
SCAN = Transaction(
    name="validate", statements=("VALIDATE",), scans=True, locks=(Lock(USERS, LockMode.SHARE_UPDATE_EXCLUSIVE),)
)
STEPS = (FILL, BUILD, REMOVE, VERIFY, BRIEF, SCAN)
MEGABYTE = 1024**2

sizes = st.builds(
    Size,
    rows=st.none() | st.integers(-1, 10**10),
    heap=st.integers(0, 10**13),
    indexes=st.integers(0, 10**13),
    widths=st.dictionaries(st.sampled_from("abcdef"), st.integers(0, 2000)),
)
rates = st.builds(
    Rates, *[st.builds(Rate, st.floats(0.001, 1e9), st.sampled_from((MEASURED, ASSUMED))) for _ in range(3)]
)
columns = st.lists(st.sampled_from("abcxyz"), unique=True)


@given(st.sampled_from(STEPS), sizes, rates, st.sampled_from((NEW, OLD)), columns)
def test_no_figure_is_negative(step, size, rates, server, columns):
    found = estimate(step, size, rates, server, columns)
    assert min(found.rows, found.bytes, found.seconds, found.wal, found.disk, found.temporary, found.bloat) >= 0
    assert found.bloat <= found.disk


@given(st.sampled_from(STEPS), sizes, rates, st.sampled_from((NEW, OLD)), st.integers(1, 100))
def test_a_larger_table_never_costs_less(step, size, rates, server, factor):
    rows = size.rows * factor if size.rows is not None else None
    larger = Size(rows, size.heap * factor, size.indexes * factor, size.widths)
    one, other = (estimate(step, s, rates, server, ("a",)) for s in (size, larger))
    for name in ("rows", "bytes", "wal", "disk", "temporary"):
        assert getattr(other, name) >= getattr(one, name)


@given(sizes, rates, columns)
def test_a_backfill_without_stripes_needs_more_disk(size, rates, columns):
    assert estimate(FILL, size, rates, OLD, columns).disk >= estimate(FILL, size, rates, NEW, columns).disk


def test_the_measured_backfill_is_met():
    """1,000,000 rows in 222 MB: the heap grew to 1.24 times, and 693 MB of WAL were written."""
    size = Size(1_000_000, 222 * MEGABYTE, 21 * MEGABYTE, {"id": 8, "full_name": 190})
    found = estimate(FILL, size.with_columns(["name"], 1), Rates(), NEW, ["name"])
    assert found.disk / MEGABYTE == pytest.approx(0.24 * 222, rel=0.25)
    assert found.wal / MEGABYTE == pytest.approx(693, rel=0.25)


def test_an_index_is_as_large_as_its_entries():
    size = Size(1_000_000, 222 * MEGABYTE, 0, {"id": 8})
    found = estimate(BUILD, size, Rates(), NEW, ["id"])
    assert found.disk / MEGABYTE == pytest.approx(21, rel=0.1)  # a primary key of as many integers


def test_a_step_that_touches_no_rows_has_no_rate():
    assert estimate(BRIEF, Size(10**9, 10**12), Rates(), NEW).source == ""
    assert estimate(SCAN, Size(10, 10**6), Rates(), NEW).source == ASSUMED


def test_rows_of_a_table_that_was_never_analysed_come_from_its_size():
    found = estimate(VERIFY, Size(None, 8192 * 100, 0, {"id": 4}), Rates(), NEW)
    assert not found.analysed
    assert found.rows == 8192 * 100 // 32


def test_measured_runs_beat_what_is_assumed_once_they_say_enough():
    otherwise = Rate(5.0)
    assert measured_rate([], otherwise) is otherwise
    assert measured_rate([(10, 0.001), (5000, 0.0)], otherwise) is otherwise
    assert measured_rate([(3000, 1.0), (1000, 1.0), (3, 9.0)], otherwise) == Rate(2000.0, MEASURED)


@given(
    st.lists(
        st.builds(Estimate, wal=st.integers(0, 10**9), disk=st.integers(0, 10**9), temporary=st.integers(0, 10**9))
    ),
    st.integers(0, 10**9),
)
def test_what_has_to_be_free_is_never_less_than_what_stays(found, max_wal):
    added = total(found, max_wal)
    assert added.disk == sum(item.disk for item in found)
    assert added.disk <= added.needed <= added.disk + added.wal + max([0, *(item.temporary for item in found)])
