"""Shadow: copies of requests go to the version, and nobody its answers; what it answers is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from migrator.rollouts.analysis.model import UNDECIDED
from migrator.rollouts.model import (
    Action,
    Admit,
    Begin,
    Compare,
    Confine,
    Ending,
    Failed,
    Finish,
    Gauge,
    Machine,
    Mirror,
    Outcome,
    Part,
    Settle,
    Smoke,
    Start,
    do,
)
from migrator.rollouts.plan import RolloutPlan, ShadowRules
from migrator.rollouts.strategies.blue_green import blue_green
from migrator.rollouts.strategies.canary import canary
from migrator.rollouts.strategies.common import each, retired
from migrator.rollouts.strategies.rolling import rolling

ROLE = "shadow"
THEN: Mapping[str, Callable[[RolloutPlan], Machine]] = {"rolling": rolling, "canary": canary, "blue-green": blue_green}
"""How a version that did well as a shadow may go live; it is started anew for it, with a role that writes."""


def shadow(plan: RolloutPlan) -> Machine:
    """Start the version in the idle pool, compare what it answers to copies, and stop it; then perhaps go live.

    Nothing is asked before it is taken back: the version before has all traffic all the time.
    """
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    rules = rules_of(plan)
    try:
        yield from do(Confine(plan.version))
        for server in plan.servers(plan.idle):
            yield from do(Start(server, plan.version, ROLE))
            yield from do(Smoke(server, plan.version))
            yield from do(Admit(server))
        compared = yield from mirrored(plan, rules)
        if rules.then == "stop":
            return (yield from over(plan, "succeeded", compared.reason))
        for group in ends(plan):
            for action in group:
                yield from do(action)
        yield from do(Finish(plan.version, "succeeded"))
    except Failed as problem:
        return (yield from over(plan, "rolled_back", problem.outcome.reason))
    ending = yield from recorded_as(rules.then, THEN[rules.then](replace(plan, strategy=rules.then)))
    if ending.status == "refused":
        return Ending("rolled_back", f"it did well as a shadow, and does not go live: {ending.reason}")
    return ending


def rules_of(plan: RolloutPlan) -> ShadowRules:
    assert plan.rules.shadow is not None
    return plan.rules.shadow


def mirrored(plan: RolloutPlan, rules: ShadowRules) -> Part:
    """Copy requests, and compare; where there was too little to judge from, until there is enough."""
    timed = yield from do(Gauge(rules.before))
    yield from do(Mirror(plan.idle, rules.percent))
    why = f"{rules.percent:g} % of the requests copied to {plan.version}"
    compare = Compare(plan.idle, plan.live, rules.seconds, timed.facts.get("p95", 0.0), why)
    outcome = yield from do(compare)
    if outcome.facts.get("verdict") in UNDECIDED:
        unsure = replace(compare, seconds=None, why=f"{why}: {outcome.reason}", until_judged=True)
        return (yield from do(unsure))
    return outcome


def ends(plan: RolloutPlan) -> list[tuple[Action, ...]]:
    """No further copies first, then the servers that nobody uses."""
    return [(Mirror(plan.idle, 0.0),), *retired(plan.servers(plan.idle))]


def over(plan: RolloutPlan, status: str, reason: str) -> Machine:
    """End the shadow, which has changed nothing for users, whatever was found."""
    yield Settle(f"the shadow of {plan.version} ends")
    wrong = yield from each(ends(plan))
    yield Finish(plan.version, "failed" if wrong else status)
    if wrong:
        return Ending("failed", f"{reason}; ending the shadow: {'; '.join(wrong)}")
    if status == "succeeded":
        return Ending("shadowed", reason)
    return Ending("rolled_back", f"{reason}; no user had an answer of {plan.version}")


def recorded_as(strategy: str, machine: Machine) -> Machine:
    """A machine whose deployment is one of its own, beside that of the shadow."""
    action = next(machine)
    while True:
        if isinstance(action, Begin | Finish):
            action = replace(action, strategy=strategy)
        outcome: Outcome = yield action
        try:
            action = machine.send(outcome)
        except StopIteration as done:
            ending: Ending = done.value
            return ending
