"""A canary on a platform that has both versions of one server beside each other, and divides its traffic itself."""

from __future__ import annotations

from migrator.rollouts.model import Admit, Begin, Ending, Failed, Finish, Machine, Smoke, Split, Start, do
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.strategies.canary import steps
from migrator.rollouts.strategies.common import taken_back, watched


def canary_in_place(plan: RolloutPlan) -> Machine:
    """Let the version have a growing share beside the one before, then all of it, and then be the one that is live."""
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    (live,), (beside,) = plan.servers(plan.live), plan.servers(plan.idle)
    exposed = False
    try:
        yield from do(Start(beside, plan.version))
        yield from do(Smoke(beside, plan.version))
        yield from do(Admit(beside))
        exposed = True
        yield from steps(plan)
        yield from do(Split({plan.live: 0, plan.idle: 100}))
        yield from watched(plan.rules.bake, plan.idle, "", f"all traffic is on {plan.version}")
        yield from do(Start(live, plan.version))
        yield from do(Finish(plan.version, "succeeded"))
    except Failed as problem:
        back = [(Split({plan.live: 100, plan.idle: 0}), Start(live, plan.previous))]
        return (yield from taken_back(plan, problem, back, exposed=exposed))
    return Ending("succeeded")
