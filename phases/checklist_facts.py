"""What the checklist is told, and what it answers: one line for each thing that has to be so before a change."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

READINESS, LIVENESS = "readiness", "liveness"
PROBES, SMOKE, BUDGET, BACKUP = "probes", "smoke", "budget", "backup"
EVIDENCED = (PROBES, SMOKE, BUDGET, BACKUP)
"""Items that rest on what was found outside of the database, and recorded here."""
REPLICAS = "replicas"
WAIVABLE = (*EVIDENCED, REPLICAS)
"""Items that somebody may do without, with a reason; the others are facts of this database."""
DAY = timedelta(hours=24)


class Result(enum.StrEnum):
    """What is known of an item."""

    PASSED = "passed"
    FAILED = "failed"
    UNKNOWN = "not known"
    WAIVED = "waived"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What somebody or something has found.

    Args:
        about: one of EVIDENCED; of the probes `readiness` or `liveness`.
        ok: whether it was as it should be; None: that could not be found out, and `said` says why.
        said: what was found.
        at: when that was so, by the database's clock; of a backup when that was made; None: nobody said.
        source: who found it: `asked at this moment`, `rollout 7`, `recorded by ann`.
        application: whose; empty: of every application.
        version: of which version; empty: of the one that was live.
        share: of the error budget that is left; None: not known.
    """

    about: str
    ok: bool | None
    said: str
    at: datetime | None
    source: str
    application: str = ""
    version: str = ""
    share: float | None = None


@dataclass(frozen=True, slots=True)
class Waiver:
    """Somebody's word that an item may be done without, until a moment."""

    item: str
    reason: str
    actor: str
    at: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Live:
    """The version of an application that went live last, and when that began."""

    application: str
    version: str
    since: datetime

    def __str__(self) -> str:
        return f"{self.application} {self.version}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How old what was found may be, and how much of the error budget has to be left.

    Args:
        least: share of the budget; None: any that is above nothing.
    """

    probes: timedelta = DAY
    smoke: timedelta = DAY
    budget: timedelta = timedelta(hours=1)
    backup: timedelta = DAY
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What was found outside of the database.

    Args:
        now: by the database's clock.
        live: the newest version of each application that takes requests.
        server: what the server says of its own backups, which proves none that can be restored.
    """

    now: datetime
    limits: Limits = Limits()
    evidence: Sequence[Evidence] = ()
    live: Sequence[Live] = ()
    server: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist.

    Args:
        at: when what it rests on was so; None: it is so at this moment, or nothing is known.
        age_seconds: how long that is ago.
        remedy: what to do where it is not passed.
        waiver: why it may be done without.
    """

    name: str
    result: Result
    evidence: str
    remedy: str = ""
    at: datetime | None = None
    age_seconds: float | None = None
    waiver: Waiver | None = None
