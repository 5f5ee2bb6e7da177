"""The contract gate: recorded facts in, a verdict out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.gate import Deployment, Facts, judge

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hours(count):
    return NOON + timedelta(hours=count)


def deployed(version, start, end, *, clean, status="succeeded", app="shop", environment="production"):
    finished = None if status == "started" else hours(end)
    return Deployment(app, environment, version, status, hours(start), finished, clean)


OLD = deployed("1", 0, 1, clean=False)
NEW = deployed("2", 10, 11, clean=True)

CASES = {
    "nothing recorded": ([], 1000, False, None),
    "only an old build": ([OLD], 1000, False, None),
    "new build, a day later": ([OLD, NEW], 35, True, 35),
    "new build, a moment before the day is over": ([OLD, NEW], 34.99, False, 35),
    "new build only, never an old one": ([NEW], 35, True, 35),
    "deploying the new build again does not reset the clock": (
        [OLD, NEW, deployed("3", 30, 31, clean=True)],
        35,
        True,
        35,
    ),
    "an old build in between does": (
        [OLD, NEW, deployed("1", 20, 21, clean=False), deployed("2", 22, 23, clean=True)],
        46.9,
        False,
        47,
    ),
    "and a day after it ended the gate is open": (
        [OLD, NEW, deployed("1", 20, 21, clean=False), deployed("2", 22, 23, clean=True)],
        47,
        True,
        47,
    ),
    "a canary of an old build that failed counts until it was recorded": (
        [OLD, NEW, deployed("1", 20, 26, clean=False, status="failed"), deployed("3", 27, 28, clean=True)],
        49.9,
        False,
        50,
    ),
    "an old build that was started and never ended is live": (
        [OLD, NEW, deployed("1", 20, 0, clean=False, status="started")],
        1000,
        False,
        None,
    ),
    "a rolled back new build": (
        [OLD, deployed("2", 10, 11, clean=True, status="rolled_back")],
        1000,
        False,
        None,
    ),
    "another application still uses the old shape": (
        [OLD, NEW, deployed("7", 0, 1, clean=False, app="billing")],
        1000,
        False,
        None,
    ),
    "another environment on the same database, too": (
        [OLD, NEW, deployed("1", 0, 1, clean=False, environment="eu")],
        1000,
        False,
        None,
    ),
    "two applications, the later one decides": (
        [OLD, NEW, deployed("7", 0, 1, clean=False, app="billing"), deployed("8", 20, 21, clean=True, app="billing")],
        45,
        True,
        45,
    ),
    "a new deployment under way": ([OLD, NEW, deployed("3", 40, 0, clean=True, status="started")], 41, False, 35),
    "the newest deployment failed": ([OLD, NEW, deployed("3", 40, 41, clean=True, status="failed")], 60, False, 35),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name):
    records, now, opened, opens_at = CASES[name]
    verdict = judge(Facts(hours(now), records, "migrated", True))
    assert verdict.open is opened
    assert verdict.opens_at == (hours(opens_at) if opens_at is not None else None)
    assert len(verdict.conditions) == 7
    assert all(condition.evidence for condition in verdict.conditions)


@pytest.mark.parametrize(("state", "verified"), [("migrating", True), ("migrated", False), ("expanded", True)])
def test_closed_before_the_rows_were_compared(state, verified):
    verdict = judge(Facts(hours(1000), [OLD, NEW], state, verified))
    assert not verdict.open
    assert [c.remedy for c in verdict.conditions if not c.holds] == ["migrator apply"]


def test_a_day_is_the_least_and_more_can_be_asked_for():
    facts = Facts(hours(35), [OLD, NEW], "migrated", True)
    assert judge(facts, hours=0).open
    assert not judge(facts, hours=48).open


def test_a_closed_gate_says_what_to_do():
    for records, now, opened, _ in CASES.values():
        verdict = judge(Facts(hours(now), records, "migrated", True))
        assert opened or any(condition.remedy for condition in verdict.conditions if not condition.holds)


records = st.builds(
    lambda start, long, clean, status, app: deployed("v", start, start + long, clean=clean, status=status, app=app),
    st.integers(0, 100),
    st.integers(1, 10),
    st.booleans(),
    st.sampled_from(["succeeded", "failed", "rolled_back", "started"]),
    st.sampled_from(["shop", "billing"]),
)


@given(st.lists(records, max_size=8), st.integers(0, 300))
def test_open_means_that_no_old_build_was_live_for_a_day(found, now):
    verdict = judge(Facts(hours(now), found, "migrated", True))
    if verdict.open:
        for old in found:
            ended = old.finished_at
            assert old.clean or (ended is not None and ended <= hours(now - 24))
        assert all(record.status != "started" for record in found)


@given(st.lists(records, max_size=8), st.integers(0, 300), st.integers(1, 50))
def test_waiting_never_closes_it(found, now, longer):
    if judge(Facts(hours(now), found, "migrated", True)).open:
        assert judge(Facts(hours(now + longer), found, "migrated", True)).open


def test_rows_set_aside_keep_the_gate_shut_and_are_counted():
    verdict = judge(Facts(hours(1000), [OLD, NEW], "migrating", True, set_aside=3))
    assert not verdict.open
    (migrated,) = [condition for condition in verdict.conditions if condition.name == "migrated"]
    assert migrated.evidence.endswith(": 3")
    assert migrated.remedy == "migrator retry REVISION"


@pytest.mark.parametrize(("verified", "says"), [(False, "migrate is not over"), (True, "there is nothing to compare")])
def test_what_has_nothing_to_compare_is_not_said_to_be_compared(verified, says):
    verdict = judge(Facts(hours(1000), [OLD, NEW], "migrating", verified, compared=False))
    assert next(c.evidence for c in verdict.conditions if c.name == "verified") == says
