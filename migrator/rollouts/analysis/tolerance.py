"""Looks in a row judged together: how many may fail, said as what it fails on. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from migrator.rollouts.analysis.model import FAIL, INCONCLUSIVE, Judgement, Rules


def fails_on(rules: Rules) -> str:
    """When an arm has failed, for people."""
    said = f"the {ordinal(rules.tolerated + 1)} failing look"
    if rules.tolerated:
        said += f" of the last {rules.within}"
    if rules.consecutive and rules.consecutive <= rules.tolerated:
        said += f", or the {ordinal(rules.consecutive)} in a row"
    return said


def ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}th" if number % 100 in (11, 12, 13) else f"{number}{ending}"


def together(rules: Rules, looks: Sequence[Judgement]) -> Judgement:
    """The verdict of a watch, its looks from the first to the newest.

    A failing look that is tolerated is no success either: it leaves the watch undecided, until another one is not.
    Looks without a verdict count neither as failing nor as good.
    """
    newest = looks[-1]
    if newest.verdict != FAIL:
        return newest
    failed = sum(look.verdict == FAIL for look in looks[-rules.within :])
    row = next((place for place, look in enumerate(reversed(looks)) if look.verdict != FAIL), len(looks))
    if failed > rules.tolerated or 0 < rules.consecutive <= row:
        return replace(newest, reason=said(rules, newest)) if rules.tolerated else newest
    tolerated = f"{newest.reason} (failing look {failed}; fails on {fails_on(rules)})"
    return replace(newest, verdict=INCONCLUSIVE, reason=tolerated)


def said(rules: Rules, newest: Judgement) -> str:
    return f"{newest.reason} ({fails_on(rules)})"
