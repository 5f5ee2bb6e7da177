"""How far replicas are: readings in, a verdict and its reason out.

The server's own measure of time, `replay_lag`, is NULL for a replica that was idle, and stays what it was
while a stuck one has nothing to report. So a replica is also as late as the oldest reading whose
position it has not replayed yet. Both compare times of one clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CAUGHT_UP = 0.5
"""Part of the limit that a replica has to come down to before batches go on, so that they do not flutter."""

PAGE_HEADERS = (24, 40)
"""Bytes at the beginning of a page of WAL, and of the first page of a segment."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A connected replica, as the server shows it.

    `hidden`: this role is shown nothing but that it is there. `reported`: it has said how far it is since it
    connected. `replayed`: byte position in the WAL; None for whoever keeps WAL and replays none, such as an archive.
    `lag`: seconds, as the server has measured them last. `own_lag`: seconds that a replica which was asked itself
    says it is behind, whatever it has replayed; its positions are microseconds of the source's clock.
    `unreadable`: why it could not be asked.
    """

    name: str
    hidden: bool = False
    reported: bool = True
    replayed: int | None = None
    lag: float | None = None
    asked: bool = False
    own_lag: float | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """All replicas at one moment.

    `at` is in seconds, of any beginning; `flushed` is the byte position up to which a replica could be.
    `problem`: why nothing could be read.
    """

    at: float
    flushed: int = 0
    replicas: tuple[Replica, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a batch may run, or why not; `unknown` says what could not be judged."""

    go: bool
    reason: str = ""
    unknown: str = ""


def judge(readings: Sequence[Reading], limit: float, *, paused: bool = False) -> Verdict:
    """Judge the newest of some readings, which are in order of time.

    What cannot be known holds nothing up, but does not count as caught up: the verdict says so. A replica
    that was named to be asked and does not answer holds everything up.

    Args:
        limit: seconds a replica may be behind.
        paused: batches are waiting already.
    """
    newest = readings[-1]
    if silent := [replica for replica in newest.replicas if replica.unreadable]:
        return Verdict(False, f"how far replica {silent[0].name} is cannot be read: {silent[0].unreadable}")
    late = sorted(((behind(replica, readings), replica.name) for replica in newest.replicas), reverse=True)
    unknown = unread(newest)
    if not late or late[0][0] <= limit * (CAUGHT_UP if paused else 1.0):
        return Verdict(True, unknown=unknown)
    seconds, name = late[0]
    allowed = f"down to {limit * CAUGHT_UP:g} s" if paused else f"more than {limit:g} s"
    return Verdict(False, f"replica {name} is {seconds:.1f} s behind ({allowed})", unknown)


def behind(replica: Replica, readings: Sequence[Reading]) -> float:
    """Seconds by which a replica is late at least; 0 where that is not known."""
    newest = readings[-1]
    position, own = replica.replayed, replica.own_lag or 0.0
    if position is None or position >= newest.flushed:
        return own
    missed = next((reading.at for reading in readings if reading.flushed > position), newest.at)
    return max(replica.lag or 0.0, own, newest.at - missed)


def unread(reading: Reading) -> str:
    """What a reading does not tell, in a sentence."""
    if reading.problem:
        return f"the server does not say how far replicas are: {reading.problem}"
    hidden = [replica.name for replica in reading.replicas if replica.hidden]
    if hidden:
        return f"how far behind replica {', '.join(hidden)} is, this role may not see"
    return ""


def kept(readings: Sequence[Reading], limit: float) -> list[Reading]:
    """The readings that can still decide: those of the last `limit` seconds, and the one before them."""
    since = readings[-1].at - limit if readings else 0.0
    first = next((number for number, reading in enumerate(readings) if reading.at >= since), 0)
    return list(readings[max(0, first - 1) :])


def awaited(reading: Reading, position: int) -> tuple[Replica, ...]:
    """Replicas that are not known to have replayed everything before a position."""

    def short(replica: Replica) -> bool:
        return replica.replayed is not None and replica.replayed < position

    return tuple(
        replica
        for replica in reading.replicas
        if replica.hidden or replica.unreadable or not replica.reported or short(replica)
    )


def reachable(position: int, page: int) -> int:
    """The end of the last record before a position, as replicas report it.

    On the edge of a page the server names the first byte behind the header of the next one, which
    nothing reaches before there is another record; no record ends inside of a header.

    Args:
        page: bytes of a page of WAL.
    """
    header = position % page
    return position - header if header in PAGE_HEADERS else position
