"""What the contract gate is told, and what it answers."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from phases.checklist_facts import Item
from phases.exposure import Consumer, Deployment
from phases.sessions import Session


class Looked(enum.StrEnum):
    """What a look at something other than the records has found."""

    CLEAN = "clean"
    SEEN = "seen"
    UNSEEN = "not observable"


@dataclass(frozen=True, slots=True)
class Reading:
    """One look at what uses the old shape, whatever the records say; each becomes a condition of the gate.

    Args:
        name: of the condition, `no statement on the old column`.
        looked: SEEN shuts the gate; UNSEEN is said, and shuts it where the policy is strict.
        evidence: what was found, or why nothing could be.
        remedy: what to do, for what shuts it.
        last_seen: when the old shape was last seen in use, by the database's clock; the hours count from there.
        overridable: whether an override may let a contract through in spite of it.
    """

    name: str
    looked: Looked
    evidence: str
    remedy: str = ""
    last_seen: datetime | None = None
    overridable: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """How much has to be known.

    Args:
        hours: how long no build that uses the old shape may have been live; 24 at least.
        strict: what could not be looked at shuts the gate, too; otherwise only what was seen.
        deployments: successful deployments of builds that survive the contract, of each consumer.
    """

    hours: float = 24.0
    strict: bool = False
    deployments: int = 1


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of the database's clock, and of which server it is.

    Args:
        newest: moment of the newest record; a clock behind it was set back.
        ahead: seconds that the database's clock is ahead of that of the machine that asks.
        elsewhere: deployments that were recorded in another database, of which this one is a copy.
        promoted: a replica has taken over since the newest deployment was recorded.
        moved: consumers whose newest deployment was recorded on another server, of which it is not known whether this
            one took over from it, or is a copy.
        unknown: why it is not known which server this is; empty where it is.
    """

    newest: datetime | None = None
    ahead: float = 0.0
    elsewhere: int = 0
    promoted: bool = False
    moved: Sequence[str] = ()
    unknown: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the gate looks at.

    `now` is the database's clock; `verified`: migrate is over, and found no row that
    differs; `set_aside` rows a backfill could not change; `compared`: there are rows to compare;
    `sessions`: those of clients that are connected; None where they cannot be known: `unseen` says why.
    `ends_session`: what ends one, for people. `evidence`: every other look at what is in use.
    `altered`: records that somebody changed by hand. `required`: items of the checklist that have to be passed.
    """

    now: datetime
    deployments: Sequence[Deployment]
    state: str
    verified: bool
    set_aside: int = 0
    compared: bool = True
    sessions: Sequence[Session] | None = ()
    unseen: str = ""
    ends_session: str = "SELECT pg_terminate_backend(pid)"
    consumers: Sequence[Consumer] = ()
    evidence: Sequence[Reading] = ()
    altered: Sequence[str] = ()
    standing: Standing = Standing()
    required: Sequence[Item] = ()


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of the gate. `observed`: it could be looked at; `overridable`: an override may ignore it."""

    name: str
    holds: bool
    evidence: str
    remedy: str = ""
    observed: bool = True
    overridable: bool = True

    @property
    def state(self) -> str:
        if not self.observed:
            return "not observed"
        return "holds" if self.holds else "fails"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`opens_at`: when it opens, or has opened, by itself; None where waiting alone does not open it."""

    open: bool
    opens_at: datetime | None
    conditions: tuple[Condition, ...]

    @property
    def failing(self) -> tuple[Condition, ...]:
        return tuple(condition for condition in self.conditions if not condition.holds)
