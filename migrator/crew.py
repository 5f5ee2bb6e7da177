"""Several workers at one backfill: a thread and a session each, under the eye of the runner."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from migrator.batches import Batches, enlist, insist
from migrator.errors import ConnectionFailed
from migrator.events import Event, Observer, Paused, Staffed, StepProgress
from migrator.turns import Gate, SharedTurn, Stopped
from phases.backfill import Pacing
from phases.effects import Batch, Claim, Claimed, Compute, Effect, ListAside, Pause, Progress, Query, SetAside
from phases.model import Fill
from phases.sharing import done, is_over, perform_share
from phases.staffing import Staff, staffed

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.functions import Functions
    from migrator.governing import Governor
    from migrator.ledger.records import StepRecord
    from migrator.pressure import Pressure
    from migrator.replication import Watch
    from migrator.step_cost import Measured

EVERY = 0.5
"""Seconds between two looks of the runner."""
READING = 3.0
"""Seconds of writing after which it is judged whether one more, or one less, is better."""
PATIENCE = 30.0
"""Seconds that workers have to end their last batches."""


@dataclass(frozen=True, slots=True)
class Crew:
    """How workers are had.

    Args:
        open_session: opens the session of a worker.
        wanted: how many; None: as many as bring something.
    """

    open_session: Callable[[], AbstractContextManager[Session]]
    wanted: int | None = 1


class Shift:
    """One walk by several workers.

    Args:
        session: the runner's, which holds its lock.
        record: of the step, a backfill.
        replicas, pressure, governor: what batches wait for; the runner alone asks them.
        functions: calls functions of the user's: for one worker at a time.
    """

    def __init__(
        self,
        crew: Crew,
        session: Session,
        record: StepRecord,
        pacing: Pacing,
        measured: Measured,
        replicas: Watch,
        pressure: Pressure,
        governor: Governor,
        observer: Observer,
        functions: Functions | None,
    ) -> None:
        self.crew, self.session, self.record, self.pacing = crew, session, record, pacing
        self.measured, self.replicas, self.pressure, self.governor = measured, replicas, pressure, governor
        self.observer, self.functions = observer, functions
        self.gate, self.lock, self.claiming = Gate(), threading.Lock(), threading.Lock()
        self.ended = threading.Event()
        self.workers: list[Worker] = []
        self.problem: BaseException | None = None
        self.read = (time.monotonic(), 0)
        self.step: Mapping[str, Any] = {}
        self.shares: dict[int, Mapping[str, Any]] = {}
        self.orphans: deque[int] = deque()
        self.told: dict[int, Progress] = {}
        self.events: SimpleQueue[Event] = SimpleQueue()
        """What workers have to say; the observer hears it from the runner."""
        self.given = 0
        self.refused = ""
        """Why a worker could not begin."""
        self.runner = session.backend()

    def work(self) -> list[Mapping[str, Any]]:
        """Let the workers walk until nothing is left; returns where each stands.

        Raises:
            MigratorError: what stopped one of them; all have ended by then.
        """
        self._recall()
        self.governor.quieten = self.gate.quieten
        self.governor.staff = Staff(self.crew.wanted or 1)
        try:
            with self.gate.closed_by(self.replicas, self.pressure, self.governor):
                self._oversee()
        finally:
            self.gate.stop()
            for worker in self.workers:
                worker.join(PATIENCE)
            self.governor.quieten = lambda: None
            self._pass_on()
        if self.problem is not None:
            raise self.problem
        self._tell()
        return list(self.shares.values())

    def _oversee(self) -> None:
        self._look()
        for _ in range(self.governor.staff.workers):
            self._hire()
        while any(worker.is_alive() for worker in self.workers):
            if self.ended.wait(EVERY):
                self.ended.clear()
            if self.problem is not None:
                break
            self._look()

    def _recall(self) -> None:
        """What the ledger has of this walk: whoever did not finish a share, somebody else takes it."""
        from migrator.ledger import store

        with self.session.transaction() as connection:
            cursors = store.cursors(connection, self.record.id)
        self.step = cursors.pop(0)
        self.shares, self.given = cursors, max(cursors, default=0)
        self.orphans.extend(number for number, share in cursors.items() if not is_over(share))

    def _hire(self) -> None:
        taken = {worker.place for worker in self.workers if worker.is_alive()}
        worker = Worker(self, next(place for place in count(1) if place not in taken))
        self.workers.append(worker)
        worker.start()

    def _pass_on(self) -> None:
        while not self.events.empty():
            self.observer(self.events.get())

    def _look(self) -> None:
        """Let nobody begin a batch that must not be begun, and say how far they are; while it looks they go on."""
        assert isinstance(self.record.step, Fill)
        try:
            late = self.replicas.follow(self.record.name)
            piled = self.pressure.follow(self.record.name, self.record.step.table)
            self.measured.wait(late, piled, self.governor.look(self.record))
        finally:
            self.gate.reopen()
        waited = late[0] + piled[0]
        self._pass_on()
        self._tell()
        if self.crew.wanted is None and self.workers:
            self._staff(unfair=waited > 0 or self.governor.control.paused)

    def _staff(self, *, unfair: bool) -> None:
        """One worker more, or one less, where that is better."""
        now, rows = time.monotonic(), self.measured.changed
        since, before = self.read
        if self.refused:
            many = max(1, self.governor.staff.workers - 1)
            self.governor.staff, self.refused = Staff(many, None, many + 1, 0, self.refused), ""
            self.read = (now, rows)
        if unfair:
            self.read = (now, rows)
        if unfair or now - since < READING or self.claims_nothing:
            return
        self.read = (now, rows)
        grading, was = self.governor.grading, self.governor.staff
        felt = grading.reason if grading.grade else ""
        limited = self.governor.control.rows_per_second is not None
        self.governor.staff = staffed(was, (rows - before) / (now - since), felt=felt, limited=limited)
        if self.governor.staff.workers > was.workers:
            self._hire()
        at_work = [worker for worker in self.workers if worker.is_alive() and not worker.leaves]
        for worker in at_work[self.governor.staff.workers :]:
            worker.leaves = True
        if self.governor.staff.workers != was.workers:
            self.observer(Staffed(self.record.name, self.governor.staff.workers, self.governor.staff.reason))

    @property
    def claims_nothing(self) -> bool:
        """Whether all of the walk is given to somebody."""
        return bool(self.step["frontier"] == self.step["until"])

    def _tell(self) -> None:
        shares = {number: (done(share), share["rows"]) for number, share in self.shares.items()}
        shares |= {number: (progress.done, progress.rows) for number, progress in list(self.told.items())}
        finished = self.step["done"] + sum(each for each, _ in shares.values())
        rows = self.step["rows"] + sum(each for _, each in shares.values())
        pages = isinstance(self.step["until"], int)
        total = self.step["until"] if pages else self._most(finished)
        progress = Progress(min(finished, total), total, "pages" if pages else "rows", rows)
        self.measured.rows = rows
        self.governor.progress(self.record, progress)
        self.observer(StepProgress(self.record.revision, self.record.name, progress))

    def _most(self, finished: int) -> int:
        """Rows that a walk by key passes in all, by the statistics of the table, until it is over."""
        if self.claims_nothing and all(is_over(share) for share in self.shares.values()):
            return finished
        return max(int(self.step.get("total", 0)), finished + 1)

    def fail(self, problem: BaseException) -> None:
        """One worker has failed: all end, and its error is told, not what follows of it."""
        with self.lock:
            if self.problem is None:
                self.problem = problem
        self.gate.stop()

    def number(self, *, first: bool) -> int | None:
        """The share that a worker is to go on with; a further one only where it was left by somebody."""
        with self.lock:
            if self.orphans:
                return self.orphans.popleft()
            if not first:
                return None
            self.given += 1
            return self.given


class Worker(threading.Thread):
    """Takes stretches of the walk until there are no more."""

    def __init__(self, shift: Shift, place: int) -> None:
        super().__init__(name=f"worker {place}", daemon=True)
        self.shift = shift
        self.place = place
        self.leaves = False
        self.claims = False

    def run(self) -> None:
        shift, at_work = self.shift, False
        try:
            with shift.crew.open_session() as session:
                enlist(session, self.place, shift.runner)
                while not self.leaves and (number := shift.number(first=not at_work)) is not None:
                    at_work = True
                    self._perform(session, number)
        except Stopped:
            pass
        except ConnectionFailed as problem:
            if at_work or self.place == 1 or shift.crew.wanted is not None:
                shift.fail(problem)
            else:  # it was one more than the server has room for
                shift.refused = problem.message
        except BaseException as problem:
            shift.fail(problem)
        finally:
            shift.ended.set()

    def _perform(self, session: Session, number: int) -> None:
        shift = self.shift
        assert isinstance(shift.record.step, Fill)
        turn = SharedTurn(shift.gate, shift.governor, shift.measured, max(1, len(shift.workers)), shift.lock)
        batches = Batches(session, shift.record, turn, shift.events.put, shift.functions, number)
        steps = perform_share(shift.record.step, shift.shares.get(number), shift.session.server, shift.pacing)
        answer: Any = None
        try:
            while True:
                effect = steps.send(answer)
                answer = self._answer(batches, effect, number)
        except StopIteration as end:
            shift.shares[number] = end.value
        finally:
            self._release()

    def _answer(self, batches: Batches, effect: Effect, number: int) -> Any:
        shift = self.shift
        match effect:
            case Query():
                return batches.session.query(effect.sql)
            case Batch() | Compute() | SetAside() | ListAside():
                return batches.answer(effect)
            case Claim():
                return self._claim()
            case Claimed():
                return self._claimed(batches.session, effect, number)
            case Progress():
                shift.told[number] = effect
            case Pause():
                shift.events.put(Paused(shift.record.name, effect.seconds, effect.reason))
                shift.gate.wait(effect.seconds)
        return None

    def _claim(self) -> Mapping[str, Any] | None:
        if self.leaves:
            return None
        self.shift.claiming.acquire()
        self.claims = True
        with self.shift.gate.batch():  # what is taken is done next: nothing is taken while nothing may be done
            return self.shift.step

    def _claimed(self, session: Session, effect: Claimed, number: int) -> None:
        from migrator.ledger import store

        if effect.cursor is not None and effect.share is not None:
            step_id, cursor, share = self.shift.record.id, effect.cursor, effect.share

            def save() -> None:
                with session.transaction() as connection:
                    store.save_cursor(connection, step_id, cursor, rows=0)
                    store.save_cursor(connection, step_id, share, rows=0, worker=number)

            insist(save)
            self.shift.step = cursor
        self._release()

    def _release(self) -> None:
        if self.claims:
            self.claims = False
            self.shift.claiming.release()
