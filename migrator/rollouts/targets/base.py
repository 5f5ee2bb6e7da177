"""What divides the traffic: one seam, with the same tests for everything behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

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
    """Where the traffic goes: servers by name, percent by pool."""

    servers: Mapping[str, ServerState]
    shares: Mapping[str, float]


class Target(Protocol):
    """Something that divides traffic.

    Every change is read back before it is reported as done, and may be asked for again. All raise `TargetFailed`.
    """

    can: frozenset[str]
    """Of `drain`, `split`, `mirror`, `sticky`."""

    def look(self) -> TrafficState:
        """What it does at this moment."""

    def admit(self, server: str) -> None:
        """Let a server have traffic, and wait until its own checks call it up."""

    def drain(self, server: str) -> None:
        """Give a server no further work; it keeps what it has."""

    def remove(self, server: str) -> None:
        """Take a server out, so that its failing checks concern nobody."""

    def cut(self, server: str) -> None:
        """End the connections that a server has."""

    def split(self, shares: Mapping[str, float]) -> None:
        """Divide the traffic among pools.

        Args:
            shares: percent by pool, 100 together. Who is in another pool than the first stays in it while its
                share grows, where the target tells users apart.
        """

    def mirror(self, pool: str, percent: float) -> None:
        """Send copies of a share of the requests to a pool."""
