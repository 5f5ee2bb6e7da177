"""A/B test: a share of the users has the version for as long as it takes to tell whether they do better with it."""

from __future__ import annotations

from collections.abc import Iterable

from migrator.rollouts.experiments.model import GOING_ON
from migrator.rollouts.model import (
    Action,
    Admit,
    Begin,
    Ending,
    Failed,
    Look,
    Machine,
    Mark,
    Outcome,
    Part,
    Split,
    do,
)
from migrator.rollouts.plan import ExperimentRules, RolloutPlan
from migrator.rollouts.strategies.common import finished, ready, retired, taken_back, watched
from migrator.rollouts.strategies.rolling import roll, unrolled

THEN = ("rolling", "blue-green", "stop")
"""How a variant that wins goes live: the control's servers are rolled, or the traffic moves to the variant's."""


def ab(plan: RolloutPlan) -> Machine:
    """Give the idle pool a share that stays, test at the looks that were said before, and act on what is found."""
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    rules = rules_of(plan)
    whole = Split({plan.live: 100, plan.idle: 0})
    touched: dict[str, bool] = {}
    exposed = False
    try:
        for server in plan.servers(plan.idle):
            yield from ready(server, plan.version)
            yield from do(Admit(server))
        exposed = True
        found = yield from looked(plan, rules)
        yield from live(plan, rules, found, whole, touched)
    except Failed as problem:
        groups: list[tuple[Action, ...]] = [(whole,), *unrolled(plan, touched), *retired(plan.servers(plan.idle))]
        return (yield from taken_back(plan, problem, groups, exposed=exposed))
    return (yield from finished(plan, retired(needless(plan, rules))))


def rules_of(plan: RolloutPlan) -> ExperimentRules:
    assert plan.rules.experiment is not None
    return plan.rules.experiment


def looked(plan: RolloutPlan, rules: ExperimentRules) -> Part:
    """Divide the users, and look as often as was said; each look is taken once, whoever is killed at it.

    Raises:
        Failed: no look found the variant better.
    """
    yield from do(Split({plan.live: 100 - rules.share, plan.idle: rules.share}))
    begun = yield from do(Mark("the experiment begins"))
    for number in range(1, rules.looks + 1):
        look = Look(plan.idle, plan.live, number, rules.looks, begun.facts.get("at", 0.0))
        found = yield from do(look)
        if found.facts.get("result") != GOING_ON:
            return found
    raise Failed(look, Outcome(ok=False, reason="no look found a difference"))


def live(plan: RolloutPlan, rules: ExperimentRules, found: Outcome, whole: Split, touched: dict[str, bool]) -> Part:
    """Give everybody the variant that won.

    Raises:
        Failed: nobody wants that, or it does badly on the way.
    """
    if rules.then == "stop":
        raise Failed(whole, Outcome(ok=False, reason=f"{found.reason}; taken back, as was said before"))
    if rules.then == "rolling":
        yield from roll(plan, touched)
        return (yield from do(whole))
    yield from do(Split({plan.live: 0, plan.idle: 100}))
    return (yield from watched(plan.rules.bake, plan.idle, "", f"all traffic on {plan.version}"))


def needless(plan: RolloutPlan, rules: ExperimentRules) -> Iterable[str]:
    """Servers without traffic once everybody has the variant."""
    return plan.servers(plan.idle if rules.then == "rolling" else plan.live)
