"""What is read, what it is held against, and what is said of it: frozen values, and the two seams."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

PASS = "pass"
FAIL = "fail"
INSUFFICIENT = "insufficient_traffic"
INCONCLUSIVE = "inconclusive"
UNDECIDED = (INSUFFICIENT, INCONCLUSIVE)
"""Verdicts that are neither: there was too little to judge from; what should have been read was not to be had."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """`verdict`: `pass`, `fail`, `insufficient_traffic` or `inconclusive`."""

    verdict: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Arm:
    """What is judged, or compared with: a pool or a variant, the version and the servers that it has."""

    name: str
    version: str
    servers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What a source says that an arm did.

    Args:
        requests: how many there were; None where the source does not count them.
        errors: how many of them failed; None where it is not known.
        latencies: seconds of single requests, where the source has them.
        values: figures by metric name, as the source computed them; durations in seconds.
        refused: why a source that judges by itself says that the arm does badly.
        problem: why there is nothing to read; empty where there is.
    """

    requests: int | None = None
    errors: int | None = None
    latencies: tuple[float, ...] = ()
    values: Mapping[str, float] = field(default_factory=dict)
    refused: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of an arm, and its limits.

    Args:
        source: name of the source that it is read from.
        max: above this it fails. Shares as fractions, durations in seconds.
        min: below this it fails.
        max_ratio: above as many times the baseline it fails, unless it is not above `floor`.
        min_ratio: below as many times the baseline it fails.
        floor: what is never too much, whatever the baseline.
        significance: of `latency`: the share of false alarms that Mann and Whitney's test may give.
        objective: of `burn`: the share of requests that should succeed.
        short: of `burn`: a second, shorter span in seconds, which has to be above the limit, too; 0: none.
    """

    name: str
    source: str
    max: float | None = None
    min: float | None = None
    max_ratio: float | None = None
    min_ratio: float | None = None
    floor: float = 0.0
    significance: float = 0.01
    objective: float = 0.0
    short: float = 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """What an arm is held against, and how often. Durations in seconds.

    Args:
        every: between looks.
        window: how far back a look reads; 0: to the beginning of the watch.
        minimum: requests that an arm needs before it can pass.
        tolerated: looks that may fail among the last `within`; one more, and the arm has failed.
        consecutive: looks in a row that fail it, too; 0: only `tolerated` counts.
        patience: how long to wait for a verdict when the time of a step is over; None: until somebody decides.
    """

    metrics: tuple[Metric, ...]
    sources: Mapping[str, Mapping[str, Any]]
    every: float = 5.0
    window: float = 0.0
    minimum: int = 0
    tolerated: int = 0
    within: int = 10
    consecutive: int = 0
    patience: float | None = None


class Source(Protocol):
    """Where readings come from. One serves one watch at a time."""

    def begin(self) -> None:
        """Read nothing of what was before this moment."""

    def end(self) -> None:
        """Let go of what was held for the watch."""

    def read(self, arm: Arm, seconds: float) -> Reading:
        """What an arm did in the last seconds, which never reach back before `begin`. Raises nothing."""


class Looks(Protocol):
    """The looks of one watch."""

    def look(self) -> Judgement:
        """Judge what the arm did, the looks before included."""


class Analyst(Protocol):
    """Something that judges an arm."""

    @property
    def every(self) -> float:
        """Seconds between looks."""

    @property
    def patience(self) -> float | None:
        """Seconds to wait for a verdict when the time of a watch is over; None: until somebody decides."""

    def watch(self, arm: Arm, against: Arm | None) -> AbstractContextManager[Looks]:
        """Look at an arm, and at another one to compare it with, until the context is left."""
