"""Look at the replicas, and wait for those that are behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
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
        urls: of replicas that are asked themselves, where the server does not know how far they are; None: none
            was named, and of those that are connected nothing is known.
    """

    def __init__(
        self,
        session: Session,
        limit: float,
        observer: Observer = ignore,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        urls: Sequence[str] | None = None,
    ) -> None:
        self.session = session
        self.limit = limit
        self.urls = urls
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
        if self.session.family.asks_replicas:
            from migrator import replicas_mysql

            return replicas_mysql.read(self.session, self.urls, self.clock)
        try:
            rows = self.session.query(self.session.family.replicas())
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
            self.observer(Unwatched(step, verdict.unknown, self.session.family.reads_replicas))
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
        position = self.position(doing) if not reading.problem else 0
        while reason := missing(reading := self.read(), position):
            if unread(reading) or self.clock() - begun >= give_up_after:
                raise not_replayed(doing, reading, position, reason, self.session.family.reads_replicas)
            self.observer(Waiting(revision, reason, self.clock() - begun))
            self.pause(wait)
            wait = min(EVERY, 2 * wait)
        if wait > FIRST_WAIT:
            self.observer(Resumed(revision, self.clock() - begun))

    def position(self, doing: str) -> int:
        """Up to where the log is written."""
        if self.session.family.asks_replicas:
            from migrator import replicas_mysql

            return replicas_mysql.mark(self.session, doing)
        inserted, page = self.session.query(postgresql.WAL_POSITION)[0]
        return reachable(inserted, page)


def missing(reading: Reading, position: int) -> str:
    """Why it is not known that every replica has replayed what comes before a position; empty where it is."""
    if unknown := unread(reading):
        return unknown
    said = [f"replica {replica.name} {short(replica, position)}" for replica in awaited(reading, position)]
    return ", ".join(said)


def short(replica: Replica, position: int) -> str:
    if replica.unreadable:
        return f"cannot be read: {replica.unreadable}"
    if replica.replayed is None:
        return "has not said yet how far it is"
    if replica.asked:
        return f"has replayed nothing of the last {(position - replica.replayed) / 1e6:.1f} s"
    return f"has {position - replica.replayed} bytes of WAL to replay"


def not_replayed(doing: str, reading: Reading, position: int, reason: str, reads: str) -> NotYet:
    remedy = reads if unread(reading) else "wait for them, and run the same command again"
    late = [{"name": each.name, "bytes": missing_bytes(each, position)} for each in awaited(reading, position)]
    return NotYet(
        f"{doing} has not begun, because replicas would not have what came before it: {reason}",
        next_step=f"{remedy}; or look at no replica: MIGRATOR_REPLICA_LAG=0",
        conditions=["every connected replica has replayed"],
        replicas=late,
    )


def missing_bytes(replica: Replica, position: int) -> int | None:
    return None if replica.replayed is None or replica.asked else position - replica.replayed
