"""Canary: a small share of the traffic tries the version first, in steps; then the live pool is rolled."""

from __future__ import annotations

from migrator.rollouts.model import Admit, Begin, Ending, Failed, Machine, Part, Split, do
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.strategies.common import finished, ready, retired, taken_back, watched
from migrator.rollouts.strategies.rolling import roll, unrolled


def canary(plan: RolloutPlan) -> Machine:
    """Let the idle pool have a growing share, compared with the live one or a baseline; then roll the live pool.

    The canary keeps its share while the live pool is rolled, and is ended when that is over.
    """
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    others = [pool for pool in (plan.idle, plan.rules.baseline) if pool]
    whole = Split({plan.live: 100, **dict.fromkeys(others, 0)})
    arms_ended = retired(server for pool in others for server in plan.servers(pool))
    touched: dict[str, bool] = {}
    exposed = False
    try:
        yield from arms(plan)
        exposed = True
        yield from steps(plan)
        yield from roll(plan, touched)
        yield from do(whole)
    except Failed as problem:
        groups = [(whole,), *unrolled(plan, touched), *arms_ended]
        return (yield from taken_back(plan, problem, groups, exposed=exposed))
    return (yield from finished(plan, arms_ended))


def arms(plan: RolloutPlan) -> Part:
    """The canary, and beside it the version before: of the same age and size, so that only the version differs."""
    pairs = [(server, plan.version) for server in plan.servers(plan.idle)]
    pairs += [(server, plan.previous) for server in plan.servers(plan.rules.baseline)]
    for server, version in pairs:
        yield from ready(server, version)
        outcome = yield from do(Admit(server))
    return outcome


def steps(plan: RolloutPlan) -> Part:
    baseline = plan.rules.baseline
    for step in plan.rules.steps:
        shares = {plan.live: 100 - step.weight, plan.idle: step.weight}
        if baseline:
            shares = {plan.live: 100 - 2 * step.weight, plan.idle: step.weight, baseline: step.weight}
        yield from do(Split(shares))
        said = f"{step.weight:g} % on {plan.version}"
        outcome = yield from watched(step.pause, plan.idle, baseline or plan.live, said)
    return outcome
