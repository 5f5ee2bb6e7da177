"""Blue-green: the version gets a pool of its own, then all traffic, at once or in steps; the former pool stays warm."""

from __future__ import annotations

from migrator.rollouts.model import Action, Admit, Begin, Ending, Failed, Machine, Part, Split, do
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.strategies.common import finished, ready, retired, taken_back, watched


def blue_green(plan: RolloutPlan) -> Machine:
    """Prepare the idle pool, move the traffic there, and end the former pool after a while."""
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    exposed = False
    try:
        for server in plan.servers(plan.idle):
            yield from ready(server, plan.version)
            yield from do(Admit(server))
        exposed = True
        yield from shift(plan)
    except Failed as problem:
        return (yield from taken_back(plan, problem, back(plan), exposed=exposed))
    return (yield from finished(plan, retired(plan.servers(plan.live))))


def shift(plan: RolloutPlan) -> Part:
    for step in plan.rules.steps:
        yield from do(Split({plan.live: 100 - step.weight, plan.idle: step.weight}))
        yield from watched(step.pause, plan.idle, plan.live, f"{step.weight:g} % on {plan.version}")
    outcome = yield from do(Split({plan.live: 0, plan.idle: 100}))
    yield from watched(plan.rules.bake, plan.idle, "", f"all traffic on {plan.version}")
    yield from watched(plan.rules.keep, plan.idle, "", f"{plan.previous} stays warm in {plan.live}")
    return outcome


def back(plan: RolloutPlan) -> list[tuple[Action, ...]]:
    """The traffic first, then the servers that nobody uses."""
    return [(Split({plan.live: 100, plan.idle: 0}),), *retired(plan.servers(plan.idle))]
