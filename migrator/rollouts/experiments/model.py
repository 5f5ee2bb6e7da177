"""An A/B test: what is said before it begins, and what is counted in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VARIANT, CONTROL, SAME, INVALID, GOING_ON = "variant", "control", "no difference", "invalid", "going on"
"""What a look finds: which arm is better, neither, that its arms cannot be compared, or that it is too early."""


@dataclass(frozen=True, slots=True)
class Experiment:
    """What is asked, and how surely it is to be answered.

    Args:
        share: percent of the users who have the variant.
        baseline: share of users who convert without it, as a fraction.
        effect: the smallest difference that is to be found, as a fraction of users.
        power: chance of finding one that is as large.
        alpha: chance of finding one where there is none, in either direction, all looks together.
        looks: how often it is tested.
        lower: whether fewer conversions are better.
        seconds: after how long it ends, whatever was found; None: with its sample.
        every: seconds between two countings.
        source: what counts: `prometheus` or `command`, and its table in `reads`.
        salt: mixed with who a user is, so that other tests divide users otherwise.
        then: how a variant that wins goes live.
    """

    share: float
    baseline: float
    effect: float
    source: str
    reads: Mapping[str, Any]
    power: float = 0.8
    alpha: float = 0.05
    looks: int = 5
    lower: bool = False
    seconds: float | None = None
    every: float = 60.0
    salt: str = ""
    then: str = "rolling"


@dataclass(frozen=True, slots=True)
class Counted:
    """An arm: users, each once, and how many of them converted."""

    users: int
    conversions: int

    @property
    def rate(self) -> float:
        return self.conversions / self.users if self.users else 0.0


@dataclass(frozen=True, slots=True)
class Arms:
    """Both at one moment. `problem`: why there is nothing to count."""

    control: Counted = field(default=Counted(0, 0))
    variant: Counted = field(default=Counted(0, 0))
    problem: str = ""
