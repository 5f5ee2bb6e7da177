"""Rolling: a few servers at a time get the version, while the others have the traffic."""

from __future__ import annotations

from migrator.rollouts.model import Action, Admit, Begin, Drain, Ending, Failed, Finish, Machine, Outcome, Part, do
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.strategies.common import ready, replaced, taken_back, watched


def rolling(plan: RolloutPlan) -> Machine:
    """Replace the version of the live pool's servers, batch by batch."""
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    touched: dict[str, bool] = {}
    try:
        yield from roll(plan, touched)
        yield from do(Finish(plan.version, "succeeded"))
    except Failed as problem:
        return (yield from taken_back(plan, problem, unrolled(plan, touched), exposed=any(touched.values())))
    return Ending("succeeded")


def roll(plan: RolloutPlan, touched: dict[str, bool]) -> Part:
    """Replace what runs in the live pool; what is replaced is compared with what is not yet.

    Args:
        touched: gets each server that is begun with, and whether it has been stopped.
    """
    servers, outcome = plan.servers(plan.live), Outcome(ok=True)
    size = min(plan.rules.batch_size, plan.rules.max_unavailable)
    for first in range(0, len(servers), size):
        batch = servers[first : first + size]
        for server in batch:
            touched[server] = False
            outcome = yield from do(Drain(server))
        for server in batch:
            touched[server] = True
            yield from ready(server, plan.version)
            outcome = yield from do(Admit(server))
        done = f"{min(first + size, len(servers))} of {len(servers)} servers run {plan.version}"
        changed, others = servers[: first + size], servers[first + size :]
        outcome = yield from watched(plan.rules.bake, plan.live, plan.live if others else "", done, changed)
    return outcome


def unrolled(plan: RolloutPlan, touched: dict[str, bool]) -> list[tuple[Action, ...]]:
    """What takes `roll` back: newest first; a server that only was drained still runs what it ran."""
    return [
        replaced(server, plan.previous) if stopped else (Admit(server),)
        for server, stopped in reversed(touched.items())
    ]
