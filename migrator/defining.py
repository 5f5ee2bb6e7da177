"""Run statements that commit by themselves: in a good moment, those of a step behind one lock of its tables."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from typing import TYPE_CHECKING

from migrator.batches import enlist
from migrator.database import Deadlocked, LockTimeout, NotInPlace, Session, mapped_errors, run
from migrator.dialects.base import Shutting, Users
from migrator.errors import ConnectionFailed, DatabaseError, StepFailed
from migrator.events import Observer, Paused
from migrator.locking import LockPolicy
from migrator.moments import Moment, is_moment, moments, watched
from phases.effects import Define, Effect, Note, Query
from phases.model import Script

if TYPE_CHECKING:
    from migrator.ledger.records import StepRecord
    from migrator.step_cost import Measured
    from phases.model import Lock

ONLINE_ATTEMPTS = 8
"""Tries of DDL that lets writers go on, and that what they do may make fail."""
LONGEST_SHUT = 0.2
"""Seconds after which no further statement is run behind a lock: whoever comes meanwhile waits."""

Insist = Callable[["StepRecord", "tuple[Lock, ...]", Callable[[], None]], None]


class Defining:
    """Carries out what a step defines.

    Tables that were shut for one statement stay so for the next ones of the step, so that applications meet all of
    them or none, and are in the way of one lock instead of many. What is asked and noted in between goes on: the
    server answers questions about its schema behind such a lock, and the notes have a session of their own.

    Args:
        session: holds the runner lock.
        policy: how long to try for locks.
        insist: tries again while a lock is not granted.
        pause: waits.
        observer: told what happens.
        open_session: opens a session for the notes; None: each statement has a lock of its own.
    """

    def __init__(
        self,
        session: Session,
        policy: LockPolicy,
        insist: Insist,
        pause: Callable[[float], None],
        observer: Observer,
        open_session: Callable[[], AbstractContextManager[Session]] | None,
    ) -> None:
        self.session, self.policy, self.insist, self.pause, self.observer = session, policy, insist, pause, observer
        self.open_session = open_session
        self.stack = ExitStack()
        self.beside: Session | None = None
        self.held: Shutting | None = None
        """What has shut tables, while they are."""
        self.alone: set[str] = set()
        """Statements that cannot be run while their tables are shut, or these cannot be shut."""
        self.changed: tuple[str, ...] = ()
        """Statements that take limits back."""
        self.begun = 0.0

    def before(self, effect: Effect, measured: Measured) -> None:
        """Let the tables go before what is none of the step's statements, or asks for more than the schema."""
        asks = isinstance(effect, Query) and "information_schema" in effect.sql
        if self.held is not None and not (asks or isinstance(effect, Note | Define)):
            self.release(measured)

    def note(self, record: StepRecord, effect: Note) -> None:
        """Save where the step stands."""
        from migrator.ledger import store

        session = self.beside if self.held is not None and self.beside is not None else self.session
        with session.transaction() as connection:
            store.save_cursor(connection, record.id, effect.cursor, rows=0)

    def define(self, record: StepRecord, effect: Define, measured: Measured) -> None:
        """Run one statement that commits by itself, in the way it demands or in the other one that was planned."""
        if self.held is not None:
            if self._go_on(effect):
                return
            self.release(measured)
        elif isinstance(record.step, Script) and len(record.step.statements) > 1:
            self._open()
        users = watched(self.session, effect.locks)
        try:
            self._defined(record, effect.sql, effect.locks, users, measured)
        except NotInPlace:
            if not effect.otherwise:
                raise
            self._defined(record, effect.otherwise, effect.locks, users, measured)

    def release(self, measured: Measured) -> None:
        """Let go the tables that are kept shut."""
        if self.held is None:
            return
        held, self.held = self.held, None
        with self.session.autocommitting():
            self._unlock(held)
        self._take_back()
        measured.at_most_ms = max(measured.at_most_ms, (time.monotonic() - self.begun) * 1000)

    def close(self, measured: Measured) -> None:
        """Let everything go, whatever has become of the step."""
        with suppress(Exception):
            self.release(measured)
        self.stack.close()
        self.beside, self.open_session = None, None

    def _open(self) -> None:
        """Open the session of the notes, where the server has room for one."""
        if self.beside is not None or self.open_session is None:
            return
        try:
            opened = self.stack.enter_context(self.open_session())
            enlist(opened, 1, self.session.backend())
            self.beside = opened
        except DatabaseError:
            self.open_session = None

    def _go_on(self, effect: Define) -> bool:
        """Run a statement behind the lock that is held; returns whether it could be."""
        if self.held is None or time.monotonic() - self.begun > LONGEST_SHUT:
            return False
        if self._shutting(effect.sql, effect.locks).lock != self.held.lock:
            return False
        try:
            with self.session.autocommitting() as connection:
                run(connection, effect.sql)
        except ConnectionFailed:
            raise
        except DatabaseError:
            return False  # by itself it may be run in another way, or says what is wrong
        return True

    def _shutting(self, sql: str, locks: tuple[Lock, ...]) -> Shutting:
        """What shuts the tables of a statement, if that is to be done."""
        shutting = self.session.family.shut(sql, locks)
        if not shutting.provided:
            return shutting
        try:
            return shutting if self.session.query(shutting.provided)[0][0] else Shutting()
        except ConnectionFailed:
            raise
        except DatabaseError:
            return Shutting()  # this role may not read the table

    def _defined(self, record: StepRecord, sql: str, locks: tuple[Lock, ...], users: Users, measured: Measured) -> None:
        family = self.session.family
        before = family.before_ddl(self.policy.timeout_ms)
        for attempt in range(1, ONLINE_ATTEMPTS + 1):
            try:
                return self.insist(record, locks, lambda: self._in_a_moment(sql, before, locks, users, measured))
            except DatabaseError as problem:
                code = problem.facts.get("sqlstate") or ""
                if record.undoes is not None and family.absent(code):
                    return None  # the step that is taken back had not come that far
                if not (remedy := family.passes(code)):
                    raise
                if attempt == ONLINE_ATTEMPTS:
                    reason = f"writers were in its way {attempt} times: {problem.message}"
                    raise StepFailed(f"{record.name}: {reason}", next_step=remedy, **problem.facts) from problem
                wait = self.policy.wait(attempt)
                self.observer(Paused(record.name, wait, f"writers were in its way: {problem.message}"))
                self.pause(wait)
        return None

    def _in_a_moment(
        self, sql: str, usual: tuple[str, ...], locks: tuple[Lock, ...], users: Users, measured: Measured
    ) -> None:
        """Run a statement in the best moment for it that comes."""
        shutting = self._shutting(sql, locks)
        hurry = bool(locks) and (bool(shutting.lock) or "ALGORITHM=INPLACE" not in sql)
        for moment in moments(self.session, users, usual, self.pause, hurry=hurry):
            for _ in range(moment.tries):
                with nullcontext() if moment.limits is usual else suppress(LockTimeout):
                    shuts = moment.shut and sql not in self.alone
                    if self._timed(sql, moment, usual, shutting if shuts else Shutting(), measured):
                        if locks:
                            seconds = time.monotonic() - self.begun
                            measured.define("" if shutting.lock and shuts else sql, seconds)
                        return
                self.pause(moment.pause)

    def _timed(self, sql: str, moment: Moment, usual: tuple[str, ...], shutting: Shutting, measured: Measured) -> bool:
        """Run a statement under limits of its own, and take these back; returns whether it was the moment."""
        self.begun = time.monotonic()
        self.changed = (*shutting.usual, *(() if moment.limits is usual else usual))
        try:
            return self._run(sql, moment, shutting)
        except LockTimeout:
            measured.waited_ms += (time.monotonic() - self.begun) * 1000
            raise
        finally:
            if self.held is None:
                self._take_back()

    def _run(self, sql: str, moment: Moment, shutting: Shutting) -> bool:
        with self.session.autocommitting() as connection:
            for statement in (*moment.limits, *shutting.limits):
                run(connection, statement)
            try:
                return self._run_shut(sql, moment, shutting) if shutting.lock else is_moment(self.session, moment, sql)
            except DatabaseError as problem:
                if problem.facts.get("sqlstate") not in shutting.locked_out:
                    raise
                self.alone.add(sql)
                return is_moment(self.session, moment, sql)

    def _run_shut(self, sql: str, moment: Moment, shutting: Shutting) -> bool:
        """Run a statement while its tables are shut, where this role may shut them."""
        try:
            if not is_moment(self.session, moment, shutting.lock):
                return False
        except (LockTimeout, Deadlocked, ConnectionFailed):
            raise
        except DatabaseError:
            self.alone.add(sql)
            return is_moment(self.session, moment, sql)
        try:
            with mapped_errors():
                run(self.session.connection, sql)
            self.held = shutting if self.beside is not None else None
        finally:
            if self.held is None:
                with suppress(Exception):
                    self._unlock(shutting)
        return True

    def _unlock(self, shutting: Shutting) -> None:
        for statement in shutting.after:
            run(self.session.connection, statement)

    def _take_back(self) -> None:
        changed, self.changed = self.changed, ()
        if changed:
            # What is lost has taken them with it; an interrupt that has ended it goes on to be one.
            with suppress(ConnectionFailed), self.session.transaction() as connection:
                for statement in changed:
                    run(connection, statement)
