"""A/B tests on paper: how many users they take, and what is found in what was counted."""

from __future__ import annotations

import random
import re
from collections import Counter

import pytest

from migrator.rollouts import configuration as configuring
from migrator.rollouts.analysis.model import Arm, Judgement, Reading
from migrator.rollouts.experiments import configuration as experimenting
from migrator.rollouts.experiments import design
from migrator.rollouts.experiments.judging import judge
from migrator.rollouts.experiments.looking import ExperimentLooks
from migrator.rollouts.experiments.model import Arms, Counted, Experiment
from migrator.rollouts.plan import ExperimentRules
from migrator.rollouts.targets.routing import BUCKETS, buckets

ASKED = Experiment(50.0, 0.05, 0.01, "command", {}, looks=5)
RULES = ExperimentRules(50.0, 5, (1000, 1000), 2.040)


def test_a_rise_from_five_to_six_percent_takes_8158_users_an_arm():
    assert design.fixed(0.05, 0.01, 0.8, 0.05) == (8158, 8158)
    assert design.fixed(0.06, -0.01, 0.8, 0.05) == (8158, 8158)
    control, variant = design.fixed(0.05, 0.01, 0.8, 0.05, share=20)
    assert (control, variant) == (19963, 4991)


@pytest.mark.parametrize(
    ("looks", "boundary", "inflation"),  # Jennison and Turnbull, tables 2.3 and 2.4, alpha 0.05, power 0.8
    [(1, 1.960, 1.000), (2, 1.977, 1.008), (3, 2.004, 1.017), (5, 2.040, 1.028)],
)
def test_looks_before_the_end_cost_what_the_tables_say(looks, boundary, inflation):
    assert design.boundary(0.05, looks) == pytest.approx(boundary, abs=0.0006)
    assert design.inflation(0.8, 0.05, looks) == pytest.approx(inflation, abs=0.0006)
    assert design.sample(0.05, 0.01, 0.8, 0.05, looks=looks)[0] == pytest.approx(8158 * inflation, abs=5)


def test_looking_early_finds_no_more_differences_that_are_not_there():
    """Five looks at arms that are alike: at 1.96 each, 14 % of the tests would have a winner."""
    chance, found, tests = random.Random(8158), Counter(), 4000
    limit = design.boundary(0.05, 5)
    for _ in range(tests):
        total, crossed = 0.0, Counter()
        for look in range(1, 6):
            total += chance.gauss(0, 1)
            score = abs(total) / look**0.5
            crossed["bounded"] += score >= limit * (5 / look) ** 0.5
            crossed["naive"] += score >= 1.96
        found.update(name for name, times in crossed.items() if times)
    assert found["bounded"] / tests < 0.06
    assert found["naive"] / tests > 0.11


def arms(control, variant):
    return Arms(Counted(*control), Counted(*variant))


FOUND = {
    "nobody yet": (1, arms((0, 0), (0, 0)), False, "insufficient_traffic", None),
    "too few for the first look": (1, arms((199, 5), (205, 90)), False, "insufficient_traffic", None),
    "a winner that the first look does not believe": (1, arms((200, 10), (200, 25)), False, "pass", "going on"),
    "one that it does": (1, arms((200, 10), (200, 60)), False, "pass", "variant"),
    "harm that it believes": (1, arms((200, 60), (200, 10)), False, "fail", "control"),
    "a winner at the end": (5, arms((1000, 50), (1000, 75)), False, "pass", "variant"),
    "a loser at the end": (5, arms((1000, 75), (1000, 50)), False, "fail", "control"),
    "nothing at the end": (5, arms((1000, 50), (1000, 60)), False, "fail", "no difference"),
    "no conversion at all": (5, arms((1000, 0), (1000, 0)), False, "fail", "no difference"),
    "time is over, too early for this one": (2, arms((300, 15), (300, 35)), True, "fail", "no difference"),
    "time is over, and this one is clear": (2, arms((300, 15), (300, 90)), True, "pass", "variant"),
    "time is over and nobody came": (1, arms((0, 0), (0, 0)), True, "fail", "no difference"),
    "users are lost in an arm": (5, arms((1170, 60), (1000, 80)), False, "fail", "invalid"),
    "a mismatch that chance explains": (5, arms((1060, 50), (1000, 80)), False, "pass", "variant"),
    "blatant between two looks": (5, arms((900, 50), (600, 30)), False, "fail", "invalid"),
    "more conversions than users": (5, arms((1000, 50), (1000, 1001)), False, "inconclusive", None),
    "the source is down": (5, Arms(problem="nobody answers"), False, "inconclusive", None),
    "the source is down at the end": (5, Arms(problem="nobody answers"), True, "fail", "no difference"),
}


@pytest.mark.parametrize(("look", "counted", "over", "verdict", "result"), FOUND.values(), ids=FOUND)
def test_counts_have_a_verdict(look, counted, over, verdict, result):
    found = judge(ASKED, RULES, look, counted, over=over)
    assert (found.verdict, found.facts.get("result")) == (verdict, result)
    assert found.reason


def test_fewer_can_be_better():
    lower = Experiment(50.0, 0.05, 0.01, "command", {}, lower=True)
    found = judge(lower, RULES, 5, arms((1000, 75), (1000, 50)), over=False)
    assert found.facts["result"] == "variant"


def test_harm_by_a_guardrail_ends_it_at_once():
    class Said:
        def __init__(self, verdict):
            self.verdict = verdict

        def look(self):
            return Judgement(self.verdict, "errors 4 %")

        def read(self, arm, seconds):
            return Reading(values={"users": 10.0, "conversions": 1.0})

    def looks(verdict):
        arms = Arm("green", "2"), Arm("blue", "1")
        return ExperimentLooks(ASKED, RULES, Said(""), 1, lambda: 60.0, *arms, Said(verdict)).look()

    assert (looks("fail").verdict, looks("fail").reason) == ("fail", "the variant does harm: errors 4 %")
    assert looks("pass").verdict == "insufficient_traffic"
    assert looks("inconclusive").verdict == "insufficient_traffic"


def test_a_salt_divides_users_otherwise_and_a_share_that_grows_keeps_whom_it_has():
    def having(salt, share):
        row = buckets({"blue": 100 - share, "green": share}, salt)
        assert len(row) == BUCKETS
        return {bucket for bucket, pool in enumerate(row) if pool == "green"}

    assert len(having("one", 20)) == 200
    assert having("one", 20) < having("one", 50)
    assert 60 < len(having("one", 50) & having("two", 20)) < 140
    assert having("", 20) == set(range(200)) or having("", 20) == set(range(800, 1000))


TABLE = {"baseline": "5%", "effect": "1%", "source": "command", "command": {"run": "./count"}}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"baseline": None}, "does not say baseline"),
        ({"basline": "5%"}, 'did you mean "baseline"?'),
        ({"baseline": "0%"}, "is no chance"),
        ({"effect": "96%"}, "it is the difference in percent of users"),
        ({"effect": "6%", "better": "lower"}, "is -1 %"),
        ({"share": 100}, "leave nobody to compare with"),
        ({"looks": 50}, "more than 20"),
        ({"power": "5%", "alpha": "80%"}, "leave the answer to chance"),
        ({"then": "canary"}, "must be one of rolling, blue-green, stop"),
        ({"salt": "a b"}, "other characters"),
        ({"source": "haproxy"}, "must be one of prometheus, command"),
        ({"command": {}}, "does not say what is run"),
        ({"prometheus": {"url": "http://p"}}, 'and source = "command"'),
        (
            {"source": "prometheus", "command": None, "prometheus": {"url": "http://p", "queries": {"users": "u"}}},
            "queries are users and conversions, not users",
        ),
    ],
)
def test_a_question_that_cannot_be_meant_is_refused(tmp_path, change, said):
    ab = {key: value for key, value in {**TABLE, **change}.items() if value is not None}
    pools = {"blue": {"b1": "h:1"}, "green": {"g1": "h:2"}}
    data = {"app": "shop", "strategy": "ab", "pools": pools, "target": {"kind": "shell"}, "ab": ab}
    with pytest.raises(ValueError, match=re.escape(said)):
        experimenting.read(configuring.read(data, tmp_path))


def test_the_sample_is_part_of_the_plan_and_said_before_it_begins(tmp_path):
    data = {"app": "shop", "strategy": "ab", "pools": {"blue": {"b1": "h:1"}}, "target": {"kind": "shell"}, "ab": TABLE}
    made = experimenting.rules(experimenting.read(configuring.read(data, tmp_path)))
    assert made.sample == pytest.approx((8390, 8390), abs=5)
    assert (made.looks, made.share, made.then) == (5, 50.0, "rolling")
