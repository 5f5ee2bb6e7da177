"""In place: the platform itself replaces the instances of a server, some at a time; rolling is this on such a one."""

from __future__ import annotations

from migrator.rollouts.model import Begin, Ending, Failed, Finish, Machine, Smoke, Start, do
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.strategies.common import taken_back, watched


def in_place(plan: RolloutPlan) -> Machine:
    """Have the version put on one server after another, and the former one put back where that fails."""
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    touched: list[str] = []
    try:
        for server in plan.servers(plan.live):
            touched.append(server)
            yield from do(Start(server, plan.version))
            yield from do(Smoke(server, plan.version))
            yield from watched(plan.rules.bake, plan.live, "", f"{server} runs {plan.version}")
        yield from do(Finish(plan.version, "succeeded"))
    except Failed as problem:
        back = [(Start(server, plan.previous),) for server in reversed(touched)]
        return (yield from taken_back(plan, problem, back, exposed=True))
    return Ending("succeeded")
