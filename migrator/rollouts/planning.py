"""From a configuration and what is live to a plan, or to the reason why there is none."""

from __future__ import annotations

from migrator.errors import UsageError
from migrator.rollouts.configuration import SECTION, Configuration
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.targets.base import Target, TrafficState

NEEDS = {"rolling": {"drain"}, "blue-green": {"drain", "split"}, "canary": {"drain", "split"}}
"""What a strategy needs of a target."""


def plan(configuration: Configuration, target: Target, version: str, previous: str) -> RolloutPlan:
    """Say what a rollout does.

    Args:
        previous: the version that is live, which is gone back to.

    Raises:
        UsageError: it cannot be done as it is configured, with the reason.
        TargetFailed: what divides the traffic cannot be reached.
    """
    missing = sorted(NEEDS.get(configuration.strategy, set()) - target.can)
    if missing:
        raise UsageError(f"{configuration.strategy} needs a target that can {', '.join(missing)}")
    pools = tuple(dict.fromkeys(place.pool for place in configuration.places))
    live = live_pool(target.look(), pools)
    rest = [pool for pool in pools if pool not in (live, configuration.rules.baseline)]
    made = RolloutPlan(
        application=configuration.application,
        environment=configuration.environment,
        strategy=configuration.strategy,
        version=version,
        previous=previous,
        places=configuration.places,
        live=live,
        idle=rest[0] if rest else "",
        rules=configuration.rules,
    )
    for problem in problems(made, pools):
        raise UsageError(problem, next_step=f"change [{SECTION}]")
    return made


def live_pool(state: TrafficState, pools: tuple[str, ...]) -> str:
    """The pool that has all traffic.

    Raises:
        UsageError: several have some.
    """
    some = {pool: share for pool, share in state.shares.items() if share > 0}
    if len(some) > 1:
        said = ", ".join(f"{pool} {share:g} %" for pool, share in some.items())
        raise UsageError(
            f"the traffic is split already: {said}",
            next_step="end the rollout that did it: migrator rollout abort; or give one pool all of it",
        )
    return next(iter(some), pools[0])


def problems(plan: RolloutPlan, pools: tuple[str, ...]) -> list[str]:
    """Why a plan cannot be carried out."""
    rules, servers = plan.rules, plan.servers(plan.live)
    found = []
    if plan.strategy in ("rolling", "canary") and min(rules.batch_size, rules.max_unavailable) >= len(servers):
        found.append(
            f"{plan.live} has {len(servers)} server(s), and a batch of {min(rules.batch_size, rules.max_unavailable)}"
            " would leave none for the traffic"
        )
    if plan.strategy in ("blue-green", "canary") and not plan.idle:
        found.append(f"{plan.strategy} needs a pool besides {plan.live}")
    if plan.strategy == "canary" and not rules.steps:
        found.append('a canary needs steps = [{ weight = 5, pause = "5m" }, …]')
    if rules.baseline and rules.baseline not in pools:
        found.append(f"baseline names a pool that is not there: {rules.baseline}")
    if rules.baseline and rules.baseline == plan.live:
        found.append(f"{rules.baseline} is live, and so it cannot be the baseline")
    if rules.baseline and any(step.weight > 50 for step in rules.steps):
        found.append("canary and baseline have the same weight, so 50 at most")
    return found
