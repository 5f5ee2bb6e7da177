"""Look at the replicas, and wait for those that are behind."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from migrator.dialects import postgresql
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError, NotYet
from migrator.events import Observer, Resumed, Unwatched, Waiting, ignore
from phases.replication import Reading, Replica, Verdict, awaited, judge, kept, reachable, unread

if TYPE_CHECKING:
    from migrator.database import Session

EVERY = 1.0
"""Seconds between two looks."""
FIRST_WAIT = 0.1


class Watch:
    """Watches the replicas of the server that a session is on.

    Args:
        limit: seconds a replica may be behind; 0 looks at none.
        observer: told of every wait.
        pause: waits; no transaction is open meanwhile.
        clock: seconds, of any beginning.
    """

    def __init__(
        self,
        session: Session,
        limit: float,
        observer: Observer = ignore,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.session = session
        self.limit = limit
        self.observer = observer
        self.pause = pause
        self.clock = clock
        self.readings: list[Reading] = []
        self.unknown = ""

    def look(self, *, paused: bool = False) -> Verdict:
        """Read once, and judge that and what was read before."""
        self.readings = [*kept(self.readings, self.limit), self.read()]
        return judge(self.readings, self.limit, paused=paused)

    def read(self) -> Reading:
        """How far every connected replica is."""
        if not (question := self.session.family.replicas()):
            return Reading(self.clock())
        try:
            rows = self.session.query(question)
        except (ConnectionFailed, Cancelled):
            raise
        except DatabaseError as problem:  # a service of its own kind may know replicas, and no positions
            return Reading(self.clock(), problem=problem.message)
        replicas = tuple(Replica(*row[:-1]) for row in rows)
        return Reading(self.clock(), max((row[-1] for row in rows), default=0), replicas)

    def follow(self, step: str) -> tuple[float, str]:
        """Wait until no replica is too far behind for another batch; looks once a second at most.

        Returns:
            Seconds waited, and why, or what could not be judged.
        """
        begun = self.clock()
        if not self.limit or (self.readings and begun - self.readings[-1].at < EVERY):
            return 0.0, ""
        verdict = self.look()
        if verdict.unknown and verdict.unknown != self.unknown:
            self.observer(Unwatched(step, verdict.unknown))
            self.unknown = verdict.unknown
        if verdict.go:
            return 0.0, verdict.unknown
        reason = verdict.reason
        while not verdict.go:
            self.observer(Waiting(step, verdict.reason, self.clock() - begun))
            self.pause(EVERY)
            verdict = self.look(paused=True)
        self.observer(Resumed(step, self.clock() - begun))
        return self.clock() - begun, reason

    def catch_up(self, revision: str, doing: str, give_up_after: float) -> None:
        """Wait until every connected replica has replayed what is in the WAL by now.

        Args:
            doing: what is to begin then.
            give_up_after: seconds.

        Raises:
            NotYet: a replica has not, or it is not known whether it has.
        """
        if not self.limit:
            return
        begun, wait = self.clock(), FIRST_WAIT
        if not (reading := self.read()).replicas and not reading.problem:
            return
        position = self.position() if not reading.problem else 0
        while reason := missing(reading := self.read(), position):
            if unread(reading) or self.clock() - begun >= give_up_after:
                raise not_replayed(doing, reading, position, reason)
            self.observer(Waiting(revision, reason, self.clock() - begun))
            self.pause(wait)
            wait = min(EVERY, 2 * wait)
        if wait > FIRST_WAIT:
            self.observer(Resumed(revision, self.clock() - begun))

    def position(self) -> int:
        """Up to where the WAL is written."""
        inserted, page = self.session.query(postgresql.WAL_POSITION)[0]
        return reachable(inserted, page)


def missing(reading: Reading, position: int) -> str:
    """Why it is not known that every replica has replayed what comes before a position; empty where it is."""
    if unknown := unread(reading):
        return unknown
    said = [f"replica {replica.name} {short(replica, position)}" for replica in awaited(reading, position)]
    return ", ".join(said)


def short(replica: Replica, position: int) -> str:
    if replica.replayed is None:
        return "has not said yet how far it is"
    return f"has {position - replica.replayed} bytes of WAL to replay"


def not_replayed(doing: str, reading: Reading, position: int, reason: str) -> NotYet:
    remedy = "GRANT pg_monitor to this role" if unread(reading) else "wait for them, and run the same command again"
    late = [
        {"name": replica.name, "bytes": None if replica.replayed is None else position - replica.replayed}
        for replica in awaited(reading, position)
    ]
    return NotYet(
        f"{doing} has not begun, because replicas would not have what came before it: {reason}",
        next_step=f"{remedy}; or look at no replica: MIGRATOR_REPLICA_LAG=0",
        conditions=["every connected replica has replayed"],
        replicas=late,
    )
