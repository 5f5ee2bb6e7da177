"""What is said of readings: tables of what was read, and the verdict."""

from __future__ import annotations

import itertools
import statistics as standard

import pytest

from migrator.rollouts.analysis import judging, statistics
from migrator.rollouts.analysis.judging import Seen
from migrator.rollouts.analysis.model import Judgement, Metric, Reading, Rules
from migrator.rollouts.analysis.tolerance import fails_on, together


def counted(requests, errors, **more):
    return Reading(requests, errors, **more)


def timed(*latencies):
    return Reading(len(latencies), 0, latencies)


ERRORS = Metric("errors", "probe", max=0.01)
RELATIVE = Metric("errors", "probe", max_ratio=2.0, floor=0.01)
P95 = Metric("p95", "probe", max=0.3, max_ratio=1.5, floor=0.05)
LATENCY = Metric("latency", "probe", max_ratio=1.2, floor=0.01)
BURN = Metric("burn", "probe", max=10.0, objective=0.999)
SHORT = Metric("burn", "probe", max=10.0, objective=0.999, short=60.0)
TRAFFIC = Metric("traffic", "probe", min=1.0)
ALIKE = tuple(0.1 + step / 1000 for step in range(30))
SLOWER = tuple(value + 0.1 for value in ALIKE)
ONE_SLOW = (*ALIKE[:-1], 9.0)
HALF_SLOW = (0.1, 1.0) * 150
DOWN = Reading(problem="nobody answers")

JUDGED = {
    "no failure among enough": (ERRORS, Seen(counted(300, 0)), "pass"),
    "no failure among one too few": (ERRORS, Seen(counted(299, 0)), "insufficient_traffic"),
    "no request at all": (ERRORS, Seen(counted(0, 0)), "insufficient_traffic"),
    "exactly the limit": (ERRORS, Seen(counted(300, 3)), "pass"),
    "one above the limit": (ERRORS, Seen(counted(300, 4)), "fail"),
    "one failure of one says little": (ERRORS, Seen(counted(1, 1)), "insufficient_traffic"),
    "two failures of two are certain enough": (ERRORS, Seen(counted(2, 2)), "fail"),
    "few requests, all of which fail": (ERRORS, Seen(counted(30, 30)), "fail"),
    "few requests, of which one fails": (ERRORS, Seen(counted(30, 1)), "insufficient_traffic"),
    "the source is down": (ERRORS, Seen(DOWN), "inconclusive"),
    "requests counted, failures not": (ERRORS, Seen(Reading(300)), "inconclusive"),
    "failures without requests": (ERRORS, Seen(Reading(None, 4)), "inconclusive"),
    "a rate of which nobody knows how many it is of": (ERRORS, Seen(Reading(values={"errors": 0.0})), "inconclusive"),
    "a baseline of zero, below the floor": (RELATIVE, Seen(counted(300, 3), counted(300, 0)), "pass"),
    "a baseline of zero, above the floor": (RELATIVE, Seen(counted(300, 4), counted(300, 0)), "fail"),
    "both at zero": (RELATIVE, Seen(counted(300, 0), counted(300, 0)), "pass"),
    "twice the baseline": (RELATIVE, Seen(counted(300, 30), counted(300, 15)), "pass"),
    "more than twice the baseline": (RELATIVE, Seen(counted(300, 31), counted(300, 15)), "fail"),
    "better than the baseline": (RELATIVE, Seen(counted(300, 3), counted(300, 90)), "pass"),
    "too small a baseline": (RELATIVE, Seen(counted(300, 3), counted(40, 0)), "insufficient_traffic"),
    "a baseline that is not to be had": (RELATIVE, Seen(counted(300, 3), DOWN), "inconclusive"),
    "nothing to compare with": (RELATIVE, Seen(counted(300, 3)), "pass"),
    "slow, whatever the baseline": (P95, Seen(timed(*[0.4] * 300), timed(*[0.4] * 300)), "fail"),
    "slower than the baseline": (P95, Seen(timed(*[0.2] * 300), timed(*[0.1] * 300)), "fail"),
    "slower, and still below the floor": (P95, Seen(timed(*[0.05] * 300), timed(*[0.01] * 300)), "pass"),
    "no latencies": (P95, Seen(counted(300, 0)), "inconclusive"),
    "all samples later by a tenth": (LATENCY, Seen(timed(*SLOWER * 10), timed(*ALIKE * 10)), "fail"),
    "one sample that is far out": (LATENCY, Seen(timed(*ONE_SLOW * 10), timed(*ALIKE * 10)), "pass"),
    "medians that differ by chance": (LATENCY, Seen(timed(*HALF_SLOW, 1.0), timed(*HALF_SLOW, 0.1)), "pass"),
    "slower by less than the floor": (
        LATENCY,
        Seen(timed(*[value / 100 for value in SLOWER] * 10), timed(*[value / 100 for value in ALIKE] * 10)),
        "pass",
    ),
    "ten times the budget": (BURN, Seen(counted(1000, 10)), "pass"),
    "eleven times the budget": (BURN, Seen(counted(1000, 11)), "fail"),
    "a burst that is over": (SHORT, Seen(counted(1000, 11), short=counted(200, 0)), "pass"),
    "a burst that goes on": (SHORT, Seen(counted(1000, 11), short=counted(200, 10)), "fail"),
    "no traffic where some is asked for": (TRAFFIC, Seen(counted(0, 0), seconds=10.0), "fail"),
    "enough traffic": (TRAFFIC, Seen(counted(10, 0), seconds=10.0), "pass"),
    "a command that says no": (ERRORS, Seen(Reading(refused="judge.sh ended with 1")), "fail"),
}


@pytest.mark.parametrize(("metric", "seen", "verdict"), JUDGED.values(), ids=JUDGED)
def test_readings_have_a_verdict(metric, seen, verdict):
    found = judging.judge(Rules((metric,), {}, minimum=300), {metric: seen})
    assert (found.verdict, bool(found.reason)) == (verdict, True)


def test_the_worst_of_several_metrics_is_said_and_all_are_kept():
    seen = {ERRORS: Seen(counted(300, 0)), P95: Seen(counted(300, 0)), TRAFFIC: Seen(counted(0, 0), seconds=5.0)}
    found = judging.judge(Rules((), {}, minimum=300), seen)
    assert found.verdict == "fail"
    assert found.reason == "traffic 0, and 1 is the least"
    assert [each["verdict"] for each in found.facts["metrics"]] == ["pass", "inconclusive", "fail"]


def test_why_nothing_could_be_read_is_said():
    found = judging.judge(Rules((), {}, minimum=300), {ERRORS: Seen(DOWN), P95: Seen(counted(300, 0))})
    assert found.reason == "errors: nobody answers; p95: probe has no value of it"


def test_a_watch_in_which_nothing_was_judged_is_no_success():
    assert judging.judge(Rules((), {}), {}).verdict == "inconclusive"


LOOKS = {
    "none is tolerated": (Rules((), {}), "PF", "fail"),
    "the third fails, where two are tolerated": (Rules((), {}, tolerated=2), "FPFPF", "fail"),
    "two are tolerated, and leave it undecided": (Rules((), {}, tolerated=2), "FPF", "inconclusive"),
    "a good look after two": (Rules((), {}, tolerated=2), "FFP", "pass"),
    "one in ten, for hours": (Rules((), {}, tolerated=1), "PPPPPPPPPF" * 9, "inconclusive"),
    "two in ten": (Rules((), {}, tolerated=1), "PPPPPPPPFPF", "fail"),
    "two in a row": (Rules((), {}, tolerated=3, consecutive=2), "PFF", "fail"),
    "two, and not in a row": (Rules((), {}, tolerated=3, consecutive=2), "FPF", "inconclusive"),
    "looks without a verdict are no failures": (Rules((), {}, tolerated=1), "IIIIF", "inconclusive"),
    "and no successes": (Rules((), {}), "PPI", "inconclusive"),
}


@pytest.mark.parametrize(("rules", "looks", "verdict"), LOOKS.values(), ids=LOOKS)
def test_looks_are_judged_together(rules, looks, verdict):
    names = {"P": "pass", "F": "fail", "I": "inconclusive"}
    assert together(rules, [Judgement(names[look], "") for look in looks]).verdict == verdict


def test_it_is_said_on_which_failing_look_it_fails():
    assert fails_on(Rules((), {})) == "the 1st failing look"
    assert (
        fails_on(Rules((), {}, tolerated=2, consecutive=2))
        == "the 3rd failing look of the last 10, or the 2nd in a row"
    )
    assert fails_on(Rules((), {}, tolerated=11, within=20)) == "the 12th failing look of the last 20"


MANN_WHITNEY = [  # the values of scipy 1.17: mannwhitneyu(…, alternative="greater", method="asymptotic")
    ([19, 22, 16, 29, 24], [20, 11, 17, 12], 0.055673443266570206),
    ([1, 2, 2, 3, 3, 3, 4, 8, 9, 9], [1, 1, 2, 2, 3, 3, 4, 4, 5], 0.1915023420096552),
    ([0.1, 0.1, 0.1, 0.2], [0.1, 0.1, 0.3, 0.1, 0.1], 0.5665923574362888),
    ([5, 6, 7, 8, 9, 10, 11, 12], [1, 2, 3, 4, 5, 6, 7, 8], 0.0066565013819083274),
    ([3, 3, 3], [3, 3], 1.0),
    ([], [1], 1.0),
]


@pytest.mark.parametrize(("arm", "baseline", "expected"), MANN_WHITNEY)
def test_mann_whitney_gives_known_values(arm, baseline, expected):
    assert statistics.mann_whitney(arm, baseline) == pytest.approx(expected, abs=1e-12)


def test_mann_whitney_is_near_what_counting_every_division_gives():
    arm, baseline = [2, 3, 3, 5, 6, 6, 8], [1, 2, 2, 3, 4, 5]
    pooled = arm + baseline

    def above(chosen):
        rest = [value for place, value in enumerate(pooled) if place not in chosen]
        return sum((pooled[place] > other) + (pooled[place] == other) / 2 for place in chosen for other in rest)

    every = [above(set(chosen)) for chosen in itertools.combinations(range(len(pooled)), len(arm))]
    exact = standard.mean(each >= above(set(range(len(arm)))) for each in every)
    assert statistics.mann_whitney(arm, baseline) == pytest.approx(exact, abs=0.01)


def test_the_rule_of_three_and_the_tail_it_comes_from():
    assert [statistics.needed(limit) for limit in (0.01, 0.001, 0.03)] == [300, 3000, 100]
    assert pytest.approx(0.05, abs=0.001) == (1 - 0.01) ** 300  # nothing in 300, at a true rate of 1 %
    assert statistics.chance(5, 40, 0.01) == pytest.approx(4.91543870339479e-05)
    assert statistics.chance(0, 40, 0.01) == 1.0


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.95, 95), (0.99, 99), (0.0, 1), (1.0, 100)])
def test_a_quantile_is_a_sample(share, expected):
    assert statistics.quantile(range(1, 101), share) == expected
