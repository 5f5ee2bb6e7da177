"""How many workers walk one table: readings of throughput in, a number and its reason out.

One is added at a time, and stays only if all together write more rows for it. Whoever uses the database comes first:
while a backfill rests for them, it has a worker too many.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST = 8
"""Workers that are ever tried where nobody names a number."""
MOST_WORKERS = 32
"""Workers that anybody may ask for."""
GAIN = 1.10
"""Times the rows a second that a further worker has to bring."""
AGAIN = 60
"""Readings after which it is tried once more what brought nothing before."""


@dataclass(frozen=True, slots=True)
class Staff:
    """So many workers, and what is known of one more.

    Args:
        workers: that should be at work.
        before: rows a second with one fewer, while it is not decided whether the last one stays.
        full: so many were too many …
        since: … so many readings ago.
        reason: why there are not more.
    """

    workers: int = 1
    before: float | None = None
    full: int | None = None
    since: int = 0
    reason: str = ""


def staffed(now: Staff, rate: float, *, felt: str = "", limited: bool = False, most: int = MOST) -> Staff:
    """The next number of workers.

    Args:
        rate: rows a second since the number was changed.
        felt: why the backfill rests for those who use the database; empty: it does not.
        limited: somebody limits the rate, so that more workers could not write more.
    """
    now = replace(now, since=now.since + 1)
    if felt:
        return fewer(now, felt) if now.workers > 1 else replace(now, before=None, full=2, since=0, reason=felt)
    if now.before is not None and rate < GAIN * now.before:
        said = f"{counted(now.workers)} write {rate:,.0f} rows/s, {counted(now.workers - 1)} {now.before:,.0f}"
        return fewer(now, said)
    if limited or now.workers >= most:
        return replace(now, before=None)
    if now.full is not None and now.workers + 1 >= now.full and now.since < AGAIN:
        return replace(now, before=None)
    return Staff(now.workers + 1, rate)


def fewer(now: Staff, reason: str) -> Staff:
    return Staff(now.workers - 1, None, now.workers, 0, reason)


def counted(workers: int) -> str:
    return f"{workers} {'worker' if workers == 1 else 'workers'}"
