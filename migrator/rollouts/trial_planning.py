"""What is said of shadows and A/B tests before one begins: their rules, and why one cannot be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from migrator.errors import UsageError
from migrator.rollouts.configuration import SECTION, Configuration
from migrator.rollouts.experiments import configuration as experimenting
from migrator.rollouts.plan import RolloutPlan, Rules
from migrator.rollouts.shadowing import configuration as shadowing

READERS: Mapping[str, Callable[[Configuration], Rules]] = {
    "shadow": lambda found: replace(found.rules, shadow=shadowing.read(found)[0]),
    "ab": lambda found: replace(found.rules, experiment=experimenting.rules(experimenting.read(found))),
}


def rules(configuration: Configuration) -> Rules:
    """The rules of a configuration, with those of a shadow or a test where it is one.

    Raises:
        UsageError: they are wrong.
    """
    reader = READERS.get(configuration.strategy)
    if reader is None:
        return configuration.rules
    try:
        return reader(configuration)
    except ValueError as problem:
        raise UsageError(f"[{SECTION}.{configuration.strategy}]: {problem}") from None


def afterwards(rules: Rules) -> str:
    """The strategy by which a shadow goes live when it did well; empty where it does not."""
    return rules.shadow.then if rules.shadow is not None and rules.shadow.then != "stop" else ""


def problems(configuration: Configuration, plan: RolloutPlan) -> list[str]:
    """Why a shadow or a test cannot be carried out."""
    if plan.strategy not in READERS:
        return []
    name = {"shadow": "a shadow", "ab": "an A/B test"}[plan.strategy]
    found = []
    if not plan.idle:
        found.append(f"{name} needs a pool besides {plan.live}")
    if plan.rules.baseline:
        found.append(f"{name} has no baseline besides {plan.live}: leave it out")
    led = sorted({str(route.get("pool")) for route in configuration.target.get("routes", ())})
    arms = {plan.idle} if plan.strategy == "shadow" else {plan.idle, plan.live}
    if taken := [pool for pool in led if pool in arms]:
        why = "users would have its answers" if plan.strategy == "shadow" else "who has the variant is then no chance"
        found.append(f"a route of the target leads to {taken[0]}, and {why}")
    experiment = plan.rules.experiment
    servers, batch = len(plan.servers(plan.live)), min(plan.rules.batch_size, plan.rules.max_unavailable)
    if experiment is not None and experiment.then == "rolling" and batch >= servers:
        found.append(f"{plan.live} has {servers} server(s), and rolling it would leave none for control's users")
    return found
