"""What divides the traffic: one seam, with the same tests for everything behind it."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from migrator.errors import MigratorError

Asked = Callable[[], str]
"""What somebody asks meanwhile: `pause`, `abort`, or nothing that concerns a target."""


def nobody_asks() -> str:
    return ""


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
class Connection:
    """A connection that a server works on. `age`: seconds since it, or the request on it, began."""

    id: str
    age: float


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
    """Of `drain`, `cut`, `age`, `split`, `sticky`, `mirror`, `hold`, `start`."""
    attending: Callable[[], bool] = staticmethod(lambda: False)
    """Called while a server is waited for: whether somebody has paused. What it raises ends the wait."""

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

    def connections(self, server: str) -> Sequence[Connection]:
        """The connections that a server works on; only one that knows their `age`."""
        raise self._unable("tell the connections of", server)

    def close(self, connection: str) -> None:
        """End one connection; one that has ended already is no problem."""
        raise self._unable("end connection", connection)

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

    def start(self, server: str, version: str, asked: Asked = nobody_asks) -> None:
        """Put a version on a server in place, with whatever draining the platform does; only one that can `start`."""
        raise self._unable("start a version on", server)

    def hold(self, seconds: float) -> None:
        """Let requests wait, for so long at most; 0: let them go on."""
        raise self._unable("hold", "requests")

    def held(self) -> Mapping[str, float]:
        """What the newest hold was like, as far as it is known: `held_requests`, and `held_seconds` of the longest."""
        return {}

    def idle(self, seconds: float) -> float:
        """Wait a moment for a server; how much of it does not count, because somebody has paused."""
        paused = self.attending()
        time.sleep(seconds)
        return seconds if paused else 0.0

    def _unable(self, what: str, whom: str) -> TargetFailed:
        return TargetFailed(f"a target of kind {self.kind} as it is configured cannot {what} {whom}")
