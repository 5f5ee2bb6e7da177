"""How large the next transaction of a backfill is, and how long to rest before it: readings in, a verdict out.

Three knobs are turned separately. The size of a transaction follows a time target. The rest
between two of them follows what the applications feel. Somebody at another terminal may limit both,
or stop everything for a while.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

HISTORY = 10
"""Transactions by which the next size is chosen."""
GROWTH = 2.0
OVERSHOOT = 5.0
"""A transaction that takes so many times its target cuts the size at once."""
CUT = 10

RESTS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Rest after a transaction, as a multiple of the time it took: the grades of the rate."""
CALM, BUSY, TOO_MUCH = 0.4, 0.7, 1.0
"""Where the share of the allowed latency makes the rate one grade faster, slower, and two slower."""
SLOWER = 5.0
"""Times the latency before the backfill that are allowed, where nobody gives a limit …"""
UNNOTICED = 0.050
"""… and the seconds that nobody notices."""
HELD_SHARE = 0.3
"""Share of transactions that met rows of others, above which the rate becomes slower."""
FEW = 5
"""Readings that make no verdict."""


@dataclass(frozen=True, slots=True)
class Control:
    """What people ask of the backfills under way, from any terminal.

    Args:
        paused: nothing is written until somebody says so.
        rows_per_second: at most; None: as fast as it goes.
        max_latency: seconds that a look at the table may take for others; None: by what it was before.
        said: who asked for it, and why.
    """

    paused: bool = False
    rows_per_second: float | None = None
    max_latency: float | None = None
    said: str = ""


def strictest(controls: Sequence[Control]) -> Control:
    """Several as one: whatever one of them forbids is forbidden."""
    rates = [each.rows_per_second for each in controls if each.rows_per_second is not None]
    limits = [each.max_latency for each in controls if each.max_latency is not None]
    return Control(
        any(each.paused for each in controls),
        min(rates, default=None),
        min(limits, default=None),
        "; ".join(each.said for each in sorted(controls, key=lambda each: not each.paused) if each.said),
    )


def percentile(values: Iterable[float], share: float) -> float:
    """The value that `share` of all are not above; 0 where there is none."""
    found = sorted(values)
    return found[max(0, math.ceil(share * len(found)) - 1)] if found else 0.0


@dataclass(slots=True)
class Servo:
    """Chooses the size of transactions from what the last ones took.

    By the slow ones among the last ten, so a single fast one makes nothing larger; one that takes far
    too long cuts the size at once.

    Args:
        target: seconds that one transaction should take.
    """

    target: float
    costs: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=HISTORY))
    """Seconds, and rows, for each unit of size."""
    overshot: bool = False
    most_rows: float | None = None
    room: int = 1
    """Transactions of a pass over a window of pages: as many as give the server time to prune them in between."""

    def learn(self, size: int, seconds: float, rows: int, most_rows: float | None = None) -> None:
        """Add what a transaction of `size` took; `most_rows` is what one may have at most."""
        self.costs.append((seconds / max(size, 1), rows / max(size, 1)))
        self.overshot = self.overshot or seconds > OVERSHOOT * self.target
        self.most_rows = most_rows

    def size(self, size: int, smallest: int, largest: int) -> int:
        """Size of the next transactions, after some of `size`."""
        cost = percentile((seconds for seconds, _ in self.costs), 0.9)
        factor = min(GROWTH, self.target / (cost * size)) if cost else GROWTH
        if self.overshot:
            factor, self.overshot = min(factor, 1 / CUT), False
            self.costs.clear()
        rows = percentile((rows for _, rows in self.costs), 0.9)
        if self.most_rows is not None and rows * size * factor > self.most_rows:
            return max(1, int(self.most_rows / rows))
        if 0.8 < factor < 1.2:
            return size
        return max(smallest, min(largest, int(size * factor)))


@dataclass(slots=True)
class Allowance:
    """Rows that may be written by now, at so many a second; what is not used is lost after a second."""

    due: float = 0.0

    def spend(self, rows: int, rate: float | None, now: float) -> None:
        """Count rows that were written; `rate` is rows a second, `now` seconds of any beginning."""
        if rate:
            self.due = max(self.due, now - 1.0) + rows / rate

    def wait(self, rate: float | None, now: float) -> float:
        """Seconds until more may be written."""
        return max(0.0, self.due - now) if rate else 0.0


@dataclass(frozen=True, slots=True)
class Felt:
    """What the applications may feel of a backfill.

    Args:
        probes: seconds of the last looks at the table, from a session of their own.
        commits: seconds of the last commits of ours.
        held: share of our last transactions that met rows of others.
    """

    probes: tuple[float, ...] = ()
    commits: tuple[float, ...] = ()
    held: float = 0.0


@dataclass(frozen=True, slots=True)
class Grading:
    """A grade of `RESTS`, and why it is not the fastest."""

    grade: int = 0
    reason: str = ""

    @property
    def rest(self) -> float:
        return RESTS[self.grade]


def graded(now: Grading, felt: Felt, before: Felt, limit: float | None = None) -> Grading:
    """The next grade of the rate.

    Args:
        now: the grade by now.
        before: what was felt before the backfill; it is what the latency is compared with.
        limit: seconds that a look may take, where somebody said so.
    """
    share, reason = max(
        load("a look at the table takes", felt.probes, before.probes, limit),
        load("a commit takes", felt.commits, before.commits, None),
    )
    step = 0
    if share >= BUSY:
        step = 2 if share >= TOO_MUCH else 1
    elif share < CALM and len(felt.probes) >= FEW:
        step = -1
    if step < 1 and felt.held >= HELD_SHARE:
        step, reason = 1, f"{felt.held:.0%} of the batches meet rows that others hold"
    grade = max(0, min(len(RESTS) - 1, now.grade + step))
    return Grading(grade, (reason if step > 0 else now.reason) if grade else "")


def load(what: str, seconds: Sequence[float], before: Sequence[float], limit: float | None) -> tuple[float, str]:
    """Share of the allowed latency that is used, and how that is said; 0 where it is not known."""
    if len(seconds) < FEW or (limit is None and len(before) < FEW):
        return 0.0, ""
    usual, found = percentile(before, 0.9), percentile(seconds, 0.9)
    allowed = limit if limit is not None else max(UNNOTICED, SLOWER * usual)
    than = f"{limit * 1000:g} ms are allowed" if limit is not None else f"{usual * 1000:.1f} ms before"
    return found / allowed, f"{what} {found * 1000:.1f} ms ({than})"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds until a walk is over: most likely, and between which two it is in eight cases of ten."""

    seconds: float
    least: float
    most: float


def forecast(samples: Sequence[tuple[float, int]], total: int) -> Forecast | None:
    """When a walk is over.

    Args:
        samples: moments in seconds, and how much was done by then, oldest first.
        total: of the walk.

    Returns:
        None where it is not known yet.
    """
    rates = [(b - a) / (t - s) for (s, a), (t, b) in pairwise(samples) if t > s]
    if not rates or samples[-1][1] <= samples[0][1]:
        return None
    left = max(0, total - samples[-1][1])
    mean = (samples[-1][1] - samples[0][1]) / (samples[-1][0] - samples[0][0])
    slow, fast = percentile(rates, 0.1), percentile(rates, 0.9)
    seconds = left / mean
    # Rows that others hold are asked for again and again: for a while nearly all samples may have none.
    least = min(seconds, left / fast) if fast > 0 else seconds / 2
    return Forecast(seconds, least, max(seconds, left / slow if slow > 0 else 2 * seconds))
