"""A rollout as it was begun: what goes where. Kept in the ledger, so that it is gone on with as it was begun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Server:
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
class Segment:
    """Users who go first: those whose attribute is one of some values."""

    attribute: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Toggle:
    """A feature flag that is moved, in a version that is live already.

    Args:
        revision: whose old and new shape its variants read.
        variant: what users get.
        former: what they have, and get back where it does badly.
        legacy: variant that reads and writes the old shape.
        dual: variant that writes both, and reads the old one.
        new: variant that reads the new shape.
        segments: who gets it first.
        ahead: how long they alone have it, in seconds; None: until somebody promotes.
    """

    flag: str
    revision: str
    variant: str
    former: str
    legacy: str = "legacy_read"
    dual: str = "dual_write"
    new: str = "new_read"
    segments: tuple[Segment, ...] = ()
    ahead: float | None = 0.0


@dataclass(frozen=True, slots=True)
class ShadowRules:
    """How a shadow is tried. Durations in seconds.

    Args:
        percent: of the requests, which are copied to it.
        seconds: how long its answers are compared; None: until somebody promotes.
        before: how long users' answers are timed before the first copy.
        then: strategy by which it goes live where it does well; `stop`: by none.
    """

    percent: float
    seconds: float | None
    before: float = 10.0
    then: str = "stop"


@dataclass(frozen=True, slots=True)
class ExperimentRules:
    """An A/B test as it was said before it began.

    Args:
        share: percent of the users who have the variant.
        looks: how often it is tested, at equal parts of the sample.
        sample: users of control and variant with whom it is complete.
        boundary: of O'Brien and Fleming: what the last look has to reach, in standard errors.
        then: how a variant that wins goes live; `stop`: not at all.
    """

    share: float
    looks: int
    sample: tuple[int, int]
    boundary: float
    then: str = "rolling"


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
        hold: how long requests may be held while all traffic moves; 0: they are not.
        shadow: of that strategy alone, as `experiment` of an A/B test.
    """

    batch_size: int = 1
    max_unavailable: int = 1
    bake: float = 0.0
    steps: tuple[CanaryStep, ...] = ()
    baseline: str = ""
    keep: float | None = 0.0
    hold: float = 0.0
    shadow: ShadowRules | None = None
    experiment: ExperimentRules | None = None


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """`live`: the pool that has the traffic. `idle`: the one that has none; empty where there is only one pool."""

    application: str
    environment: str
    strategy: str
    version: str
    previous: str
    fleet: Sequence[Server]
    live: str
    idle: str
    rules: Rules = field(default_factory=Rules)
    toggle: Toggle | None = None

    def servers(self, pool: str) -> tuple[str, ...]:
        return tuple(server.name for server in self.fleet if server.pool == pool)


def plan_from(data: Mapping[str, Any]) -> RolloutPlan:
    """A plan as the ledger kept it."""
    rules = dict(data["rules"])
    rules["steps"] = tuple(CanaryStep(**step) for step in rules["steps"])
    if shadow := rules.get("shadow"):
        rules["shadow"] = ShadowRules(**shadow)
    if experiment := rules.get("experiment"):
        rules["experiment"] = ExperimentRules(**{**experiment, "sample": tuple(experiment["sample"])})
    fleet = tuple(Server(**server) for server in data["fleet"])
    toggle = toggle_from(data["toggle"]) if data.get("toggle") else None
    return RolloutPlan(**{**data, "fleet": fleet, "rules": Rules(**rules), "toggle": toggle})


def toggle_from(data: Mapping[str, Any]) -> Toggle:
    """A toggle as the ledger kept it."""
    segments = tuple(Segment(item["attribute"], tuple(item["values"])) for item in data["segments"])
    return Toggle(**{**data, "segments": segments})
