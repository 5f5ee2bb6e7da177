"""Whether an arm of a rollout does well: readings in, a verdict with its reason out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Judgement:
    """`verdict`: `pass`, `fail`, or `insufficient_traffic`, which is neither."""

    verdict: str
    reason: str
    facts: Mapping[str, Any] = field(default_factory=dict)


class Analyst(Protocol):
    """Something that judges an arm."""

    every: float
    """Seconds between looks."""

    def look(self, arm: str, against: str, seconds: float) -> Judgement:
        """Judge what an arm did in the last seconds, compared with another one where that is named."""
