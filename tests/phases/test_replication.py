"""How far replicas are: readings in, a verdict out."""

from __future__ import annotations

import pytest

from phases.replication import Reading, Replica, awaited, judge, kept, reachable


def reading(at, flushed, *replicas):
    return Reading(at, flushed, replicas)


def east(replayed, lag=None):
    return Replica('"east"', replayed=replayed, lag=lag)


CASES = {
    "no replica": ([reading(0, 100)], True),
    "nothing left to replay, whatever was measured before": ([reading(0, 100, east(100, lag=60.0))], True),
    "a little late": ([reading(0, 100, east(90, lag=9.9))], True),
    "too late by the server's measure": ([reading(0, 100, east(90, lag=10.1))], False),
    "no measure, and seen for the first time": ([reading(0, 100, east(90))], True),
    "no measure, and stuck for longer than the limit": ([reading(0, 100, east(90)), reading(11, 100, east(90))], False),
    "a measure that has not moved while the replica is stuck": (
        [reading(0, 100, east(90, lag=1.0)), reading(11, 100, east(90, lag=1.0))],
        False,
    ),
    "what was missing is replayed, and something later is missing": (
        [reading(0, 100, east(90)), reading(11, 200, east(100))],
        True,
    ),
    "one of two": ([reading(0, 100, Replica("west", replayed=100), east(90, lag=11.0))], False),
    "an archive keeps WAL and replays none": ([reading(0, 100, Replica("archive")), reading(60, 200)], True),
}


@pytest.mark.parametrize("name", CASES)
def test_backfill_19_batches_pause_while_a_replica_is_behind_by_more_than_the_limit(name):
    readings, go = CASES[name]
    verdict = judge(readings, 10.0)
    assert verdict.go is go
    assert ('"east" is' in verdict.reason) is not go


def test_batches_that_pause_go_on_once_it_is_half_the_limit():
    assert not judge([reading(0, 100, east(90, lag=5.1))], 10.0, paused=True).go
    assert judge([reading(0, 100, east(90, lag=5.0))], 10.0, paused=True).go


@pytest.mark.parametrize(
    ("unread", "said"),
    [
        (reading(0, 0, Replica("east", hidden=True)), "replica east is, this role may not see"),
        (Reading(0, problem="no such function"), "no such function"),
    ],
)
def test_what_cannot_be_read_is_said_and_holds_nothing_up(unread, said):
    verdict = judge([unread], 10.0)
    assert verdict.go
    assert said in verdict.unknown


def test_only_readings_that_can_still_decide_are_kept():
    readings = [reading(second, second, east(0)) for second in range(100)]
    assert [item.at for item in kept(readings, 10.0)] == list(range(88, 100))
    assert not judge(kept(readings, 10.0), 10.0).go
    assert kept([], 10.0) == []


def test_a_replica_is_awaited_until_it_is_known_to_be_there():
    replicas = [
        Replica("there", replayed=100),
        Replica("behind", replayed=99),
        Replica("archive"),
        Replica("connecting", reported=False),
        Replica("hidden", hidden=True, reported=False),
    ]
    assert [late.name for late in awaited(reading(0, 100, *replicas), 100)] == ["behind", "connecting", "hidden"]


@pytest.mark.parametrize(
    ("position", "end"), [(8192 * 5 + 24, 8192 * 5), (1 << 24 | 40, 1 << 24), (8192 * 5 + 48, 8192 * 5 + 48), (0, 0)]
)
def test_a_position_behind_the_header_of_an_empty_page_is_the_end_of_the_page_before(position, end):
    assert reachable(position, 8192) == end
