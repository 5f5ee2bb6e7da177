"""What a watch does with verdicts, what a strategy does with a watch, and what a rollout costs."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from migrator.ledger.rollouts import ActionRecord
from migrator.rollouts.analysis.model import Judgement
from migrator.rollouts.configuration import read
from migrator.rollouts.figures import figures
from migrator.rollouts.instances import InstanceFailed, Instances
from migrator.rollouts.model import Outcome, Watch, Wish, as_data
from migrator.rollouts.performing import World, arms
from migrator.rollouts.plan import CanaryStep, RolloutPlan, Rules, Server
from migrator.rollouts.strategies import STRATEGIES
from migrator.rollouts.strategies.common import watched

FLEET = tuple(Server(name, "blue" if name[0] == "b" else "green", "h:1") for name in ("b1", "b2", "b3", "g1"))
RULES = Rules(bake=1.0, steps=(CanaryStep(20, 1.0), CanaryStep(50, 1.0)))


def plan(strategy="canary"):
    return RolloutPlan("shop", "production", strategy, "2.0", "1.0", FLEET, "blue", "green", RULES)


@dataclass
class Saying:
    """An analyst that says one verdict after the other, and the last one from then on."""

    verdicts: list[str]
    every: float = 0.0
    patience: float | None = None
    said: list[str] = field(default_factory=list)

    @contextmanager
    def watch(self, _arm, _against):
        yield self

    def look(self):
        self.said.append(self.verdicts[min(len(self.said), len(self.verdicts) - 1)])
        return Judgement(self.said[-1], f"look {len(self.said)}")


def watch(analyst, seconds=0.05, wishes=(), **more):
    """The outcome of a watch during which somebody asks something, look by look."""
    asked = iter(wishes)
    world = World(None, plan(), None, None, None, analyst, lambda **_: next(asked, Wish()), lambda *_: None)
    return world.perform(Watch(seconds, "green", "blue", **more))


PASS, FAIL, FEW = "pass", "fail", "insufficient_traffic"


@pytest.mark.parametrize(
    ("verdicts", "ok", "verdict"),
    [
        ([PASS], True, PASS),
        ([FAIL], False, FAIL),
        ([PASS, FAIL, PASS], False, FAIL),
        ([FEW, PASS], True, PASS),
        ([FEW], True, FEW),
        (["inconclusive"], True, "inconclusive"),
    ],
)
def test_a_watch_ends_with_its_last_verdict_and_at_once_with_a_bad_one(verdicts, ok, verdict):
    done = watch(Saying(verdicts), seconds=0.25)
    assert (done.ok, done.facts["verdict"]) == (ok, verdict)


def test_the_end_of_the_time_overrides_no_look():
    analyst = Saying([FAIL], every=60.0)
    done = watch(analyst)
    assert (analyst.said, done.ok) == ([FAIL], False)


def test_what_is_aborted_before_there_was_enough_is_no_success():
    done = watch(Saying([FEW]), None, wishes=[Wish(), Wish(), Wish("abort", "enough")])
    assert (done.ok, done.reason, done.facts["verdict"]) == (False, "abort: enough", FEW)
    assert watch(Saying([PASS]), wishes=[Wish("abort")]).facts["verdict"] == "inconclusive"


def test_a_pause_keeps_a_watch_from_ending_and_no_look_from_being_taken():
    paused = [Wish("pause")] * 3
    assert watch(Saying([PASS, PASS, FAIL]), wishes=paused).facts["verdict"] == FAIL
    analyst = Saying([PASS])
    assert watch(analyst, wishes=paused).ok
    assert len(analyst.said) > 3


def test_what_is_promoted_says_what_was_known():
    done = watch(Saying([FEW]), None, wishes=[Wish(), Wish(), Wish("promote")])
    assert (done.ok, done.facts["verdict"], done.facts["judged"]) == (True, "promoted", FEW)


def test_a_wait_for_a_verdict_ends_with_it_or_with_the_patience():
    assert watch(Saying([FEW, PASS]), None, until_judged=True).facts["verdict"] == PASS
    assert not watch(Saying([FEW, FAIL]), None, until_judged=True).ok
    done = watch(Saying([FEW], patience=0.2), None, until_judged=True)
    assert (done.ok, done.reason.partition(":")[0]) == (False, "no verdict within 0.2 s")


@pytest.mark.parametrize("verdict", [FEW, "inconclusive"])
def test_a_step_that_could_not_be_judged_is_waited_for(verdict):
    part = watched(1.0, "green", "blue", "5 % on 2.0")
    assert next(part) == Watch(1.0, "green", "blue", "5 % on 2.0")
    asked = part.send(Outcome(ok=True, reason="12 requests", facts={"verdict": verdict}))
    assert asked == Watch(None, "green", "blue", "5 % on 2.0: 12 requests", until_judged=True)
    with pytest.raises(StopIteration):
        part.send(Outcome(ok=True, facts={"verdict": PASS}))


def test_servers_that_are_replaced_are_compared_with_those_that_are_not():
    arm, against = arms(plan("rolling"), Watch(1.0, "blue", "blue", servers=("b1",)))
    assert (arm.version, arm.servers) == ("2.0", ("b1",))
    assert (against.version, against.servers) == ("1.0", ("b2", "b3"))
    assert arms(plan("rolling"), Watch(1.0, "blue", servers=("b1", "b2", "b3")))[1] is None


def taken(strategy, kind, number):
    """The actions of a rollout, a second each, of which the one of a kind with that number fails."""
    machine, moment, seen, records = STRATEGIES[strategy](plan(strategy)), datetime(2026, 1, 1, tzinfo=UTC), 0, []
    action = next(machine)
    while True:
        seen += type(action).__name__ == kind
        bad = type(action).__name__ == kind and seen == number
        ended = moment + timedelta(seconds=1)
        outcome = Outcome(ok=not bad)
        records.append(ActionRecord(len(records), as_data(action), {}, asdict(outcome), moment, ended))
        moment = ended
        try:
            action = machine.send(outcome)
        except StopIteration:
            return records


COSTS = {
    ("canary", "Watch", 1): {"exposed_percent": 20.0, "rollback_seconds": 2.0},
    ("canary", "Watch", 2): {"exposed_percent": 50.0, "rollback_seconds": 2.0},
    ("canary", "Watch", 3): {"exposed_percent": 66.67, "rollback_seconds": 3.0},
    ("canary", "Smoke", 1): {"exposed_percent": 0.0},
    ("canary", "Watch", 0): {"exposed_percent": 100.0},
    ("blue-green", "Watch", 1): {"exposed_percent": 20.0, "rollback_seconds": 2.0},
    ("blue-green", "Watch", 3): {"exposed_percent": 100.0, "rollback_seconds": 2.0},
    ("rolling", "Watch", 1): {"exposed_percent": 33.33, "rollback_seconds": 2.0},
    ("rolling", "Watch", 2): {"exposed_percent": 66.67, "rollback_seconds": 6.0},
    ("rolling", "Watch", 0): {"exposed_percent": 100.0},
}


@pytest.mark.parametrize(("strategy", "kind", "number"), COSTS)
def test_a_rollout_says_how_much_was_exposed_and_how_long_taking_it_back_took(strategy, kind, number):
    assert figures(plan(strategy), taken(strategy, kind, number)) == COSTS[strategy, kind, number]


def instances(folder, **commands):
    pools = {"blue": {"b1": "h:1", "b2": "h:2"}}
    data = {"app": "shop", "strategy": "rolling", "pools": pools, "target": {}, "commands": commands}
    return Instances(read(data, folder))


def test_what_a_check_says_is_kept(tmp_path):
    (done,) = instances(tmp_path, checks=["sh -c 'echo $MIGRATOR_SERVER {version}; echo fine >&2'"]).check(
        FLEET[0], "2.0"
    )
    assert done.said == "b1 2.0 | fine"


def test_a_check_is_tried_as_often_as_is_said(tmp_path):
    second = f"{sys.executable} -c \"import os; os.path.exists('once') or exit(open('once', 'w').close() or 1)\""
    with pytest.raises(InstanceFailed, match="ended with 1"):
        instances(tmp_path, checks=[second]).check(FLEET[0], "2.0")
    (tmp_path / "once").unlink()
    assert len(instances(tmp_path, checks=[second], attempts=2).check(FLEET[0], "2.0")) == 1


def test_a_check_that_hangs_is_ended_with_what_it_began(tmp_path):
    with pytest.raises(InstanceFailed, match=r"on b1: sh took longer than 0\.3 s: waiting"):
        instances(tmp_path, checks=["sh -c 'echo waiting; sleep 60 & sleep 60'"], timeout="300ms").check(
            FLEET[0], "2.0"
        )
