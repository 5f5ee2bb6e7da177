"""`[tool.migrator.rollout.ab]`: what an A/B test asks, how surely, and where it is counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migrator.rollouts.analysis.sources.command import Command
from migrator.rollouts.analysis.sources.prometheus import Prometheus
from migrator.rollouts.configuration import SECTION, Configuration, fields_of, one_of, percent, table
from migrator.rollouts.experiments.design import boundary, sample
from migrator.rollouts.experiments.model import Experiment
from migrator.rollouts.plan import ExperimentRules
from migrator.rollouts.strategies.ab import THEN
from migrator.rollouts.targets.routing import token
from migrator.setting_values import duration, positive, share

NAME = f"[{SECTION}.ab]"
COUNTED = ("users", "conversions")
"""What the source of a test has for each arm."""
MOST_LOOKS = 20


def chance(value: object) -> float:
    found = share(value)
    if not 0 < found < 1:
        raise ValueError(f'{value!r} is no chance; write for example "80%"')
    return found


def looks(value: object) -> int:
    found = positive(value)
    if found > MOST_LOOKS:
        raise ValueError(f"{found} looks are more than {MOST_LOOKS}, and each of them costs users")
    return found


def part(value: object) -> float:
    found = percent(value)
    if found == 100:
        raise ValueError("100 % leave nobody to compare with")
    return found


READERS: Mapping[str, Callable[[object], Any]] = {
    "share": part,
    "baseline": chance,
    "effect": chance,
    "power": chance,
    "alpha": chance,
    "looks": looks,
    "better": one_of("higher", "lower"),
    "duration": duration,
    "every": duration,
    "salt": token,
    "then": one_of(*THEN),
    "source": one_of("prometheus", "command"),
    "prometheus": table,
    "command": table,
}
NEEDED = ("baseline", "effect", "source")


def read(configuration: Configuration) -> Experiment:
    """The test of a configuration.

    Raises:
        ValueError: saying what is wrong.
    """
    given = fields_of(NAME, configuration.ab, READERS)
    missing = [key for key in NEEDED if key not in given]
    if missing:
        raise ValueError(
            f"does not say {', '.join(missing)}: an A/B test has its question before it begins, as"
            ' baseline = "5%", effect = "1%", source = "prometheus"'
        )
    source = given.pop("source")
    kinds = {"prometheus": given.pop("prometheus", None), "command": given.pop("command", None)}
    for name, data in kinds.items():
        if name != source and data is not None:
            raise ValueError(f'has a table for {name}, and source = "{source}"')
    made = Experiment(
        share=given.pop("share", 50.0),
        source=source,
        reads=kinds[source] or {},
        lower=given.pop("better", "higher") == "lower",
        seconds=given.pop("duration", None),
        **given,
    )
    refuse_question(made)
    refuse_source(made)
    return made


def refuse_question(made: Experiment) -> None:
    aimed = made.baseline + (-made.effect if made.lower else made.effect)
    if not 0 < aimed < 1:
        raise ValueError(
            f"effect: {made.effect * 100:g} % of all users from {made.baseline * 100:g} % is {aimed * 100:g} %; it is"
            ' the difference in percent of users: from "5%" to "6%" is "1%"'
        )
    if made.power < 0.5 or made.alpha > 0.2:
        raise ValueError(
            f"power {made.power * 100:g} % and alpha {made.alpha * 100:g} % leave the answer to chance: power is 50 %"
            ' at least (mostly "80%"), alpha 20 % at most (mostly "5%")'
        )


def refuse_source(made: Experiment) -> None:
    if made.source == "command":
        Command.check(made.reads)
        return
    Prometheus.check(made.reads)
    queries = set(made.reads.get("queries", {}))
    if queries != set(COUNTED):
        raise ValueError(f"prometheus: queries are {' and '.join(COUNTED)}, not {', '.join(sorted(queries)) or 'none'}")


def rules(made: Experiment) -> ExperimentRules:
    """What of it is said in the plan: the sample that it takes, and the boundaries."""
    effect = -made.effect if made.lower else made.effect
    users = sample(made.baseline, effect, made.power, made.alpha, made.share, made.looks)
    return ExperimentRules(made.share, made.looks, users, boundary(made.alpha, made.looks), made.then)
