"""What a step cost, added up while it runs."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from phases.model import LETS_OTHERS_ON

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import StepRecord


@dataclass(slots=True)
class Measured:
    """What a step cost."""

    started: float = field(default_factory=time.monotonic)
    held_ms: float = 0.0
    waited_ms: float = 0.0
    at_most_ms: float = 0.0
    """The longest statement that took and released its lock by itself: no lock of these was held longer."""
    online: bool = False
    """Whether others went on while a statement worked."""
    rows: int = 0
    changed: int = 0
    """Rows changed by this run alone: `rows` counts those of interrupted ones, too."""
    builds: int = 0
    paused: float = 0.0
    replicas: str = ""
    """Why it was paused for them, or why it is not known whether it should have been."""
    pressure: str = ""
    """The same of log and dead rows."""
    governed: str = ""
    """Why it was held back by people, or for the applications."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.started

    def define(self, sql: str, seconds: float) -> None:
        """Note a statement that commits by itself: when its lock is granted, the server does not say."""
        if LETS_OTHERS_ON.search(sql):
            self.online = True
        else:
            self.at_most_ms = max(self.at_most_ms, seconds * 1000)

    def wait(self, replicas: tuple[float, str], pressure: tuple[float, str], governed: tuple[float, str]) -> None:
        self.paused += replicas[0] + pressure[0] + governed[0]
        self.replicas = replicas[1] or self.replicas
        self.pressure = pressure[1] or self.pressure
        self.governed = governed[1] or self.governed


def remember(connection: Connection, record: StepRecord, measured: Measured, last: int = 0) -> None:
    """Keep how fast a step was, for the estimates of later ones; `last` counts rows of the open batch."""
    from migrator import measuring

    changed = measured.changed + last
    measuring.remember(
        connection, record, rows=changed, builds=measured.builds, seconds=measured.seconds - measured.paused
    )
