"""Strategies on a model of a fleet: whatever action fails, traffic always has servers, and ends where it should."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from migrator.rollouts.model import (
    Admit,
    Begin,
    Compare,
    Drain,
    Ending,
    Finish,
    Look,
    MayRun,
    Mirror,
    Outcome,
    Settle,
    Split,
    Start,
    Stop,
    Watch,
    words,
)
from migrator.rollouts.plan import CanaryStep, ExperimentRules, RolloutPlan, Rules, Server, ShadowRules
from migrator.rollouts.strategies import STRATEGIES

POOLS = {"blue": ("b1", "b2", "b3"), "green": ("g1",), "grey": ("y1",)}
STEPS = (CanaryStep(5, 60.0), CanaryStep(50, 60.0))
PLANS = {
    "rolling": Rules(batch_size=2, max_unavailable=2, bake=10.0),
    "in-place": Rules(bake=10.0),
    "blue-green": Rules(bake=10.0, keep=10.0),
    "blue-green in steps": Rules(steps=STEPS),
    "canary": Rules(steps=STEPS),
    "canary-in-place": Rules(steps=STEPS, bake=10.0),
    "canary with a baseline": Rules(steps=STEPS, baseline="grey"),
    "shadow then rolling": Rules(shadow=ShadowRules(10.0, 60.0, then="rolling")),
    "shadow then canary": Rules(steps=STEPS, shadow=ShadowRules(10.0, 60.0, then="canary")),
    "ab": Rules(experiment=ExperimentRules(30.0, 2, (100, 100), 2.0)),
    "ab then blue-green": Rules(experiment=ExperimentRules(30.0, 2, (100, 100), 2.0, "blue-green")),
}


def plan(name):
    fleet = tuple(Server(server, pool, "127.0.0.1:1") for pool, servers in POOLS.items() for server in servers)
    if name == "canary-in-place":  # of one server, whose versions are beside each other
        fleet = tuple(server for server in fleet if server.name in ("b1", "g1"))
    rules = PLANS.get(name) or Rules(shadow=ShadowRules(10.0, 60.0))
    return RolloutPlan("shop", "production", name.split(" ")[0], "2", "1", fleet, "blue", "green", rules)


@dataclass
class Fleet:
    """Servers and traffic as actions leave them."""

    plan: RolloutPlan
    version: dict[str, str] = field(default_factory=dict)
    admitted: set[str] = field(default_factory=set)
    shares: dict[str, float] = field(default_factory=lambda: {"blue": 100.0})
    recorded: list[str] = field(default_factory=list)
    exposed: float = 0.0
    taken: list[object] = field(default_factory=list)
    refused: list[object] = field(default_factory=list)
    mirrored: float = 0.0

    def __post_init__(self):
        self.version |= dict.fromkeys(self.plan.servers("blue"), "1")
        self.admitted |= set(self.version)

    def do(self, action):
        self.taken.append(action)
        match action:
            case Start(server, version) if self.plan.strategy == "in-place":
                self.version[server] = version
            case Start("b1", version) if self.plan.strategy == "canary-in-place":
                self.version, self.admitted, self.shares = {"b1": version}, {"b1"}, {"blue": 100.0}
            case Start(server, _) | Stop(server):
                assert server not in self.admitted or not self.has_traffic(server), "stopped under traffic"
                self.version.pop(server, None)
                self.admitted.discard(server)
                if isinstance(action, Start):
                    self.version[server] = action.version
            case Admit(server):
                assert server in self.version, "traffic for a server that does not run"
                self.admitted.add(server)
            case Drain(server):
                self.admitted.discard(server)
            case Split(shares):
                assert sum(shares.values()) == 100
                self.shares = dict(shares)
            case Mirror(_, percent):
                self.mirrored = percent
            case Finish(_, status):
                self.recorded.append(status)
        self.check(action)

    def has_traffic(self, server):
        pool = next(pool for pool, servers in POOLS.items() if server in servers)
        return self.shares.get(pool, 0) > 0

    def check(self, action):
        for pool, share in self.shares.items():
            if share:
                assert any(server in self.admitted for server in POOLS[pool]), f"{pool} has none after {words(action)}"
        self.exposed = max(self.exposed, self.share_of("2"))

    def share_of(self, version):
        """Percent of the requests that a version gets."""
        found = 0.0
        for pool, share in self.shares.items():
            able = [server for server in POOLS[pool] if server in self.admitted]
            found += share * sum(self.version.get(server) == version for server in able) / len(able) if able else 0
        return found


def driven(plan, fails=(), refused=(), until=None):
    """Run a strategy; actions of the numbers `fails` do not go well, nor those of the kinds `refused`."""
    fleet, machine = Fleet(plan), STRATEGIES[plan.strategy](plan)
    action, number = next(machine), 0
    try:
        while number != until:
            bad = number in fails or isinstance(action, refused)
            if bad:
                fleet.refused.append(action)
            else:
                fleet.do(action)
            action = machine.send(Outcome(ok=not bad, reason="it broke" if bad else ""))
            number += 1
    except StopIteration as over:
        return fleet, over.value, number + 1
    return fleet, None, number


@pytest.fixture(params=PLANS)
def made(request):
    return plan(request.param)


def test_all_traffic_is_on_the_version_and_nothing_else_runs(made):
    fleet, ending, _ = driven(made)
    assert ending == Ending("succeeded")
    assert set(fleet.version.values()) == {"2"}
    assert fleet.share_of("2") == 100
    assert set(fleet.recorded) == {"succeeded"}
    assert fleet.mirrored == 0


def test_whatever_fails_everything_is_as_before_or_the_version_is_live(made):
    *_, length = driven(made)
    for number in range(length):
        fleet, ending, _ = driven(made, fails=[number])
        after = {"succeeded": "2", "rolled_back": "1", "refused": "1"}
        if ending.status == "failed":
            continue
        assert fleet.share_of(after[ending.status]) == 100, (number, ending)
        if ending.status == "rolled_back":
            assert fleet.version == Fleet(made).version, number
            (failed,) = fleet.refused
            assert fleet.recorded[-1] == ("succeeded" if isinstance(failed, Begin) else "rolled_back")


def test_a_step_that_does_badly_exposes_no_more_than_its_share(made):
    if not made.rules.steps:
        return
    for number, action in enumerate(driven(made)[0].taken):
        if isinstance(action, Watch) and action.arm == "green":
            fleet, ending, _ = driven(made, fails=[number])
            assert ending.status == "rolled_back"
            assert fleet.exposed == pytest.approx(fleet.taken[number - 1].shares["green"])


def test_a_version_that_may_not_run_any_more_is_not_gone_back_to(made):
    *_, length = driven(made)
    for number in range(1, length):
        fleet, ending, _ = driven(made, fails=[number], refused=MayRun)
        if not any(isinstance(action, MayRun) for action in fleet.refused):
            assert ending.status == "succeeded" or (made.strategy == "shadow" and ending.status == "rolled_back")
            continue
        assert ending.status == "held"
        assert "not taken back" in ending.reason
        assert fleet.recorded[-1] == "failed"


def test_a_version_that_may_not_run_changes_nothing(made):
    fleet, ending, _ = driven(made, fails=[0])
    assert ending.status == "refused"
    assert fleet.taken == []


def test_too_little_traffic_waits_for_more_or_for_people(made):
    if not made.rules.steps:
        return
    machine = STRATEGIES[made.strategy](made)
    action = next(machine)
    while not isinstance(action, Watch):
        action = machine.send(Outcome(ok=True))
    asked = machine.send(Outcome(ok=True, reason="3 of 300", facts={"verdict": "insufficient_traffic"}))
    assert asked == replace(action, seconds=None, why=f"{action.why}: 3 of 300", until_judged=True)


def test_a_shadow_has_no_user_and_leaves_nothing_whatever_fails():
    made = plan("shadow")
    fleet, ending, length = driven(made)
    assert ending.status == "shadowed"
    assert fleet.recorded == ["succeeded"]
    for number in range(length):
        fleet, ending, _ = driven(made, fails=[number])
        assert fleet.exposed == 0
        assert fleet.share_of("1") == 100
        if ending.status != "failed" and ending.status != "refused":
            assert (fleet.mirrored, fleet.version) == (0, Fleet(made).version), number
            assert fleet.recorded or any(isinstance(action, Finish) for action in fleet.refused)
        if any(isinstance(action, Compare) for action in fleet.refused):
            assert ending == Ending("rolled_back", "it broke; no user had an answer of 2")
            assert isinstance(fleet.taken[-5], Settle)


def test_a_shadow_that_cannot_be_judged_is_compared_until_it_can():
    machine = STRATEGIES["shadow"](plan("shadow"))
    action = next(machine)
    while not isinstance(action, Compare):
        action = machine.send(Outcome(ok=True, facts={"p95": 0.02}))
    assert action.p95 == 0.02
    asked = machine.send(Outcome(ok=True, reason="3 of 100", facts={"verdict": "insufficient_traffic"}))
    assert asked == replace(action, seconds=None, why=f"{action.why}: 3 of 100", until_judged=True)


def test_a_test_without_a_winner_is_taken_back_and_never_has_more_than_its_share():
    made = plan("ab")
    going_on = {"result": "going on"}
    for results in (["no"], [going_on, "no"], [going_on, going_on]):
        fleet, machine, waiting = Fleet(made), STRATEGIES["ab"](made), list(results)
        action = next(machine)
        try:
            while True:
                fleet.do(action)
                found = waiting.pop(0) if isinstance(action, Look) else {}
                bad = found == "no"
                action = machine.send(Outcome(ok=not bad, reason="control is better", facts={} if bad else found))
        except StopIteration as over:
            ending = over.value
        assert ending.status == "rolled_back"
        assert waiting == []
        assert fleet.exposed == pytest.approx(30)
        assert fleet.version == Fleet(made).version
