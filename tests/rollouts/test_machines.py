"""Strategies on a model of a fleet: whatever action fails, traffic always has servers, and ends where it should."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from migrator.rollouts.model import Admit, Drain, Ending, Finish, MayRun, Outcome, Split, Start, Stop, Watch, words
from migrator.rollouts.plan import CanaryStep, Place, RolloutPlan, Rules
from migrator.rollouts.strategies import STRATEGIES

POOLS = {"blue": ("b1", "b2", "b3"), "green": ("g1",), "grey": ("y1",)}
STEPS = (CanaryStep(5, 60.0), CanaryStep(50, 60.0))
PLANS = {
    "rolling": Rules(batch_size=2, max_unavailable=2, bake=10.0),
    "in-place": Rules(bake=10.0),
    "blue-green": Rules(bake=10.0, keep=10.0),
    "blue-green in steps": Rules(steps=STEPS),
    "canary": Rules(steps=STEPS),
    "canary with a baseline": Rules(steps=STEPS, baseline="grey"),
}


def plan(name):
    places = tuple(Place(server, pool, "127.0.0.1:1") for pool, servers in POOLS.items() for server in servers)
    return RolloutPlan("shop", "production", name.split(" ")[0], "2", "1", places, "blue", "green", PLANS[name])


@dataclass
class Fleet:
    """Servers and traffic as actions leave them."""

    plan: RolloutPlan
    version: dict[str, str] = field(default_factory=lambda: dict.fromkeys(POOLS["blue"], "1"))
    admitted: set[str] = field(default_factory=lambda: set(POOLS["blue"]))
    shares: dict[str, float] = field(default_factory=lambda: {"blue": 100.0})
    recorded: list[str] = field(default_factory=list)
    exposed: float = 0.0
    taken: list[object] = field(default_factory=list)

    def do(self, action):
        self.taken.append(action)
        match action:
            case Start(server, version) if self.plan.strategy == "in-place":
                self.version[server] = version
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
            if not bad:
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
    assert fleet.recorded == ["succeeded"]


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
            assert fleet.recorded[-1] == "rolled_back"


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
        if ending.status == "succeeded":
            continue
        assert ending.status == "held"
        assert "not taken back" in ending.reason
        assert fleet.recorded == ["failed"]


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
