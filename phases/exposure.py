"""Which build was live when, and where, as far as it is recorded.

- A build is live from the start of its deployment, not from full traffic: a 1 % canary already reads and writes,
  and so does a shadow.
- It stops being live when the next *succeeded* deployment of the same consumer finishes that has not kept it; when it
  was recorded as stopped; or, where its own deployment failed or was rolled back, when that was recorded. A deployment
  that never finished is live.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

KEEPING = frozenset({"blue-green", "ab", "shadow"})
"""Strategies after whose success the build that was there before is still there: warm, an arm, or all of it."""
SHADOW = "shadow"
RUN = "run"
"""Strategy of what a cron job records by itself, each time it ran."""

Target = tuple[str, str, str]
"""Application, environment, region."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, as recorded, in the database's time.

    Args:
        clean: the build survives the contract in question.
        keeps: the build that was there before is still there after it succeeded.
        stopped_at: when it was recorded that its instances are gone.
        declared: it is known what the build uses.
        late: seconds that the clock of whoever recorded its end was ahead of the database's.
    """

    application: str
    environment: str
    version: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    clean: bool
    region: str = ""
    strategy: str = "rolling"
    keeps: bool = False
    stopped_at: datetime | None = None
    declared: bool = True
    late: float = 0.0

    @property
    def target(self) -> Target:
        return self.application, self.environment, self.region

    def __str__(self) -> str:
        return f"{self.application} {self.version} in {place(self.environment, self.region)}"


@dataclass(frozen=True, slots=True)
class Consumer:
    """Somebody who uses the database, and has to be heard of before a contract.

    Args:
        kind: `application`, `worker`, `cron` (a success is a run of it), `reader`, or `tool`, which uses no shape:
            its sessions are known, and nothing is expected of it.
        retired_at: when it was recorded that it is gone.
    """

    application: str
    environment: str
    region: str = ""
    kind: str = "application"
    owner: str = ""
    retired_at: datetime | None = None

    @property
    def target(self) -> Target:
        return self.application, self.environment, self.region

    def __str__(self) -> str:
        return f"{self.application} in {place(self.environment, self.region)}"


@dataclass(frozen=True, slots=True)
class Exposure:
    """The time in which a build was live; `until` is None while it is."""

    deployment: Deployment
    since: datetime
    until: datetime | None


def place(environment: str, region: str) -> str:
    return f"{environment}/{region}" if region else environment
