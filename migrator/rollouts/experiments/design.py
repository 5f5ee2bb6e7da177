"""How many users an A/B test takes, and how far apart its arms have to be at each look.

Two shares are compared by the normal approximation. Looks before the end cost certainty:
each is one more chance of an accident. The boundaries of O'Brien and Fleming (Biometrics
35, 1979, 549) leave nearly all of it to the last look: look k of K is decided only beyond
C·sqrt(K/k) standard errors. C, and how much the sample has to grow for the same power,
come from integrating over the looks (Armitage, McPherson and Rowe, J. R. Stat. Soc. A
132, 1969, 235); the values are those of Jennison and Turnbull, Group Sequential Methods,
2000, tables 2.3 and 2.4.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

GRID = 60
"""Intervals between the boundaries that are summed over; an even number."""
NORMAL = NormalDist()


def fixed(baseline: float, effect: float, power: float, alpha: float, share: float = 50.0) -> tuple[int, int]:
    """Users of control and variant for one look at the end.

    Args:
        effect: difference that is to be found; below zero where fewer are better.
        share: percent of the users who have the variant.
    """
    times = share / (100 - share)
    other = baseline + effect
    pooled = (baseline + times * other) / (1 + times)
    apart = NORMAL.inv_cdf(1 - alpha / 2) * math.sqrt(pooled * (1 - pooled) * (1 + 1 / times))
    found = NORMAL.inv_cdf(power) * math.sqrt(baseline * (1 - baseline) + other * (1 - other) / times)
    control = ((apart + found) / effect) ** 2
    return math.ceil(round(control, 6)), math.ceil(round(control * times, 6))


def sample(
    baseline: float, effect: float, power: float, alpha: float, share: float = 50.0, looks: int = 1
) -> tuple[int, int]:
    """Users of control and variant where it is looked at several times."""
    control, variant = fixed(baseline, effect, power, alpha, share)
    more = inflation(power, alpha, looks)
    return math.ceil(round(control * more, 6)), math.ceil(round(variant * more, 6))


@functools.cache
def boundary(alpha: float, looks: int) -> float:
    """C: standard errors that the last look has to reach."""
    single = NORMAL.inv_cdf(1 - alpha / 2)
    if looks == 1:
        return single
    return bisected(lambda c: crossing(c, looks) - alpha, single, single + 1.0)


@functools.cache
def inflation(power: float, alpha: float, looks: int) -> float:
    """How many times the sample of a single look it takes."""
    if looks == 1:
        return 1.0
    single = NORMAL.inv_cdf(1 - alpha / 2) + NORMAL.inv_cdf(power)
    limit = boundary(alpha, looks)
    drift = bisected(lambda theta: power - crossing(limit, looks, theta), single, single + 1.0)
    return (drift / single) ** 2


def bisected(falling: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that falls from above zero to below it has its root."""
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return high


def crossing(limit: float, looks: int, drift: float = 0.0) -> float:
    """How likely some look is beyond the boundary.

    Args:
        drift: expected standard errors at the last look.

    In the scale of what is summed up until a look, the boundary is the same at each.
    """
    step = 2 * limit / GRID
    increment = NormalDist(drift / looks, math.sqrt(1 / looks))
    points = [-limit + place * step for place in range(GRID + 1)]
    weights = [step / 3 * (1 if place in (0, GRID) else 4 if place % 2 else 2) for place in range(GRID + 1)]
    moved = [increment.pdf((place - GRID) * step) for place in range(2 * GRID + 1)]
    inside = [increment.pdf(point) for point in points]
    for _ in range(looks - 1):
        mass = [value * weight for value, weight in zip(inside, weights, strict=True)]
        inside = [
            sum(value * moved[there - here + GRID] for here, value in enumerate(mass)) for there in range(GRID + 1)
        ]
    return 1 - sum(value * weight for value, weight in zip(inside, weights, strict=True))


def mismatch(control: int, variant: int, share: float) -> float:
    """How likely arms are so far from their shares by chance: the chi-square test, with one degree of freedom."""
    whole = control + variant
    expected = whole * (100 - share) / 100, whole * share / 100
    if not whole:
        return 1.0
    square = sum((found - wanted) ** 2 / wanted for found, wanted in zip((control, variant), expected, strict=True))
    return math.erfc(math.sqrt(square / 2))


def score(control: tuple[int, int], variant: tuple[int, int]) -> float:
    """Standard errors by which the variant's share of conversions is above the control's.

    Args:
        control: users and conversions.
        variant: likewise.
    """
    users, others = control[0], variant[0]
    if not users or not others:
        return 0.0
    pooled = (control[1] + variant[1]) / (users + others)
    error = math.sqrt(pooled * (1 - pooled) * (1 / users + 1 / others))
    return (variant[1] / others - control[1] / users) / error if error else 0.0
