"""Rows of the ledger as frozen values. All times are aware and the database's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from phases.effects import Failure, RowAside
from phases.model import Phase, Step


@dataclass(frozen=True, slots=True)
class RevisionRecord:
    id: str
    down_revisions: tuple[str, ...]
    digest: str
    message: str
    additive: bool
    state: str
    released_at: datetime | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StepRecord:
    """`undoes` is the step this one takes back; None for a step of the revision itself."""

    id: int
    revision: str
    position: int
    phase: Phase
    name: str
    step: Step
    undoes: int | None
    state: str
    attempts: int
    seconds: float | None
    lock_held_ms: float | None
    lock_waited_ms: float | None


@dataclass(frozen=True, slots=True)
class AsideRecord:
    """A row that a backfill could not change. `key`: its key as text, or its address where the table has none."""

    revision: str
    step: str
    table: str
    key: tuple[str, ...]
    sqlstate: str
    message: str
    at: datetime

    @property
    def row(self) -> RowAside:
        """What the step that set it aside knows of it."""
        return RowAside(self.key, Failure(self.sqlstate, self.message))


@dataclass(frozen=True, slots=True)
class ProgressRecord:
    """How far a long step is, as its runner said last.

    `seconds_left`: until its end, most likely, and at least and at most in eight cases of ten; None: not known yet.
    `limits`: what it keeps to. `reason`: why it is slower than it could be, or waits.
    """

    revision: str
    step: str
    done: int
    total: int
    unit: str
    rows_per_second: float
    seconds_left: float | None
    seconds_left_least: float | None
    seconds_left_most: float | None
    limits: str
    reason: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class DeploymentRecord:
    """One deployment.

    `uses`: newest revision whose new shape the build uses. `survives`: newest whose contract it survives.
    `shape_source`: `computed` from the revisions of a checkout, `declared`, `recorded` before for that version, or
    `unknown`. `keeps`: the build that was there before is still there. Times are the database's; `claimed_…` ones are
    what somebody said. `late`: seconds that the clock of who recorded the end was ahead. `place`, `timeline`: of the
    database it was recorded in.
    """

    id: int
    idempotency_key: str | None
    application: str
    version: str
    environment: str
    strategy: str
    status: str
    uses: str | None
    survives: str | None
    started_at: datetime
    finished_at: datetime | None
    actor: str
    commit_sha: str | None
    region: str = ""
    artifact_digest: str | None = None
    ci_run: str | None = None
    weight: float | None = None
    keeps: bool = False
    stopped_at: datetime | None = None
    shape_source: str = "declared"
    claimed_started_at: datetime | None = None
    claimed_finished_at: datetime | None = None
    late: int = 0
    place: str | None = None
    timeline: int | None = None

    @property
    def declared(self) -> bool:
        return self.shape_source != "unknown"


@dataclass(frozen=True, slots=True)
class ConsumerRecord:
    """Somebody who uses the database: `application`, `worker`, `cron`, `reader`, or a `tool`, which uses no shape."""

    application: str
    environment: str
    region: str
    kind: str
    owner: str
    registered_at: datetime
    registered_by: str
    retired_at: datetime | None
    retired_by: str | None
    retired_because: str | None


@dataclass(frozen=True, slots=True)
class OverrideRecord:
    """What lets a contract through: `blockers` that it is for, `needed` approvals, and who gave them."""

    id: int
    revision: str
    reason: str
    actor: str
    created_at: datetime
    code: str
    blockers: tuple[str, ...]
    needed: int
    expires_at: datetime | None
    used_at: datetime | None
    approvers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventRecord:
    id: int
    at: datetime
    kind: str
    revision: str | None
    step: str | None
    actor: str
    detail: Mapping[str, Any] | None
