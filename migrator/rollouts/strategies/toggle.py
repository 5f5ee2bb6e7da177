"""Toggle: a flag gives users another variant of a version that is live; no server is touched."""

from __future__ import annotations

from migrator.rollouts.model import Begin, Ending, Failed, Finish, Flag, Machine, Part, Watch, do
from migrator.rollouts.plan import RolloutPlan, Toggle
from migrator.rollouts.strategies.common import taken_back, watched


def toggle(plan: RolloutPlan) -> Machine:
    """Let segments have the variant first, then a share of everybody that grows, and everybody at last."""
    assert plan.toggle is not None
    begun = yield Begin(plan.version)
    if not begun.ok:
        return Ending("refused", begun.reason)
    try:
        yield from turned(plan, plan.toggle)
        yield from do(Finish(plan.version, "succeeded"))
    except Failed as problem:
        return (yield from taken_back(plan, problem, [(turn(plan.toggle, 0),)], exposed=True))
    return Ending("succeeded")


def turned(plan: RolloutPlan, toggle: Toggle) -> Part:
    if toggle.segments:
        yield from do(turn(toggle, 0, first=True))
        names = " and ".join(dict.fromkeys(segment.attribute for segment in toggle.segments))
        if toggle.ahead != 0:
            # What a few colleagues do is seldom enough to judge by: only a verdict against it counts.
            yield from do(Watch(toggle.ahead, toggle.variant, toggle.former, f"{toggle.variant} by {names}"))
    for step in plan.rules.steps:
        yield from do(turn(toggle, step.weight, first=bool(toggle.segments)))
        yield from watched(step.pause, toggle.variant, toggle.former, f"{step.weight:g} % on {toggle.variant}")
    outcome = yield from do(turn(toggle, 100))
    yield from watched(plan.rules.bake, toggle.variant, "", f"everybody on {toggle.variant}")
    return outcome


def turn(toggle: Toggle, share: float, *, first: bool = False) -> Flag:
    """Give a share of the users the variant.

    Args:
        first: the segments have it, whatever the share; else they are as everybody else.
    """
    shares = {toggle.former: 100 - share, toggle.variant: share}
    return Flag(toggle.flag, shares, toggle.segments, toggle.variant if first else "")
