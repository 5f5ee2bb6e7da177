"""Readings in, verdicts out: the size of transactions, the rest between them, and when a walk is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.pacing import (
    CUT,
    FEW,
    OVERSHOOT,
    RESTS,
    Allowance,
    Control,
    Felt,
    Grading,
    Servo,
    forecast,
    graded,
    strictest,
)

seconds = st.floats(0.0001, 5.0)


@given(st.lists(seconds, min_size=1, max_size=40), st.integers(1, 10_000))
def test_the_size_stays_within_its_bounds_and_is_cut_at_once(costs, size):
    servo = Servo(0.1)
    for cost in costs:
        servo.learn(size, cost, size)
    chosen = servo.size(size, 16, 4096)
    assert 16 <= chosen <= 4096 or chosen == size
    if costs[-1] > OVERSHOOT * 0.1:
        assert chosen <= max(16, size // CUT)


def test_one_fast_transaction_among_slow_ones_makes_nothing_larger():
    servo = Servo(0.1)
    for cost in [0.2] * 9 + [0.001]:
        servo.learn(1000, cost, 1000)
    assert servo.size(1000, 1, 10_000) == 500


def test_the_size_settles_where_a_transaction_takes_its_time():
    servo, size = Servo(0.1), 10
    for _ in range(60):
        servo.learn(size, size * 0.0001, size)
        size = servo.size(size, 1, 100_000)
    assert 800 <= size <= 1250


def test_no_transaction_has_more_rows_than_a_second_may_have():
    servo = Servo(0.1)
    servo.learn(100, 0.001, 5000, most_rows=500)
    assert servo.size(100, 16, 4096) == 10


@given(st.lists(st.integers(0, 3000), max_size=30), st.floats(1, 5000))
def test_rows_never_exceed_what_is_allowed_by_more_than_one_transaction(batches, rate):
    allowance, now, written = Allowance(), 100.0, 0
    for rows in batches:
        now += allowance.wait(rate, now)
        assert written <= rate * (now - 100.0 + 1.0) + 1e-6 or not written
        allowance.spend(rows, rate, now)
        written += rows
    assert allowance.wait(None, now) == 0


BEFORE = Felt(probes=(0.020,) * 12)
"""20 ms before, so 100 ms are allowed."""

FELT = {
    "much less than allowed": (Grading(3), Felt((0.030,) * FEW), None, 2),
    "half of what is allowed": (Grading(3), Felt((0.050,) * FEW), None, 3),
    "nearly what is allowed": (Grading(3), Felt((0.080,) * FEW), None, 4),
    "more than is allowed": (Grading(3), Felt((0.110,) * FEW), None, 5),
    "more than somebody allows": (Grading(0), Felt((0.030,) * FEW), 0.020, 2),
    "less than anybody notices": (Grading(0), Felt((0.030,) * FEW), None, 0),
    "too few looks to say": (Grading(3), Felt((9.0,)), None, 3),
    "rows that others hold": (Grading(0), Felt((0.030,) * FEW, held=0.5), None, 1),
    "slowest already": (Grading(len(RESTS) - 1), Felt((9.0,) * FEW), None, len(RESTS) - 1),
}


@pytest.mark.parametrize("name", FELT)
def test_the_rate_follows_what_the_applications_feel(name):
    now, felt, limit, grade = FELT[name]
    verdict = graded(now, felt, BEFORE, limit)
    assert verdict.grade == grade
    if grade > now.grade:
        assert "ms" in verdict.reason or "hold" in verdict.reason
    if grade == 0:
        assert not verdict.reason


def test_commits_that_take_longer_count_as_well():
    before, felt = Felt((0.001,) * FEW, (0.01,) * FEW), Felt((0.001,) * FEW, (0.3,) * FEW)
    assert "commit" in graded(Grading(), felt, before).reason


def test_whatever_one_of_several_forbids_is_forbidden():
    found = strictest([Control(rows_per_second=5, said="a"), Control(True, 9, 0.1, "b"), Control()])
    assert found == Control(True, 5, 0.1, "b; a")
    assert strictest([]) == Control()


def test_the_end_is_foretold_between_the_slow_and_the_fast():
    steady = [(float(at), 10 * at) for at in range(11)]
    assert forecast(steady, 200) == forecast(steady, 200).__class__(10.0, 10.0, 10.0)
    uneven = [(0.0, 0), (1.0, 30), (2.0, 40), (3.0, 60)]
    found = forecast(uneven, 120)
    assert (found.seconds, found.least, found.most) == (3.0, 2.0, 6.0)


@pytest.mark.parametrize("samples", [(), ((0.0, 5),), ((0.0, 5), (1.0, 5))])
def test_nothing_is_foretold_where_nothing_moves(samples):
    assert forecast(samples, 100) is None


def test_a_forecast_where_nearly_all_samples_have_no_rows():
    held = [(0.0, 0), (1.0, 90), *((float(at), 90) for at in range(2, 40))]
    assert forecast(held, 100).least <= forecast(held, 100).seconds <= forecast(held, 100).most
