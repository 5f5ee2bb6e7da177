"""A rollout as it was begun: what goes where. Kept in the ledger, so that it is gone on with as it was begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """A server: a name, the pool that it is in and where it listens."""

    name: str
    pool: str
    address: str


@dataclass(frozen=True, slots=True)
class CanaryStep:
    """A share of the traffic, and for how long: `pause` in seconds, None until somebody promotes."""

    weight: float
    pause: float | None


@dataclass(frozen=True, slots=True)
class Rules:
    """How each strategy goes about it. Durations in seconds.

    Args:
        batch_size: servers that are replaced at a time.
        max_unavailable: servers that may be without traffic at a time; smaller batches where it is less.
        bake: how long a batch is watched before the next one, the last one included.
        steps: of a canary, or of a blue-green shift; none: all at once.
        baseline: pool that runs the version before at the canary's size, to compare with; empty: the live pool.
        keep: how long the former pool stays warm; None: until somebody promotes.
    """

    batch_size: int = 1
    max_unavailable: int = 1
    bake: float = 0.0
    steps: tuple[CanaryStep, ...] = ()
    baseline: str = ""
    keep: float | None = 0.0


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """`live`: the pool that has the traffic. `idle`: the one that has none; empty where there is only one pool."""

    application: str
    environment: str
    strategy: str
    version: str
    previous: str
    places: Sequence[Place]
    live: str
    idle: str
    rules: Rules = field(default_factory=Rules)

    def servers(self, pool: str) -> tuple[str, ...]:
        return tuple(place.name for place in self.places if place.pool == pool)


def plan_from(data: Mapping[str, Any]) -> RolloutPlan:
    """A plan as the ledger kept it."""
    rules = dict(data["rules"])
    rules["steps"] = tuple(CanaryStep(**step) for step in rules["steps"])
    places = tuple(Place(**place) for place in data["places"])
    return RolloutPlan(**{**data, "places": places, "rules": Rules(**rules)})
