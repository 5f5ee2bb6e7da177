"""How large a window of heap pages is: readings of updates and snapshots in, a number of batches and its reason out.

A pass over a window leaves old versions behind, which the next pass finds pruned only if no snapshot is older than
the time between the two. So a window has to be so large that a pass over it takes longer than snapshots live. How
well that works, the server says: the share of updates that found room on their page (HOT).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

MOST = 16
"""Batches of a pass, at most: what is walked again and again should stay in memory."""
AMPLE = 1.5
"""Times the age of the oldest snapshot that a pass should take."""
GOOD = 0.85
"""Share of the updates that can be HOT, from which on a larger window is of no use."""
FEW = 1000
"""Updates that make no verdict."""


@dataclass(frozen=True, slots=True)
class Updates:
    """What the statistics of a table have counted: updates, and those of them that stayed on their page."""

    all: int = 0
    hot: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """So many batches make up a pass over a window.

    Args:
        reason: why fewer updates than could be are HOT, where that is so.
    """

    batches: int = 1
    reason: str = ""


def roomy(now: Room, made: Updates, age: float, batch: float, *, stripes: int, workers: int = 1) -> Room:
    """The next size of windows.

    Args:
        made: updates since the last reading.
        age: seconds of the oldest snapshot of others that is known.
        batch: seconds that one of our transactions takes; 0: it is not known yet.
        stripes: passes over a window; all but the first can be HOT.
        workers: each one has a snapshot of its own, as old as its transaction.
    """
    outlives = max(age / batch if batch > 0 else 0.0, 1.0 if workers > 1 else 0.0)
    if outlives > MOST:
        said = f"a snapshot is {age:.0f} s old: what updates leave behind is not pruned, and the table grows"
        return Room(1, said)
    wanted = min(MOST, max(1, math.ceil(AMPLE * outlives)) + (workers > 1))
    if made.all < FEW:
        return Room(max(now.batches, wanted), now.reason)
    share, best = made.hot / made.all, 1 - 1 / stripes
    if share >= GOOD * best:
        return Room(max(1, min(now.batches, 4 * wanted), wanted))
    said = f"{share:.0%} of the updates are HOT, where {best:.0%} could be"
    if now.batches >= MOST:
        return Room(MOST, said)
    return replace(now, batches=min(MOST, max(2 * now.batches, wanted)), reason=said)
