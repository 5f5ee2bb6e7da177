"""What is said of a shadow: how many answers differ, and whether users wait longer because of the copies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from migrator.rollouts.analysis.judging import ALARMS
from migrator.rollouts.analysis.metrics import milliseconds
from migrator.rollouts.analysis.model import FAIL, INSUFFICIENT, PASS, Judgement
from migrator.rollouts.analysis.statistics import chance, quantile
from migrator.rollouts.shadowing.comparing import Comparer
from migrator.rollouts.shadowing.configuration import Shadowing

SHARE = 0.95
LEAST = 20
"""Answers from which it is said how long users wait."""
RECENT = 100
"""Of the newest answers that are held against those of before."""


def slowed(before: float, seconds: Sequence[float], settings: Shadowing) -> str:
    """Why users wait too long; empty where they do not, or where there is too little to say so.

    Args:
        before: p95 without copies, in seconds.
        seconds: how long the answers took since, from the first to the newest.
    """
    newest = seconds[-RECENT:]
    if len(newest) < LEAST or not before:
        return ""
    p95 = quantile(newest, SHARE)
    if p95 <= max(before * settings.slower, before + settings.floor):
        return ""
    return (
        f"users wait {milliseconds(p95)} (p95) since requests are copied, {milliseconds(before)} before, and"
        f" {settings.slower:g} times as long is the limit"
    )


def judge(compared: int, differing: int, settings: Shadowing) -> Judgement:
    """Judge how many answers differ."""
    said = f"{differing} of {compared} answers differ"
    limit = settings.differences
    if differing and chance(differing, compared, limit) < ALARMS:
        return Judgement(FAIL, f"{said}, and {limit * 100:.3g} % is the limit")
    if compared < settings.minimum:
        return Judgement(INSUFFICIENT, f"{said}, and {settings.minimum} are needed to judge")
    if differing > limit * compared:
        return Judgement(FAIL, f"{said}, and {limit * 100:.3g} % is the limit")
    return Judgement(PASS, said)


@dataclass(slots=True)
class ShadowLooks:
    """The looks at a shadow that is compared.

    Args:
        waits: seconds of the answers that users got since the copies began.
    """

    settings: Shadowing
    comparer: Comparer
    before: float
    waits: Callable[[], Sequence[float]]
    version: str

    def look(self) -> Judgement:
        slow = slowed(self.before, self.waits(), self.settings)
        found = Judgement(FAIL, slow) if slow else judge(self.comparer.compared, self.comparer.differing, self.settings)
        facts = self.comparer.facts()
        if not slow and facts["kinds"] and found.verdict != PASS:
            most = next(iter(facts["kinds"]))
            found = replace(found, reason=f"{found.reason}: {most}")
        return replace(found, facts={"version": self.version, "before_p95": self.before, **facts})
