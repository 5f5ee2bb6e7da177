"""Carry out the effects a step asks for, and record each with its effect."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any

from migrator.batches import Batches, prepare_for_batches
from migrator.comparing import Comparing
from migrator.database import Deadlocked, LockTimeout, Session, mapped_errors, rows_of, run
from migrator.defining import Defining
from migrator.dialects import postgresql
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError, StepFailed, VerificationFailed
from migrator.events import LockRetried, Observer, Paused, StepProgress, StepStopped, ignore
from migrator.failures import give_up, set_aside, too_long
from migrator.functions import Functions
from migrator.governing import Governor
from migrator.locking import LockPolicy
from migrator.prepared import refuse_prepared
from migrator.pressure import Pressure
from migrator.replication import Watch
from migrator.setting_values import mask
from migrator.step_cost import Measured, remember
from migrator.turns import OwnTurn
from phases.backfill import Pacing
from phases.effects import (
    Alone,
    Assign,
    Batch,
    Commit,
    Compute,
    Define,
    Effect,
    ListAside,
    Look,
    Mark,
    Note,
    Pause,
    Performance,
    Progress,
    Query,
    SetAside,
    Spread,
)
from phases.errors import Held, Mismatched, Refused, Unchanged
from phases.model import Fill, Lock, LockMode, Verify
from phases.performing import perform

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

    from migrator.crew import Crew
    from migrator.ledger.records import StepRecord
    from migrator.overlapping import Overlapping

Ask = Callable[[str], "list[tuple[Any, ...]]"]


class Performer:
    """Performs one step after another on a session.

    Args:
        session: holds the runner lock.
        ledger_hook: called inside every committing transaction, before its commit.
        policy: how long to try for locks.
        pacing: how a backfill spaces its batches.
        replicas, pressure, governor: what batches wait for.
        observer: told what happens.
        pause: waits; replaced where no time may pass.
        unprepared: names of applications whose sessions never hold prepared statements.
        functions: calls the functions of the user's that compute rows.
        crew: workers beside the runner, where a backfill may have some.
    """

    def __init__(
        self,
        session: Session,
        policy: LockPolicy,
        pacing: Pacing,
        replicas: Watch,
        pressure: Pressure,
        governor: Governor,
        observer: Observer = ignore,
        pause: Callable[[float], None] = time.sleep,
        unprepared: Sequence[str] = (),
        functions: Functions | None = None,
        crew: Crew | None = None,
    ) -> None:
        self.session = session
        self.policy = policy
        self.pacing = pacing
        self.replicas = replicas
        self.pressure = pressure
        self.governor = governor
        self.observer = observer
        self.pause = pause
        self.unprepared = unprepared
        self.functions = functions
        self.comparing = Comparing(session, governor)
        self.crew = crew
        self.overlapping: Overlapping | None = None
        self.defining = self._defining()

    def perform(self, record: StepRecord, *, records: bool = True, purpose: str = "step") -> Measured:
        """Carry out a step from where its cursor stands.

        Args:
            records: False performs a step that only reads, and is not recorded as done.
            purpose: of a comparison that is not recorded; each has a position of its own.

        Raises:
            LockNotAvailable: a lock could not be had; nothing of this step was left half done.
            VerificationFailed: rows differ.
            RowsSetAside: a backfill could not change some rows; the others are done, or too many fail.
            StepFailed: the server refused a statement.
        """
        from migrator.ledger import store

        cursor = None
        if records:
            with self.session.transaction() as connection:
                store.start_step(connection, record.id)
                cursor = store.cursor(connection, record.id)
        cursor = self.comparing.begin(record, purpose) if isinstance(record.step, Verify) else cursor
        measured = Measured()
        pacing = self.pacing if records else replace(self.pacing, workers=1)
        steps = perform(record.step, cursor, self.session.server, pacing)
        self.governor.begin()
        self.governor.stripes = pacing.stripes
        self.defining = self._defining()
        if isinstance(record.step, Fill):
            prepare_for_batches(self.session)
            self._overlap(record, measured, records)
        try:
            return self.comparing.ended(record, lambda: self._drive(record, steps, measured, records))
        except BaseException:
            self.observer(StepStopped(record.name))
            raise
        finally:
            self.defining.close(measured)
            if self.overlapping is not None:
                self.overlapping.close()
                self.overlapping = None
            self.governor.end()
            self.pressure.end()
            if self.functions is not None:
                self.functions.close()

    def _defining(self) -> Defining:
        beside = self.crew.open_session if self.crew is not None else None
        return Defining(self.session, self.policy, self._insist, self.pause, self.observer, beside)

    def _drive(self, record: StepRecord, steps: Performance, measured: Measured, records: bool) -> Measured:
        answer: Any = None
        try:
            while True:
                try:
                    effect = steps.send(answer)
                except StopIteration:
                    return measured
                answer = self._answer(record, effect, measured, records)
        except Mismatched as wrong:
            raise VerificationFailed(f"{record.name}: {wrong.reason}", next_step=wrong.remedy, **vars(wrong)) from None
        except Held as held:
            locks = (Lock(held.table, LockMode.EXCLUSIVE),)  # what every session that holds rows conflicts with
            raise give_up(record.name, locks, tuple(self._blockers(locks)), self.policy.attempts) from None
        except Unchanged as failing:
            raise set_aside(record, failing) from None
        except Refused as stuck:
            raise StepFailed(f"{record.name}: {stuck.reason}", next_step=stuck.remedy) from None

    def _overlap(self, record: StepRecord, measured: Measured, records: bool) -> None:
        """Let the commits of a backfill overlap, where they take long and it may have sessions of its own."""
        if self.session.family.waits_for_commits and self.crew is not None and records:
            from migrator.overlapping import Overlapping

            turn = OwnTurn(record, measured, self.replicas, self.pressure, self.governor)
            batches = Batches(self.session, record, turn, self.observer, self.functions)
            self.overlapping = Overlapping(batches, turn, self.crew.open_session)
            self.governor.quieten = self.overlapping.quieten

    def _answer(self, record: StepRecord, effect: Effect, measured: Measured, records: bool) -> Any:
        self.defining.before(effect, measured)
        if self.overlapping is not None:
            self.overlapping.before(effect)
        match effect:
            case Query() | Look() | Mark():
                return self.comparing.answer(record, effect, measured.wait)
            case Commit():
                return self._commit(record, effect, measured) if records or effect.statements else None
            case Alone():
                return self._alone(record, effect, measured)
            case Define():
                return self.defining.define(record, effect, measured)
            case Note():
                return self.defining.note(record, effect)
            case Batch() | Compute() | SetAside() | ListAside() if self.overlapping is not None:
                return self.overlapping.answer(effect)
            case Batch() | Compute() | SetAside() | ListAside():
                turn = OwnTurn(record, measured, self.replicas, self.pressure, self.governor)
                return Batches(self.session, record, turn, self.observer, self.functions, 0, records).answer(effect)
            case Assign():
                return self._assign(record, effect)
            case Spread():
                return self._spread(record, measured)
            case Pause():
                self.observer(Paused(record.name, effect.seconds, effect.reason))
                return self.pause(effect.seconds)
            case Progress():
                tell = partial(self._tell, record, effect, measured, records)
                return tell() if self.overlapping is None else self.overlapping.tell(tell)

    def _tell(self, record: StepRecord, progress: Progress, measured: Measured, records: bool) -> None:
        measured.rows = progress.rows
        if records or self.comparing.marked:
            self.governor.progress(record, progress)
        self.observer(StepProgress(record.revision, record.name, progress))

    def _commit(self, record: StepRecord, effect: Commit, measured: Measured) -> None:
        # Applications that write several tables in the order opposite to ours never leave us the second one.
        orders = cycle((effect.locks, effect.locks[::-1]))
        try:
            self._insist(record, effect.locks, lambda: self._try_commit(record, effect, next(orders), measured))
        except Cancelled as cut:
            if not effect.bounded:
                raise
            raise too_long(record, effect.locks, self.policy.timeout_ms) from cut

    def _insist(
        self, record: StepRecord, locks: tuple[Lock, ...], attempt_it: Callable[[], None], ask: Ask | None = None
    ) -> None:
        """Try again while a lock is not granted, ever less often; `ask` is how to ask who has it."""
        deadline = time.monotonic() + self.policy.give_up_after
        for attempt in range(1, self.policy.attempts + 1):
            try:
                return attempt_it()
            except (LockTimeout, Deadlocked):
                blockers = tuple(self._blockers(locks, ask))
                wait = self.policy.wait(attempt)
                if attempt == self.policy.attempts or time.monotonic() + wait > deadline:
                    raise give_up(record.name, locks, blockers, attempt) from None
                self.observer(LockRetried(record.name, attempt, wait, blockers))
                self.pause(wait)
        return None

    def _try_commit(self, record: StepRecord, effect: Commit, tables: tuple[Lock, ...], measured: Measured) -> None:
        from migrator.ledger import store

        asked = granted = time.monotonic()
        # Where DDL commits by itself no lock is taken here, but those of the rows that are changed.
        unknown = self.session.family.commits_ddl
        locks = () if unknown else tables
        with self.session.transaction() as connection:
            longest, deadlock = self.policy.timeout_ms, self.session.facts.deadlock_ms
            if effect.bounded:
                longest = max(1, longest // 2)  # whoever comes while we wait for the lock waits for the work, too
            for statement in self.session.family.locking(tables, longest, deadlock, unread=effect.unread):
                run(connection, statement)
            granted = time.monotonic()
            if effect.reprepares:
                # Behind the lock nobody can prepare another statement over these tables.
                refuse_prepared(connection, record.name, self.unprepared)
            if effect.bounded:
                run(connection, postgresql.statement_timeout(longest))
            for statement in effect.statements[:-1] if effect.closing else effect.statements:
                run(connection, statement)
            if effect.closing:
                self._close(record, effect, connection)
            if effect.cursor is not None:
                store.save_cursor(connection, record.id, effect.cursor, rows=0)
            if effect.finishes:
                store.finish_step(
                    connection,
                    record.id,
                    seconds=measured.seconds,
                    lock_held_ms=None if unknown else (time.monotonic() - granted) * 1000 if locks else 0.0,
                    lock_waited_ms=(granted - asked) * 1000 if locks else measured.waited_ms,
                )
                remember(connection, record, measured)
        if locks:
            measured.waited_ms += (granted - asked) * 1000
            measured.held_ms += (time.monotonic() - granted) * 1000

    def _close(self, record: StepRecord, effect: Commit, connection: Connection) -> None:
        """Take the last locks of an open transaction, as often as it takes: what it has done stays."""
        limits = self.policy.timeout_ms, self.session.facts.deadlock_ms

        def attempt() -> None:
            try:
                with mapped_errors(), connection.begin_nested():
                    for statement in self.session.family.closing(effect.statements[-1], *limits):
                        run(connection, statement)
            except Cancelled as cut:
                raise LockTimeout(cut.message, **cut.facts) from cut

        def ask(question: str) -> list[tuple[Any, ...]]:
            with mapped_errors(), connection.begin_nested():
                return rows_of(connection, question)

        self._insist(record, effect.closing, attempt, ask)

    def _blockers(self, locks: tuple[Lock, ...], ask: Ask | None = None) -> list[str]:
        found, family = [], self.session.family
        for lock in locks:
            for pid, name, user, state, age, query, mode in self._holders(lock, ask or self.session.query):
                if family.conflicts(lock, mode):
                    shown = mask(" ".join(query.split())[:80])
                    found.append(
                        f'pid {pid} "{name}" (role {user}, {state}, in a transaction for {age:.0f} s): {shown}'
                    )
        return list(dict.fromkeys(found))

    def _holders(self, lock: Lock, ask: Ask) -> list[tuple[Any, ...]]:
        for question in self.session.family.blockers(lock, self.session.server):
            try:
                return ask(question)
            except ConnectionFailed:
                raise
            except DatabaseError:
                continue  # the role may not look, or the server does not know
        return []

    def _alone(self, record: StepRecord, effect: Alone, measured: Measured) -> None:
        measured.builds += 1
        try:
            self.session.alone(effect.sql)
        except Deadlocked as lost:
            # The next look at the state finds what is left of it, and starts over.
            self.observer(Paused(record.name, self.policy.first_wait, f"lost a deadlock: {lost.message}"))
            self.pause(self.policy.first_wait)

    def _assign(self, record: StepRecord, effect: Assign) -> None:
        from migrator.ledger import store

        with self.session.transaction() as connection:
            store.assign(connection, record.id, effect.cursor, effect.shares)

    def _spread(self, record: StepRecord, measured: Measured) -> list[Mapping[str, Any]]:
        from migrator.crew import Shift

        assert self.crew is not None
        looks = (self.replicas, self.pressure, self.governor)
        shift = Shift(self.crew, self.session, record, self.pacing, measured, *looks, self.observer, self.functions)
        return shift.work()
