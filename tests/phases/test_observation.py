"""What looks have found, look after look, and what the gate makes of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from phases.gate_facts import Looked
from phases.observation import (
    Counted,
    Counters,
    Sighting,
    Statements,
    Stretch,
    counted_again,
    seen_again,
    unwatched,
)
from phases.observed import OTHER_STATEMENTS, Counts, Watched, sessions_reading, statements_readings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BUILDS = {"shop": {"1": False, "2": True}}


def hours(count):
    return NOON + timedelta(hours=count)


def looked(*looks, counters=None):
    """What is known after looks: hours, and calls by statement."""
    known = Statements()
    for at, calls in looks:
        found = [(Counted(key, key, "app", count), "writes") for key, count in calls.items()]
        known = counted_again(known, found, (counters or {}).get(at, Counters()), hours(at))
    return known


def used(known):
    return {key: (use.after, use.at) for key, use in known.uses.items()}


def test_a_first_look_knows_of_no_use_since():
    known = looked((0, {"a": 5}))
    assert used(known) == {"a": (None, None)}
    assert known.coverage.since == hours(0)


def test_what_has_grown_was_used_between_two_looks_and_what_has_not_was_not():
    known = looked((0, {"a": 5, "b": 1}), (2, {"a": 6, "b": 1}), (3, {"a": 6, "b": 1}))
    assert used(known) == {"a": (hours(0), hours(2)), "b": (None, None)}


def test_a_statement_that_was_not_there_was_used_since():
    assert used(looked((0, {}), (1, {"a": 1}))) == {"a": (hours(0), hours(1))}


LOSSES = {
    "counters that began anew": ((0, {"a": 5}), (2, {"a": 1}), {2: Counters(hours(1))}, hours(1)),
    "fewer calls than before": ((0, {"a": 5}), (2, {"a": 4}), {}, hours(2)),
    "a statement that is gone": ((0, {"a": 5}), (2, {}), {}, hours(2)),
    "statements that found no room": ((0, {"a": 5}), (2, {"a": 5}), {2: Counters(None, 3)}, hours(2)),
    "nothing of that": ((0, {"a": 5}), (2, {"a": 6}), {}, hours(0)),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_counters_forget_begins_the_time_in_which_all_is_known_again(loss):
    first, second, counters, since = LOSSES[loss]
    known = looked(first, second, counters=counters)
    assert known.coverage.since == since
    # … and no sooner with the next look.
    assert (
        looked(first, second, (3, second[1]), counters={**counters, 3: counters.get(2, Counters())}).coverage.since
        == since
    )


def test_a_server_that_knows_when_a_statement_was_last_run_needs_no_second_look():
    exact = hours(-2) + timedelta(microseconds=1)
    found = [(Counted("a", "a", "", 5, None, exact), "reads"), (Counted("b", "b", "", 5, None, hours(-2)), "reads")]
    known = counted_again(Statements(), found, Counters(hours(-100)), hours(0))
    cut_off = hours(-2), hours(-2) + timedelta(seconds=1)  # as MariaDB says moments
    assert used(known) == {"a": (exact, exact), "b": cut_off}
    assert known.coverage.since == hours(-100)


def reading(known, now, **given):
    return statements_readings([Counts("server", "public.users.full_name", known, **given)], hours(now), 24)


STATEMENTS = {
    "used until now": (((0, {"a": 1}), (30, {"a": 2})), 30, Looked.SEEN, 30),
    "used some hours ago": (((0, {"a": 1}), (10, {"a": 2}), (30, {"a": 2})), 30, Looked.CLEAN, 10),
    "used more than a day ago": (((0, {"a": 1}), (1, {"a": 2}), (30, {"a": 2})), 30, Looked.CLEAN, 1),
    "never used": (((0, {"a": 1}), (30, {"a": 1})), 30, Looked.CLEAN, None),
    "looked at for less than a day": (((0, {"a": 1}), (20, {"a": 1})), 20, Looked.UNSEEN, None),
}


@pytest.mark.parametrize("case", STATEMENTS)
def test_what_the_gate_is_told_of_statements(case):
    looks, now, wanted, last = STATEMENTS[case]
    (found,) = reading(looked(*looks), now)
    assert (found.looked, found.last_seen) == (wanted, None if last is None else hours(last))


def test_what_cannot_be_observed_is_said_with_the_remedy_and_hides_nothing_that_was_seen():
    (found,) = reading(Statements(), 0, missing="the extension is not there", remedy="CREATE EXTENSION")
    assert (found.looked, found.evidence, found.remedy) == (
        Looked.UNSEEN,
        "the extension is not there",
        "CREATE EXTENSION",
    )
    (found,) = reading(looked((0, {"a": 1}), (30, {"a": 2})), 30, missing="prepared ones have no text")
    assert found.looked is Looked.SEEN


def test_statements_that_do_not_say_what_they_use_are_reported_apart():
    known = counted_again(Statements(), [], Counters(), hours(0))
    star = (Counted("s", "SELECT * FROM users", "app", 1), "reads all columns")
    names, other = reading(counted_again(known, [star], Counters(), hours(30)), 30)
    assert (names.looked, other.name, other.looked) == (Looked.CLEAN, OTHER_STATEMENTS, Looked.UNSEEN)
    assert "reads all columns: SELECT * FROM users (role app)" in other.evidence


def test_uses_before_the_end_of_migrate_are_ours_and_do_not_count():
    known = looked((0, {"a": 1}), (10, {"a": 2}), (40, {"a": 2}))
    counts = [Counts("server", "public.users.full_name", known)]
    assert statements_readings(counts, hours(40), 24, hours(11))[0].last_seen is None


def test_looks_that_follow_each_other_are_one_stretch_and_gaps_are_found():
    first = seen_again(None, hours(0), "server")
    second = seen_again(first, hours(0.1), "server")
    assert second == Stretch("server", hours(0), hours(0.1), 2)
    third = seen_again(second, hours(3), "server")
    assert third.since == hours(3)
    assert unwatched([second, third], hours(0), hours(3)) == timedelta(hours=2.9)
    assert unwatched([], hours(0), hours(3)) == timedelta(hours=3)
    assert unwatched([Stretch("server", hours(-9), hours(3), 99)], hours(0), hours(3)) == timedelta(0)


ALWAYS = [Stretch("server", hours(-99), hours(0), 999)]
SIGHTINGS = {
    "nobody": ([], ALWAYS, "server", Looked.CLEAN, None),
    "a clean build": ([("shop/2", 0)], ALWAYS, "server", Looked.CLEAN, None),
    "an old build three hours ago": ([("shop/1 worker", -3)], ALWAYS, "server", Looked.CLEAN, -3),
    "an old build that the last look has found behind a pooler": (
        [("shop/1", 0)],
        [Stretch("pooler p", hours(-99), hours(0), 9)],
        "pooler p",
        Looked.SEEN,
        0,
    ),
    "a build that nobody recorded": ([("shop/3", -5)], ALWAYS, "server", Looked.CLEAN, -5),
    "a stranger": ([("psql", -5)], ALWAYS, "server", Looked.UNSEEN, None),
    "a tool": ([("backup", -5)], ALWAYS, "server", Looked.CLEAN, None),
    "nobody has looked": ([], [], "server", Looked.UNSEEN, None),
    "a gap of an hour": ([], [Stretch("server", hours(-99), hours(-1), 9)], "server", Looked.UNSEEN, None),
}


@pytest.mark.parametrize("case", SIGHTINGS)
def test_what_the_gate_is_told_of_sessions_that_were_seen(case):
    seen, stretches, source, wanted, last = SIGHTINGS[case]
    sightings = [Sighting(name, "app", source, hours(-50), hours(at)) for name, at in seen]
    found = sessions_reading([Watched(source, stretches, sightings)], BUILDS, hours(0), 24, ["backup"])
    assert (found.looked, found.last_seen) == (wanted, None if last is None else hours(last))
