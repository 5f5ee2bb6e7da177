"""Connections to the database that are slow, silent, cut or reset, by the proxy in front of it."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from migrator.chaos.faults.base import Fault, Ground, Readers
from migrator.chaos.proxy import CLEAR, Link, Proxy
from migrator.setting_values import duration, lag

if TYPE_CHECKING:
    from migrator.chaos.undo import Entry


@dataclass(frozen=True, slots=True)
class OfLink(Fault):
    """One that lasts until the link is clear again."""

    through_proxy: ClassVar[bool] = True
    needs_database: ClassVar[bool] = True
    readers: ClassVar[Readers] = {}

    @abc.abstractmethod
    def link(self) -> Link:
        """What connections are like meanwhile."""

    def begin(self, ground: Ground, entries: Sequence[Entry]) -> int:
        proxy = proxy_of(ground)
        proxy.become(self.link())
        return proxy.felt

    def end(self, ground: Ground) -> int:
        proxy = proxy_of(ground)
        proxy.become(CLEAR)
        return proxy.felt


def proxy_of(ground: Ground) -> Proxy:
    assert ground.proxy is not None, "a fault that needs a proxy is given one"
    return ground.proxy


@dataclass(frozen=True, slots=True)
class Delay(OfLink):
    """Everything takes longer, each way. Seconds."""

    latency: float = 0.1
    jitter: float = 0.0
    kind: ClassVar[str] = "delay"
    readers: ClassVar[Readers] = {"latency": duration, "jitter": lag}

    def words(self) -> str:
        around = f" ± {self.jitter * 1000:g} ms" if self.jitter else ""
        return f"delay database connections by {self.latency * 1000:g} ms{around} each way"

    def link(self) -> Link:
        return Link(latency=self.latency, jitter=self.jitter)


@dataclass(frozen=True, slots=True)
class Stall(OfLink):
    """Nothing arrives, and nobody is told; what was sent arrives afterwards."""

    kind: ClassVar[str] = "stall"

    def words(self) -> str:
        return "let nothing pass on database connections"

    def link(self) -> Link:
        return Link(passing=False)


@dataclass(frozen=True, slots=True)
class Cut(OfLink):
    """Connections are closed, and those that are opened meanwhile at once."""

    kind: ClassVar[str] = "cut"

    def words(self) -> str:
        return "cut database connections, and refuse others"

    def link(self) -> Link:
        return Link(accepting=False)


@dataclass(frozen=True, slots=True)
class Reset(Fault):
    """Connections that are open break; others can be opened at once."""

    kind: ClassVar[str] = "reset"
    through_proxy: ClassVar[bool] = True
    needs_database: ClassVar[bool] = True
    readers: ClassVar[Readers] = {}

    def words(self) -> str:
        return "reset database connections"

    def begin(self, ground: Ground, entries: Sequence[Entry]) -> int:
        return proxy_of(ground).reset()
