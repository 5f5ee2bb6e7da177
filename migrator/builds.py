"""Builds: what is deployed, and which shape of the database it was made for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

COMPUTED, DECLARED, RECORDED, UNKNOWN = "computed", "declared", "recorded", "unknown"
"""Where the shape of a build comes from: a checkout, somebody's word, an earlier record of that version, nowhere."""


@dataclass(frozen=True, slots=True)
class Build:
    """A build that is deployed somewhere.

    Args:
        shape: newest revision whose new shape it uses; None: as recorded before for that version, else the head of
            this checkout; `none`: none; `unknown`: not declared, so it counts as using every old shape.
        survives: newest revision whose contract it survives; None: the same as `shape`.
        key: the same key is recorded once.
        digest: of the artifact; another one makes another build of the same version.
        weight: share of the traffic, in percent.
        keeps: whether the build that was there before is still there afterwards; None: as the strategy has it.
        claimed: when it began, as somebody says; kept, and decides nothing.
        actor: who deployed it; None: who records it.
    """

    application: str
    version: str
    environment: str = "production"
    shape: str | None = None
    survives: str | None = None
    strategy: str = "rolling"
    key: str | None = None
    commit: str | None = None
    region: str = ""
    digest: str | None = None
    ci_run: str | None = None
    weight: float | None = None
    keeps: bool | None = None
    claimed: datetime | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """What a build needs: newest revision whose new shape it uses, newest whose contract it survives, said by whom."""

    uses: str | None
    survives: str | None
    source: str = DECLARED


NOT_DECLARED = Shape(None, None, UNKNOWN)


@dataclass(frozen=True, slots=True)
class Going:
    """A build on its way, and what it needs."""

    build: Build
    shape: Shape = NOT_DECLARED
