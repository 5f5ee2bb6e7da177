"""From a configuration and what is live to a plan, or to the reason why there is none."""

from __future__ import annotations

from dataclasses import replace

from migrator.errors import UsageError
from migrator.rollouts import trial_planning
from migrator.rollouts.analysis.model import Rules
from migrator.rollouts.configuration import SECTION, Configuration
from migrator.rollouts.plan import RolloutPlan, Toggle
from migrator.rollouts.targets.base import Target, TrafficState
from migrator.rollouts.toggling import problems as untoggled
from migrator.setting_values import nearest

NEEDS = {
    "rolling": {"drain"},
    "in-place": {"start"},
    "blue-green": {"drain", "split"},
    "canary": {"drain", "split"},
    "shadow": {"drain", "mirror"},
    "ab": {"drain", "split", "sticky"},
    "canary-in-place": {"start", "split"},
    "toggle": set(),
}
"""What a strategy needs of a target."""
IN_PLACE = {"rolling": "in-place", "canary": "canary-in-place"}
"""What a strategy is where the platform itself puts versions on servers."""
CANARIES = ("canary", "canary-in-place")
STEPPED = ("blue-green", "toggle", *CANARIES)
MOST_HELD = 30.0
"""Seconds after which the proxy lets a request go on by itself, whatever it is told."""


def plan(
    configuration: Configuration,
    target: Target,
    version: str,
    previous: str,
    analysis: Rules | None = None,
    toggle: Toggle | None = None,
) -> RolloutPlan:
    """Say what a rollout does.

    Args:
        previous: the version that is live, which is gone back to.
        analysis: what the version is judged by; None: by nothing.
        toggle: the flag that is moved, where it is one.

    Raises:
        UsageError: it cannot be done as it is configured, with the reason.
        TargetFailed: what divides the traffic cannot be reached.
    """
    strategy = configuration.strategy
    if "start" in target.can:
        strategy = IN_PLACE.get(strategy, strategy)
    if strategy not in NEEDS:
        near = nearest(strategy, NEEDS)
        hint = f'did you mean "{near}"?' if near else f"strategies are: {', '.join(NEEDS)}"
        raise UsageError(f'"{strategy}" is not a strategy that servers can be rolled out by', next_step=hint)
    rules = trial_planning.rules(configuration)
    refuse_unable(configuration, target, strategy, NEEDS.get(trial_planning.afterwards(rules), set()))
    pools = tuple(dict.fromkeys(server.pool for server in configuration.fleet))
    live = live_pool(target.look(), pools)
    rest = [pool for pool in pools if pool not in (live, configuration.rules.baseline)]
    made = RolloutPlan(
        application=configuration.application,
        environment=configuration.environment,
        strategy=strategy,
        version=version,
        previous=previous,
        fleet=configuration.fleet,
        live=live,
        idle=rest[0] if rest else "",
        rules=rules,
        toggle=toggle,
    )
    after = replace(made, strategy=trial_planning.afterwards(rules) or strategy)
    found = trial_planning.problems(configuration, made) + problems(after, pools) + untoggled(made)
    for problem in found + unjudged(after, analysis, said=bool(configuration.analysis)):
        raise UsageError(problem, next_step=f"change [{SECTION}]")
    return made


def refuse_unable(configuration: Configuration, target: Target, strategy: str, after: set[str]) -> None:
    """Refuse what a target cannot do, by name.

    Args:
        after: what the strategy needs by which a shadow or a variant goes live.
    """
    drain, needs = configuration.drain, NEEDS[strategy] | after
    if strategy != "toggle":
        needs |= ({"cut"} if drain.then == "cut" else set()) | ({"age"} if drain.max_age else set())
    if missing := sorted(needs - target.can):
        words = {"age": "tell how old connections are (drain.max_age)", "cut": "cut connections (drain.then)"}
        said = ", ".join(words.get(name, name) for name in missing)
        raise UsageError(f"{strategy} needs a target that can {said}, and {target.kind} cannot")
    if configuration.rules.hold and "hold" not in target.can:
        remedy = (
            "write hold_map in its table" if target.kind == "haproxy" else "leave hold out, or use haproxy or shell"
        )
        raise UsageError(
            f"requests are to be held, and a target of kind {target.kind} as it is configured cannot hold them",
            next_step=remedy,
        )
    if drain.max_age and drain.max_age + drain.spread > drain.timeout:
        raise UsageError(
            f"drain.max_age and its jitter take up to {drain.max_age + drain.spread:g} s, and drain.timeout is"
            f" {drain.timeout:g} s: younger connections would be left",
            next_step="let timeout be longer",
        )


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
    if rules.hold > MOST_HELD:
        found.append(f"no request is held longer than {MOST_HELD:g} s, so hold is not {rules.hold:g} s")
    if plan.strategy in ("rolling", "canary") and min(rules.batch_size, rules.max_unavailable) >= len(servers):
        found.append(
            f"{plan.live} has {len(servers)} server(s), and a batch of {min(rules.batch_size, rules.max_unavailable)}"
            " would leave none for the traffic"
        )
    if rules.baseline and plan.strategy == "canary-in-place":
        found.append("a platform that divides the traffic of one server itself has no baseline beside it")
    if plan.strategy in ("blue-green", *CANARIES) and not plan.idle:
        found.append(f"{plan.strategy} needs a pool besides {plan.live}")
    if plan.strategy in CANARIES and not rules.steps:
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
        if plan.strategy in ("toggle", *CANARIES) and not said:
            name = "toggle" if plan.toggle else "canary"
            return [
                f"a {name} that nothing judges finds nothing: write [{SECTION}.analysis], or"
                ' source = "none" there if people do'
            ]
        return []
    waits = [step.pause for step in rules.steps] if plan.strategy in STEPPED else []
    if plan.strategy in ("rolling", *STEPPED):
        waits.append(rules.bake)
    if plan.strategy == "blue-green":
        waits.append(rules.keep)
    if plan.toggle is not None and plan.toggle.segments:
        waits.append(plan.toggle.ahead)
    if waits and all(wait == 0 for wait in waits):
        return [
            'nothing is ever watched, so the analysis would judge nothing: write bake = "1m", or a pause in each step'
        ]
    return []
