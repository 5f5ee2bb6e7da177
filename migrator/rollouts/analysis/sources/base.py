"""What sources are made from, and what each kind of them says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from migrator.rollouts.analysis.model import Arm, Reading
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.probing import Probe
from migrator.rollouts.targets.base import Target


@dataclass(frozen=True, slots=True)
class Around:
    """What there is in a rollout that a source may read from. `folder`: what its files are relative to."""

    plan: RolloutPlan
    target: Target
    probe: Probe
    folder: Path


class Kind(Protocol):
    """A kind of source, to be derived from.

    Args:
        data: its own table of the configuration, which `check` has accepted.

    Raises:
        ValueError: what it reads from is not there.
    """

    until: float | None = None
    """Seconds since 1970 up to which counters are read, so that arms are counted for the same time; None: now."""

    def __init__(self, data: Mapping[str, Any], around: Around) -> None: ...

    @staticmethod
    def check(data: Mapping[str, Any]) -> None:
        """Look at its own table of the configuration.

        Raises:
            ValueError: saying what is wrong with it.
        """

    @staticmethod
    def offers(data: Mapping[str, Any], /) -> frozenset[str] | None:
        """The metrics that it has; None where only its answers say. `traffic`: it counts requests."""

    def begin(self) -> None:
        """Read nothing of what was before this moment."""
        return

    def end(self) -> None:
        """Let go of what was held for the watch."""
        return

    def read(self, arm: Arm, seconds: float) -> Reading:
        """What an arm did in the last seconds, which never reach back before `begin`. Raises nothing."""
