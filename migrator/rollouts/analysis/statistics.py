"""The statistics of an analysis, from the standard library alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

RULE_OF_THREE = 3.0
"""No failure among n requests leaves 3/n as the upper bound of their rate, at 95 % confidence."""

NEGLIGIBLE = 1e-12


def needed(limit: float) -> int:
    """Requests without which nothing says that fewer than a share of them fail."""
    return math.ceil(round(RULE_OF_THREE / limit, 6))


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least a share of them do not exceed. There is at least one."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(round(share * len(ordered), 9)) - 1)]


def chance(failures: int, requests: int, rate: float) -> float:
    """How likely so many failures or more are, where each request fails at a rate; 1.0 for no more than expected."""
    if failures <= requests * rate:
        return 1.0
    if rate <= 0:
        return 0.0
    total = 0.0
    for count in range(failures, requests + 1):
        term = (
            math.lgamma(requests + 1)
            - math.lgamma(count + 1)
            - math.lgamma(requests - count + 1)
            + count * math.log(rate)
            + (requests - count) * math.log1p(-rate)
        )
        if math.exp(term) < total * NEGLIGIBLE:  # they only get smaller from here on
            break
        total += math.exp(term)
    return min(total, 1.0)


def mann_whitney(arm: Sequence[float], baseline: Sequence[float]) -> float:
    """How likely it is that samples which are alike look as if the arm's were greater, or more so.

    The normal approximation with the correction for ties and for continuity; from about eight
    samples a side it is close. 1.0 where all samples are the same, or one side has none.
    """
    ours, theirs = len(arm), len(baseline)
    if not ours or not theirs:
        return 1.0
    counts = Counter(arm)
    counts.update(baseline)
    rank, rank_of = 0, {}
    for value in sorted(counts):
        rank_of[value] = rank + (counts[value] + 1) / 2
        rank += counts[value]
    greater = sum(rank_of[value] for value in arm) - ours * (ours + 1) / 2
    whole = ours + theirs
    ties = sum(count**3 - count for count in counts.values())
    variance = ours * theirs / 12 * (whole + 1 - ties / (whole * (whole - 1)))
    if variance <= 0:
        return 1.0
    score = (greater - ours * theirs / 2 - 0.5) / math.sqrt(variance)
    return 0.5 * math.erfc(score / math.sqrt(2))


def burn(errors: int, requests: int, objective: float) -> float:
    """How many times as fast as planned the error budget is used up; 1 uses it up exactly at its end."""
    return errors / requests / (1 - objective)
