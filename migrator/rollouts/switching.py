"""A change of shares, with requests held meanwhile where it is asked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from migrator.rollouts.model import Outcome
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.targets.base import Target

MARGIN = 0.8
"""Part of a hold in which the pools that lose all traffic may finish; the rest is for the change itself."""
EVERY = 0.02


def switched(target: Target, plan: RolloutPlan, shares: Mapping[str, float]) -> Outcome:
    """Divide the traffic otherwise.

    Where requests are held and one pool gets all of them, the others finish what they have first: no two versions
    answer at the same time.
    """
    if plan.rules.hold and 100 in shares.values():
        return held(target, plan, shares)
    return Outcome(ok=True, facts=split(target, shares))


def split(target: Target, shares: Mapping[str, float]) -> dict[str, Any]:
    begun = time.monotonic()
    target.split(shares)
    return {"switch_seconds": round(time.monotonic() - begun, 4)}


def held(target: Target, plan: RolloutPlan, shares: Mapping[str, float]) -> Outcome:
    """The same while requests wait; whoever holds them lets them go by itself when the time is over."""
    losing = [server for pool, share in shares.items() if not share for server in plan.servers(pool)]
    begun = time.monotonic()
    try:
        target.hold(plan.rules.hold)
        left = working(target, losing)
        while left and time.monotonic() - begun < MARGIN * plan.rules.hold:
            time.sleep(EVERY)
            left = working(target, losing)
        facts = split(target, shares)
    finally:
        target.hold(0)
    took = {"held_seconds": round(time.monotonic() - begun, 3), **target.held()}
    said = f"switched while {left} requests of before were not answered yet" if left else ""
    return Outcome(ok=True, reason=said, facts={**facts, **took})


def working(target: Target, servers: list[str]) -> int:
    """Requests that servers work on."""
    state = target.look().servers
    return sum(state[server].in_flight for server in servers)
