"""From a configuration and what is live to a plan, or to the reason why there is none."""

from __future__ import annotations

from migrator.errors import UsageError
from migrator.rollouts.analysis.model import Rules
from migrator.rollouts.configuration import SECTION, Configuration
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.targets.base import Target, TrafficState
from migrator.setting_values import nearest

NEEDS = {"rolling": {"drain"}, "in-place": {"start"}, "blue-green": {"drain", "split"}, "canary": {"drain", "split"}}
"""What a strategy needs of a target."""


def plan(
    configuration: Configuration, target: Target, version: str, previous: str, analysis: Rules | None = None
) -> RolloutPlan:
    """Say what a rollout does.

    Args:
        previous: the version that is live, which is gone back to.
        analysis: what the version is judged by; None: by nothing.

    Raises:
        UsageError: it cannot be done as it is configured, with the reason.
        TargetFailed: what divides the traffic cannot be reached.
    """
    strategy = configuration.strategy
    if strategy == "rolling" and "start" in target.can:
        strategy = "in-place"
    if strategy not in NEEDS:
        near = nearest(strategy, NEEDS)
        hint = f'did you mean "{near}"?' if near else f"strategies are: {', '.join(NEEDS)}"
        raise UsageError(f'"{strategy}" is not a strategy that servers can be rolled out by', next_step=hint)
    needs = NEEDS[strategy] | ({"cut"} if configuration.drain.then == "cut" else set())
    missing = sorted(needs - target.can)
    if missing:
        raise UsageError(f"{strategy} needs a target that can {', '.join(missing)}")
    pools = tuple(dict.fromkeys(place.pool for place in configuration.places))
    live = live_pool(target.look(), pools)
    rest = [pool for pool in pools if pool not in (live, configuration.rules.baseline)]
    made = RolloutPlan(
        application=configuration.application,
        environment=configuration.environment,
        strategy=strategy,
        version=version,
        previous=previous,
        places=configuration.places,
        live=live,
        idle=rest[0] if rest else "",
        rules=configuration.rules,
    )
    for problem in problems(made, pools) + unjudged(made, analysis, said=bool(configuration.analysis)):
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


def unjudged(plan: RolloutPlan, analysis: Rules | None, *, said: bool) -> list[str]:
    """Why nothing would judge the version, though it should be.

    Args:
        said: whether the configuration says how it is judged, or that it is not.
    """
    rules = plan.rules
    if analysis is None:
        if plan.strategy == "canary" and not said:
            return [
                f'a canary that nothing judges finds nothing: write [{SECTION}.analysis], or source = "none" there if'
                " people do"
            ]
        return []
    waits = [step.pause for step in rules.steps] if plan.strategy in ("canary", "blue-green") else []
    if plan.strategy in ("rolling", "blue-green", "canary"):
        waits.append(rules.bake)
    if plan.strategy == "blue-green":
        waits.append(rules.keep)
    if waits and all(wait == 0 for wait in waits):
        return [
            'nothing is ever watched, so the analysis would judge nothing: write bake = "1m", or a pause in each step'
        ]
    return []
