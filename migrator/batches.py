"""Carry out what the walk of a backfill asks for, on one session: batches with their cursors, and rows set aside."""

from __future__ import annotations

import random
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from migrator.database import Deadlocked, LockTimeout, Session, rows_of, run_each
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError, StepFailed
from migrator.events import BatchDone, Observer, RowFailed
from migrator.functions import Functions
from phases.effects import Batch, Batched, Compute, Failure, ListAside, RowAside, SetAside
from phases.model import Fill

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from migrator.ledger.records import StepRecord

T = TypeVar("T")
TRIES = 50
BATCH_LOCK_TIMEOUT_MS = 100
"""Less where `deadlock_timeout` (1 s by default) asks for it: a batch gives way before the server picks a victim."""


class Turn(Protocol):
    """Whoever says when a batch may be begun."""

    def batch(self) -> AbstractContextManager[None]:
        """Wait until a batch may be begun; leave it when it is over, however it ended."""

    def hold(self) -> None:
        """Wait as long as nothing may be done at all."""

    def wrote(self, rows: int, seconds: float, commit: float, *, blocked: bool) -> None:
        """Count a batch, and rest after it.

        Args:
            seconds: it took, its commit among them.
            commit: seconds of that.
            blocked: it met rows that others hold, and changed nothing.
        """

    @property
    def most_rows(self) -> float | None:
        """Rows that the next batch may have, where somebody limits the rate."""

    @property
    def room(self) -> int | None:
        """Batches that a pass over a window of pages should have."""


def prepare_for_batches(session: Session) -> None:
    """Set what holds for all batches of a session."""
    for statement in session.family.for_batches(BATCH_LOCK_TIMEOUT_MS):
        with session.transaction():
            session.execute(statement)


def enlist(session: Session, place: int, runner: int) -> None:
    """Prepare the session of a worker, with the lock that tells later runners of it, while the runner has its own.

    Args:
        place: of the worker, from 1.
        runner: number of the runner's session.

    Raises:
        ConnectionFailed: the runner has lost its session, so another one may be at work.
    """
    locked = session.query(session.family.worker_lock(place))[0][0]
    if not locked or all(row[0] != runner for row in session.query(session.family.owner())):
        raise ConnectionFailed("the runner has lost its session", next_step="run the same command again")
    prepare_for_batches(session)


def insist(work: Callable[[], T]) -> T:
    """Do something in the ledger, where other workers may be in its way for a moment.

    Raises:
        LockTimeout, Deadlocked: they were, each time.
    """
    for _ in range(TRIES):
        with suppress(LockTimeout, Deadlocked):
            return work()
        time.sleep(random.uniform(0.01, 0.1))
    return work()


WalkEffect = Batch | Compute | SetAside | ListAside


@dataclass
class Batches:
    """The batches of one walk, or of one worker at it.

    Args:
        record: of the step, a backfill.
        turn: says when one may be begun.
        functions: calls the functions of the user's that compute rows.
        worker: whose cursor is saved; 0 is the step itself.
        records: whether anything is kept in the ledger.
    """

    session: Session
    record: StepRecord
    turn: Turn
    observer: Observer
    functions: Functions | None = None
    worker: int = 0
    records: bool = True

    def answer(self, effect: WalkEffect) -> Any:
        """Carry out what is asked for.

        Raises:
            StepFailed: a row would be set aside, and nothing is kept.
            DatabaseError: of the server, where no values are to blame.
        """
        match effect:
            case Batch():
                return self.batch(effect)
            case Compute():
                return self.compute(effect)
            case SetAside() if not self.records:
                said = f"{self.record.name}: {effect.failure.message}"
                raise StepFailed(said, next_step="mend the row, and run it again")
            case SetAside():
                return self.set_aside(effect)
            case ListAside():
                return self.aside() if self.records else []

    def batch(self, effect: Batch) -> Batched:
        with self.turn.batch():
            begun = time.monotonic()
            try:
                rows, written = self.write(effect)
            except (LockTimeout, Deadlocked):
                done = Batched(0, time.monotonic() - begun, blocked=True)
                commit = 0.0
            except DatabaseError as problem:
                state = problem.facts.get("sqlstate")
                if state is None or not (isinstance(problem, Cancelled) or self.session.family.blames_row(state)):
                    raise  # what took too long is done in smaller parts
                return Batched(0, time.monotonic() - begun, failure=Failure(state, problem.message))
            else:
                ended = time.monotonic()
                commit = ended - written
                done = Batched(rows, ended - begun, most_rows=self.turn.most_rows, room=self.turn.room)
        self.wrote(done, commit)
        return done

    def wrote(self, done: Batched, commit: float) -> None:
        """Say what a batch did, and rest after it; `commit` is seconds of it."""
        if not done.blocked:
            self.observer(BatchDone(self.record.name, done.rows, done.seconds))
        self.turn.wrote(done.rows, done.seconds, commit, blocked=done.blocked)

    def write(self, effect: Batch) -> tuple[int, float]:
        """Change rows and save the cursor; returns how many, and when all but the commit was done."""
        if self.session.family.sends_several and self.records and not effect.parameters and effect.settles is None:
            return self._write_at_once(effect)
        with self.session.transaction():
            rows = self.change(self.session, effect)
            if self.records:
                self.save(self.session, effect, rows)
            return rows, time.monotonic()

    def change(self, session: Session, effect: Batch) -> int:
        """Change rows in the open transaction; returns how many."""
        for statement in self._before:
            session.execute(statement)
        if effect.claim:
            session.execute(effect.claim)
        return run_each(session.connection, effect.sql, effect.parameters)

    def save(self, session: Session, effect: Batch, rows: int) -> None:
        """Save in the open transaction where the walk stands."""
        from migrator.ledger import set_aside as rows_aside
        from migrator.ledger import store

        store.save_cursor(session.connection, self.record.id, effect.cursor, rows=rows, worker=self.worker)
        if effect.settles is not None:
            rows_aside.settle(session.connection, self.record.id, effect.settles)

    @property
    def _before(self) -> Sequence[str]:
        return self.session.family.before_batch(BATCH_LOCK_TIMEOUT_MS, self.session.facts.deadlock_ms)

    def _write_at_once(self, effect: Batch) -> tuple[int, float]:
        from migrator.at_once import AtOnce
        from migrator.ledger import store

        with AtOnce(self.session) as transaction:
            rows = transaction.run(*self._before, *filter(None, [effect.claim]), effect.sql)
            written = time.monotonic()
            transaction.commit(store.cursor_text(self.record.id, effect.cursor, rows=rows, worker=self.worker))
            return rows, written

    def compute(self, effect: Compute) -> Any:
        assert isinstance(self.record.step, Fill)
        assert self.functions is not None
        self.turn.hold()  # what is asked of somebody far away is held back, too
        return self.functions.compute(self.record.revision, self.record.step, effect)

    def set_aside(self, effect: SetAside) -> int:
        from migrator.ledger import set_aside as rows_aside
        from migrator.ledger import store

        assert isinstance(self.record.step, Fill)
        table = self.record.step.table

        def record() -> tuple[list[tuple[Any, ...]], int]:
            with self.session.transaction() as connection:
                keys = rows_of(connection, effect.sql)
                for key in keys:
                    rows_aside.add(connection, self.record.id, table, key, effect.failure)
                store.save_cursor(connection, self.record.id, effect.cursor, rows=0, worker=self.worker)
                return keys, rows_aside.count(connection, self.record.id)

        keys, count = insist(record)
        for key in keys:
            self.observer(RowFailed(self.record.name, RowAside(key, effect.failure)))
        return count

    def aside(self) -> list[RowAside]:
        from migrator.ledger import set_aside as rows_aside

        with self.session.transaction() as connection:
            found = rows_aside.of_step(connection, self.record.id)
        return [row.row for row in found]
