"""Draining: a server gets nothing more, and what it works on ends by itself, at its age, or when time is over."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from migrator.rollouts.configuration import Draining
from migrator.rollouts.model import Outcome, Wish
from migrator.rollouts.targets.base import Connection, Target

EVERY = 0.1


@dataclass(slots=True)
class Ages:
    """When connections are ended for their age. Pure but for `draw`, which gives a number below 1.

    Args:
        limit: seconds that a connection may be old.
        jitter: the most by which the end of each is put off, so that clients do not all come back at once.
    """

    limit: float
    jitter: float
    draw: Callable[[], float] = random.random
    ends: dict[str, float] = field(default_factory=dict)

    def due(self, connections: Iterable[Connection], now: float) -> list[str]:
        """The connections that are to be ended by now; each has its end from the first look at it."""
        found = []
        for connection in connections:
            if connection.id not in self.ends:
                reached = max(now, now - connection.age + self.limit)
                self.ends[connection.id] = reached + self.draw() * self.jitter
            if self.ends[connection.id] <= now:
                found.append(connection.id)
        return found


@dataclass(slots=True)
class Drained:
    """One server while it is drained. `elapsed`: seconds since that was begun first."""

    target: Target
    server: str
    settings: Draining
    elapsed: float = 0.0
    closed: int = 0

    def until(self, heard: Callable[[], Wish]) -> Outcome:
        """Wait for one of three ends: nothing is left; time is over; somebody aborts. A pause stops the clock."""
        self.target.drain(self.server)
        begun, late, ages = time.monotonic() - self.elapsed, 0.0, self._ages()
        asked, left = Wish(), self._left()
        while left and asked.what != "abort" and time.monotonic() - begun - late <= self.settings.timeout:
            self._end_old(ages)
            time.sleep(EVERY)
            asked, left = heard(), self._left()
            late += EVERY if asked.what == "pause" else 0.0
        end = "empty" if not left else "aborted" if asked.what == "abort" else "timeout"
        facts = {"end": end, "seconds": round(time.monotonic() - begun, 3), "left": left, "closed": self.closed}
        if end == "empty":
            return Outcome(ok=True, facts=facts)
        said = f"{self.server} still works on {left} after {self.settings.timeout:g} s"
        if end == "timeout" and self.settings.then == "cut":
            self.target.cut(self.server)
            return Outcome(ok=True, reason=f"{said}: cut off", facts=facts)
        return Outcome(ok=False, reason=str(asked) if end == "aborted" else said, facts=facts)

    def _left(self) -> int:
        return self.target.look().servers[self.server].in_flight

    def _ages(self) -> Ages | None:
        return Ages(self.settings.max_age, self.settings.spread) if self.settings.max_age else None

    def _end_old(self, ages: Ages | None) -> None:
        if ages is None:
            return
        for connection in ages.due(self.target.connections(self.server), time.monotonic()):
            self.target.close(connection)
            ages.ends[connection] = math.inf
            self.closed += 1
