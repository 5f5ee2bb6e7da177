"""What lets a contract through a gate that is closed: which blockers, asked for and approved by whom, until when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.gate_facts import Verdict

CODES = ("security", "legal", "cost", "data-loss", "other")
"""Kinds of reasons."""
LIFE = timedelta(minutes=60)
"""How long after it was asked for it may be used."""


@dataclass(frozen=True, slots=True)
class Permission:
    """An override as recorded.

    Args:
        blockers: names of the conditions that did not hold when it was asked for; it is for these alone.
        approvers: who approved it; whoever asked for it does not count.
        needed: approvals that it takes.
    """

    revision: str
    blockers: frozenset[str]
    requester: str
    expires_at: datetime
    used_at: datetime | None = None
    approvers: Sequence[str] = ()
    needed: int = 0


def never(verdict: Verdict) -> tuple[str, ...]:
    """Conditions that do not hold, and that nobody may override."""
    return tuple(f"{c.name}: {c.evidence}" for c in verdict.failing if not c.overridable)


def refusal(permission: Permission, verdict: Verdict, revision: str, now: datetime) -> str:
    """Why an override does not let the contract of a revision through; empty where it does."""
    new = [c.name for c in verdict.failing if c.name not in permission.blockers]
    approvers = set(permission.approvers) - {permission.requester}
    if never(verdict):
        return f"no override is possible: {'; '.join(never(verdict))}"
    if permission.revision != revision:
        return f"it is for {permission.revision}"
    if permission.used_at is not None:
        return "it has been used"
    if now >= permission.expires_at:
        return f"it has expired at {permission.expires_at:%Y-%m-%d %H:%M:%S %Z}"
    if new:
        return f"what it is for has changed: {', '.join(new)} did hold when it was asked for"
    if len(approvers) < permission.needed:
        others = f"of somebody other than {permission.requester}"
        return f"it has {len(approvers)} of {permission.needed} approvals {others}"
    return ""
