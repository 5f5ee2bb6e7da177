"""Which build was live when, and where, as far as it is recorded.

- A build is live from the start of its deployment, not from full traffic: a 1 % canary already reads and writes,
  and so does a shadow.
- It stops being live when the next *succeeded* deployment of the same consumer finishes that has not kept it; when it
  was recorded as stopped, which is the only end of a shadow; or, where its own deployment failed or was rolled back,
  when that was recorded. A deployment that never finished is live.
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
        digest: of the artifact; two of one version are two builds.
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
    digest: str = ""

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


def by_target(deployments: Sequence[Deployment]) -> dict[Target, list[Deployment]]:
    found: dict[Target, list[Deployment]] = defaultdict(list)
    for deployment in sorted(deployments, key=lambda d: d.started_at):
        found[deployment.target].append(deployment)
    return found


def arrives(deployment: Deployment, kind: str = "") -> bool:
    """Whether a build has come to stay for its consumer: of a cron job, whether it ran."""
    return (
        deployment.status == "succeeded"
        and deployment.finished_at is not None
        and deployment.strategy != SHADOW
        and (kind != "cron" or deployment.strategy == RUN)
    )


def live_until(deployment: Deployment, others: Sequence[Deployment], kind: str = "") -> datetime | None:
    """When a build stopped being live; None while it is. `kind`: of its consumer."""
    if deployment.status == "started" or deployment.finished_at is None:
        return None
    if deployment.status in ("failed", "rolled_back"):
        return deployment.finished_at
    ends = [
        other.finished_at
        for other in others
        if other is not deployment
        and deployment.strategy != SHADOW
        and arrives(other, kind)
        and not other.keeps
        and other.finished_at is not None
        and other.started_at >= deployment.started_at
        and other.finished_at >= deployment.finished_at
    ]
    ends += [deployment.stopped_at] if deployment.stopped_at is not None else []
    return min(ends, default=None)


def exposures(deployments: Sequence[Deployment], consumers: Sequence[Consumer] = ()) -> list[Exposure]:
    """When each recorded build was live. What a consumer had is over where the consumer is."""
    registered = {consumer.target: consumer for consumer in consumers}
    found = []
    for target, group in by_target(deployments).items():
        consumer = registered.get(target)
        for deployment in group:
            until = live_until(deployment, group, consumer.kind if consumer else "")
            retired = consumer.retired_at if consumer else None
            if retired is not None and deployment.started_at <= retired:
                until = min(until or retired, retired)
            found.append(Exposure(deployment, deployment.started_at, until))
    return found
