"""What divides the traffic: one seam, with the same tests for everything behind it."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from migrator.errors import MigratorError


class TargetFailed(MigratorError):
    """What divides the traffic did not do as it was told, or cannot be reached."""


@dataclass(frozen=True, slots=True)
class ServerState:
    """`state`: `ready`, `drain` or `maint`. `in_flight`: requests and connections that it works on."""

    pool: str
    state: str
    in_flight: int
    up: bool


@dataclass(frozen=True, slots=True)
class TrafficState:
    """Where the traffic goes: servers by name, percent by pool; `mirrored`: percent that is copied, by pool."""

    servers: Mapping[str, ServerState]
    shares: Mapping[str, float]
    mirrored: Mapping[str, float] = field(default_factory=dict)


class Target(abc.ABC):
    """Something that divides traffic.

    Every change is read back before it is reported as done, and may be asked for again. All raise `TargetFailed`.
    What one cannot do is refused here.
    """

    kind: ClassVar[str] = ""
    can: frozenset[str] = frozenset()
    """Of `drain`, `cut`, `split`, `sticky`, `mirror`, `hold`, `start`."""

    @abc.abstractmethod
    def look(self) -> TrafficState:
        """What it does at this moment."""

    def files(self) -> Mapping[str, str]:
        """What it has to be configured with, by path; the configuration comes first, and has no folder."""
        raise TargetFailed(f"nothing has to be written for a target of kind {self.kind}")

    def admit(self, server: str) -> None:
        """Let a server have traffic, and wait until its own checks call it up."""
        raise self._unable("admit", server)

    def drain(self, server: str) -> None:
        """Give a server no further work; it keeps what it has."""
        raise self._unable("drain", server)

    def remove(self, server: str) -> None:
        """Take a server out, so that its failing checks concern nobody."""
        raise self._unable("remove", server)

    def cut(self, server: str) -> None:
        """End the connections that a server has."""
        raise self._unable("cut the connections of", server)

    def split(self, shares: Mapping[str, float]) -> None:
        """Divide the traffic among pools.

        Args:
            shares: percent by pool, 100 together. Who is in another pool than the first stays in it while its
                share grows, where the target tells users apart.
        """
        raise self._unable("split the traffic among", ", ".join(shares))

    def mirror(self, pool: str, percent: float) -> None:
        """Send copies of a share of the requests to a pool: of those of safe methods only, and nobody its answers."""
        raise self._unable("mirror requests to", pool)

    def start(self, server: str, version: str) -> None:
        """Put a version on a server in place, with whatever draining the platform does; only one that can `start`."""
        raise self._unable("start a version on", server)

    def hold(self, seconds: float) -> None:
        """Let requests wait, for so long at most; 0: let them go on."""
        raise self._unable("hold", "requests")

    def _unable(self, what: str, whom: str) -> TargetFailed:
        return TargetFailed(f"a target of kind {self.kind} as it is configured cannot {what} {whom}")
