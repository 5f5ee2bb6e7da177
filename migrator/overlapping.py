"""Batches whose commits overlap: while the server makes one durable, the next one is written on another session.

MySQL and MariaDB wait for two logs at every commit, which was a tenth of the time of a backfill. What is committed
stays in the order of the walk: no cursor is saved before the batch in front of it is known to be committed. So a
process that is killed leaves what one session leaves, and at most two batches to be done again.

Whatever the runner has to do between two batches, its looks and reports, it does while one is written.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from migrator.batches import Batches, WalkEffect, enlist, insist
from migrator.database import Deadlocked, LockTimeout, Session, mapped_errors
from migrator.errors import ConnectionFailed, DatabaseError
from phases.effects import Batch, Batched, Effect, Progress, Query, Spread

if TYPE_CHECKING:
    from migrator.turns import OwnTurn

SESSIONS = 2
WORTH_IT = 3
"""Batches after which a walk is worth sessions of its own."""
FAULTS = 3
"""Batches that only the one before was in the way of, after which no more overlap, where they are many …"""
MANY = 0.3
"""… of all: of the rows around a batch MySQL now and then locks one, too, where it is the first of a page."""
PATIENCE = 30.0
"""Seconds that the last batch of a session has to end."""


def nothing() -> None:
    """Say nothing."""


Written = tuple[int, float]
Committed = tuple[float, float]


@dataclass
class Flight:
    """A batch under way on a session of its own.

    Args:
        before: the commit of the batch in front of it; where that fails, this one is rolled back.
        written: has its rows, and the seconds that it took to write them.
        commit: has the seconds after that, and those of the commit among them.
        tell: says how far the walk is with it.
    """

    effect: Batch
    before: Future[Committed] | None = None
    written: Future[Written] = field(default_factory=Future)
    commit: Future[Committed] = field(default_factory=Future)
    tell: Callable[[], None] = nothing


class Writer(Thread):
    """A session of its own, and the thread that opens, uses and closes it.

    Nobody else touches it, whatever interrupts the runner: a session that is rolled back from outside between the
    rows of a batch and its cursor would commit the cursor without the rows.

    Args:
        open_session: opens the session.
        place: of a worker, which it takes.
        runner: number of the runner's session.
        batches: knows how batches are written.
    """

    def __init__(
        self, open_session: Callable[[], AbstractContextManager[Session]], place: int, runner: int, batches: Batches
    ) -> None:
        super().__init__(name=f"writer {place}", daemon=True)
        self.open_session, self.place, self.runner, self.batches = open_session, place, runner, batches
        self.opened: Future[None] = Future()
        self.flights: SimpleQueue[Flight | None] = SimpleQueue()

    def run(self) -> None:
        try:
            with self.open_session() as session:
                enlist(session, self.place, self.runner)
                self.opened.set_result(None)
                while (flight := self.flights.get()) is not None:
                    fly(session, flight, self.batches)
        except BaseException as problem:
            if not self.opened.done():
                self.opened.set_exception(problem)


class Overlapping:
    """The batches of one walk, on two sessions in turns.

    Args:
        batches: of the runner's own session, which writes whatever has to be alone.
        turn: the same that they have.
        open_session: opens a session for a worker.
    """

    def __init__(
        self, batches: Batches, turn: OwnTurn, open_session: Callable[[], AbstractContextManager[Session]]
    ) -> None:
        self.batches, self.turn, self.open_session = batches, turn, open_session
        self.writers: tuple[Writer, ...] = ()
        self.flights: deque[Flight] = deque()
        """Batches that are not known to be committed, two at most."""
        self.allowed = False
        """Whether the next batch may be begun, as far as the runner has looked already."""
        self.alone = self.tried = self.faults = 0
        self.room = True
        """Whether the server has room for more sessions, as far as is known."""
        self.ending = self.commit = 0.0
        """Seconds of the last batch after its rows were written, and of its commit."""

    def open(self) -> None:
        """Open the sessions, which take the places of workers.

        Raises:
            DatabaseError: the server has no room for them.
        """
        runner = self.batches.session.backend()
        places = range(1, SESSIONS + 1)
        self.writers = tuple(Writer(self.open_session, place, runner, self.batches) for place in places)
        self.turns = cycle(self.writers)
        for writer in self.writers:
            writer.start()
        for writer in self.writers:
            writer.opened.result()

    def before(self, effect: Effect) -> None:
        """See to it that a batch is committed before what may have to see its rows, and leave workers their places.

        Raises:
            DatabaseError: it is not.
        """
        if not (isinstance(effect, Batch | Progress) or (isinstance(effect, Query) and effect.ahead)):
            self.settle()
        if isinstance(effect, Spread):
            self.close()

    def answer(self, effect: WalkEffect) -> Any:
        """Carry out what is asked for, as `migrator.batches.Batches` does."""
        return self.batch(effect) if isinstance(effect, Batch) else self.batches.answer(effect)

    def tell(self, say: Callable[[], None]) -> None:
        """Say something as soon as all that was written is committed."""
        if self.flights:
            self.flights[-1].tell = say
        else:
            say()

    def batch(self, effect: Batch) -> Batched:
        """Write a batch, and begin its commit; the one before it is known to be committed by then.

        Raises:
            ConnectionFailed: this batch, or those before it, may be lost; the ledger knows.
        """
        if not self._overlaps(effect):
            return self._alone(effect)
        if any(flight.commit.done() and flight.commit.exception() for flight in self.flights):
            self.settle()  # what is behind a batch that is refused would be rolled back with it
        if not self.allowed:
            self._ask()
        flight = self._begin(effect)
        self._land_all_but(1)
        self._ask()
        try:
            rows, seconds = flight.written.result()
        except ConnectionFailed:
            raise
        except DatabaseError:  # the way without overlapping finds out whose fault it is
            self.flights.clear()
            done = self._alone(effect)
            self.faults += not done.blocked and done.failure is None
            return done
        return Batched(rows, seconds + self.ending, room=self.turn.room)

    def quieten(self) -> None:
        """Wait until nothing is written."""
        wait([flight.commit for flight in self.flights])

    def settle(self) -> None:
        """Wait until all that was written is committed.

        Raises:
            DatabaseError: it is not.
        """
        self._land_all_but(0)

    def close(self) -> None:
        """End the sessions, each behind its last batch."""
        for writer in self.writers:
            writer.flights.put(None)
        for writer in self.writers:
            with suppress(RuntimeError):  # an interrupted start
                writer.join(PATIENCE)
        self.writers = ()

    def _overlaps(self, effect: Batch) -> bool:
        """Whether a batch may be written while another is committed; the first time, the sessions are opened."""
        in_the_way = self.faults >= max(FAULTS, MANY * self.tried)
        if effect.settles is not None or not self.turn.hurries or self.alone < WORTH_IT or in_the_way:
            return False
        if not self.writers and self.room:
            try:
                self.open()
            except DatabaseError:
                self.room = False
                self.close()
        return bool(self.writers)

    def _alone(self, effect: Batch) -> Batched:
        self.settle()
        self.allowed = False
        done = self.batches.batch(effect)
        self.alone += not done.blocked
        return done

    def _ask(self) -> None:
        """Wait until another batch may be begun."""
        with self.turn.batch():
            self.allowed = True

    def _begin(self, effect: Batch) -> Flight:
        flight = Flight(effect, self.flights[-1].commit if self.flights else None)
        self.tried += 1
        self.allowed = False
        self.flights.append(flight)
        next(self.turns).flights.put(flight)
        return flight

    def _land_all_but(self, left: int) -> None:
        """Wait until all batches but the last ones are committed, and say so.

        Raises:
            DatabaseError: one is not.
        """
        for _ in range(len(self.flights) - left):
            flight = self.flights[0]
            try:
                self.ending, self.commit = flight.commit.result()
            except (LockTimeout, Deadlocked):  # a member of a cluster was in its way, or in that of the one before
                insist(partial(self.batches.write, flight.effect))
            self.flights.popleft()
            rows, seconds = flight.written.result()
            self.batches.wrote(Batched(rows, seconds + self.ending), self.commit)
            flight.tell()


def fly(session: Session, flight: Flight, batches: Batches) -> None:
    """Write a batch, then save its cursor and commit; its futures have what comes of it."""
    begun = time.monotonic()
    try:
        with mapped_errors(), session.connection.begin() as transaction:
            rows = batches.change(session, flight.effect)
            written = time.monotonic()
            flight.written.set_result((rows, written - begun))
            if flight.before is not None:
                flight.before.result()
            batches.save(session, flight.effect, rows)
            saved = time.monotonic()
            transaction.commit()
    except BaseException as problem:
        if not flight.written.done():
            flight.written.set_exception(problem)
        flight.commit.set_exception(problem)
    else:
        ended = time.monotonic()
        flight.commit.set_result((ended - written, ended - saved))
