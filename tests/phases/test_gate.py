"""The contract gate: recorded facts in, a verdict out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phases.exposure import Deployment
from phases.gate import judge
from phases.gate_facts import Facts, Policy
from phases.sessions import Session

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
    "a new deployment under way": ([OLD, NEW, deployed("3", 40, 0, clean=True, status="started")], 41, False, None),
    "the newest deployment failed": ([OLD, NEW, deployed("3", 40, 41, clean=True, status="failed")], 60, False, None),
}


CONDITIONS = [
    "migrated",
    "verified",
    "records unaltered",
    "clock",
    "server of the records",
    "deployments recorded",
    "new build deployed",
    "no deployment running",
    "newest deployment succeeded",
    "no old build live",
    "no session of an old build",
    "1 clean deployment",
]


@pytest.mark.parametrize("name", CASES)
def test_verdict(name):
    records, now, opened, opens_at = CASES[name]
    verdict = judge(Facts(hours(now), records, "migrated", True))
    assert verdict.open is opened
    assert verdict.opens_at == (hours(opens_at) if opens_at is not None else None)
    assert [condition.name for condition in verdict.conditions][:-1] == CONDITIONS
    assert all(condition.evidence for condition in verdict.conditions)


@pytest.mark.parametrize(("state", "verified"), [("migrating", True), ("migrated", False), ("expanded", True)])
def test_closed_before_the_rows_were_compared(state, verified):
    verdict = judge(Facts(hours(1000), [OLD, NEW], state, verified))
    assert not verdict.open
    assert [c.remedy for c in verdict.conditions if not c.holds] == ["migrator apply"]


def test_a_day_is_the_least_and_more_can_be_asked_for():
    facts = Facts(hours(35), [OLD, NEW], "migrated", True)
    assert judge(facts, Policy(hours=0)).open
    assert not judge(facts, Policy(hours=48)).open


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


LONG = "v" * 80
BUILDS = [
    OLD,
    NEW,
    deployed("1", 0, 1, clean=False, app="shop api"),
    deployed("2", 13, 14, clean=True, app="shop api"),
    deployed("blue", 0, 1, clean=False),
    deployed(LONG, 0, 1, clean=True),
    deployed("9", 11, 12, clean=True),
]
SESSIONS = {
    "shop/1": "does not survive",
    "shop@1 worker": "does not survive",
    "shop 1 unprepared": "does not survive",
    "shop blue": "does not survive",
    "shop api 1": "does not survive",
    "shop/3": "nobody recorded",
    "shop 3.0": "nobody recorded",
    "shop v3": "nobody recorded",
    "shop/2": "none of 1 sessions",
    f"shop/{LONG}"[:63]: "none of 1 sessions",
    f"shop/{LONG}x"[:62]: "nobody recorded",
    "shop unprepared": "its name does not say",
    "shop": "its name does not say",
    "shop/": "its name does not say",
    "shopping 1": "none of 1 sessions",
    "psql": "none of 1 sessions",
    "": "none of 1 sessions",
}


@pytest.mark.parametrize("name", SESSIONS)
def test_47_a_live_session_of_an_old_or_unrecorded_build_shuts_the_gate(name):
    told, session = SESSIONS[name], Session(7, name, hours(20), "10.0.0.9")
    verdict = judge(Facts(hours(1000), BUILDS, "migrated", True, sessions=[session]))
    (condition,) = [each for each in verdict.conditions if each.name == "no session of an old build"]
    shut = told in ("does not survive", "nobody recorded")
    assert told in condition.evidence
    assert condition.holds is verdict.open is not shut
    assert (verdict.opens_at is None) is shut
    assert (f'pid 7 "{name}" from 10.0.0.9 since 2026-03-02 08:00:00 UTC' in condition.evidence) is shut or not shut
    assert ("pg_terminate_backend" in condition.remedy) is shut
    assert ("migrator deploy record" in condition.remedy) is (told == "nobody recorded")


def test_47_what_a_role_may_not_see_of_a_session_is_said():
    verdict = judge(Facts(hours(1000), BUILDS, "migrated", True, sessions=[Session(7, "shop/1")] * 7))
    (evidence,) = [each.evidence for each in verdict.conditions if not each.holds]
    assert 'pid 7 "shop/1" (since when and from where, this role may not see)' in evidence
    assert evidence.endswith(" and 2 more")
