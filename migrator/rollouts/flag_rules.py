"""The rules of a flag of flagd's, read and written: segments first, then shares. Pure.

A share is a `fractional` rule. It stands alone, or as the last branch of an `if`, whose
branches before it are segments. flagd puts users into a hundred buckets: shares are whole
percents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from migrator.rollouts.plan import Segment
from migrator.rollouts.targets.routing import in_order

Rule = Mapping[str, Any]


class NoRule(ValueError):
    """A flag has a rule that cannot be replaced without losing what it says."""


def fractional(targeting: Rule) -> list[Any] | None:
    """The rule that divides users who are in no segment; None where none does."""
    branches = targeting.get("if")
    if isinstance(branches, list) and branches and isinstance(branches[-1], dict):
        return fractional(branches[-1])
    found: list[Any] | None = targeting.get("fractional")
    return found


def shares_of(flag: Mapping[str, Any]) -> dict[str, float]:
    """Percent by variant, of users who are in no segment."""
    rule = fractional(flag.get("targeting") or {})
    if rule is None:
        return {variant: 100.0 if variant == flag["defaultVariant"] else 0.0 for variant in flag["variants"]}
    rows = [row for row in rule if isinstance(row, list)]
    weights = {row[0]: row[1] if len(row) > 1 else 1 for row in rows}
    whole = sum(weights.values()) or 1
    return {variant: weights.get(variant, 0) * 100 / whole for variant in flag["variants"]}


def segmented(targeting: Rule) -> list[str]:
    """The variants that segments get, whoever wrote them."""
    branches = targeting.get("if")
    if not isinstance(branches, list) or len(branches) < 2:
        return []
    last = branches[-1] if len(branches) % 2 and isinstance(branches[-1], dict) else {}
    return [str(variant) for variant in branches[1::2]] + segmented(last)


def dividing(shares: Mapping[str, float], key: str) -> Rule:
    """A rule that divides users, told apart by an attribute: who has a variant whose share grows keeps it."""
    user = {"cat": [{"var": "$flagd.flagKey"}, {"var": key}]}
    return {"fractional": [user, *([variant, int(shares[variant])] for variant in in_order(shares))]}


def condition(segment: Segment) -> Rule:
    """What says whether a user is in a segment."""
    attribute = {"var": segment.attribute}
    if len(segment.values) == 1:
        return {"==": [attribute, segment.values[0]]}
    return {"in": [attribute, list(segment.values)]}


def replaced(targeting: Rule, rule: Rule) -> Rule:
    """A rule of a flag in which others divide the users; segments stay.

    Raises:
        NoRule: it is neither `fractional` nor an `if` with one as its last branch.
    """
    branches = targeting.get("if")
    if not targeting or "fractional" in targeting:
        return rule
    if isinstance(branches, list) and len(branches) % 2 and len(branches) > 1:
        last = branches[-1] if isinstance(branches[-1], dict) else {}
        return {"if": [*branches[:-1], replaced(last, rule)]}
    raise NoRule("a rule that is neither fractional nor an if with one as its last branch")


def ahead(targeting: Rule, segments: Sequence[Segment], variant: str) -> Rule:
    """A rule in which our segments get a variant before anything else is asked; empty: they are taken out."""
    ours = [condition(segment) for segment in segments]
    branches = targeting.get("if")
    chain = list(branches) if isinstance(branches, list) and len(branches) % 2 else [targeting]
    kept = [
        part for test, then in zip(chain[:-1:2], chain[1::2], strict=True) if test not in ours for part in (test, then)
    ]
    first = [part for test in ours for part in (test, variant)] if variant else []
    return {"if": [*first, *kept, chain[-1]]} if first or kept else chain[-1]
