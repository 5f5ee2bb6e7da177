"""Where the rows of a verification are read, how fast, and up to where they have been found equal."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from migrator.database import Deadlocked, LockTimeout
from migrator.errors import ConnectionFailed, DatabaseError, NotSupportedHere, VerificationFailed
from phases.effects import Cursor, Look, Looked, Mark, Query
from phases.model import Verify

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.database import Session
    from migrator.governing import Governor
    from migrator.ledger.records import StepRecord

Done = TypeVar("Done")
Wait = tuple[float, str]
CONFLICTS, CONFLICT_PAUSE = 6, 0.5
"""How often a question to a replica is asked that is in the way of what it replays, and seconds in between."""
NOT_AT_ALL: Wait = (0.0, "")


class Comparing:
    """Looks at chunks, under the limits of a backfill, and keeps a position in the ledger.

    Without a ledger that may be written to, as for a role that only reads, nothing is kept and nobody can hold it back.

    Args:
        session: of the server that is written to.
        governor: holds it back.
        replica: where chunks are looked at, if given.
    """

    def __init__(self, session: Session, governor: Governor, replica: Session | None = None) -> None:
        self.session = session
        self.governor = governor
        self.replica = replica
        self.keeps = self.marked = False
        self.purpose = ""
        self.committed = 0.0

    def ask(self, sql: str, *, anywhere: bool) -> list[tuple[Any, ...]]:
        """Ask the replica where it may be, and where there is one.

        Raises:
            Deadlocked: the replica had to replay what ends a question, again and again.
        """
        if self.replica is None or not anywhere:
            return self.session.query(sql)
        for attempt in range(1, CONFLICTS):
            try:
                return self.replica.query(sql)
            except Deadlocked:
                self.governor.pause(attempt * CONFLICT_PAUSE * (0.5 + random.random()))
        return self.replica.query(sql)

    def begin(self, record: StepRecord, purpose: str) -> Cursor | None:
        """Where a comparison goes on; None: at the beginning."""
        from migrator.ledger import verifications

        self.purpose, self.committed = purpose, 0.0
        facts = self.session.facts
        with self.session.transaction() as connection:
            self.keeps = not (facts.in_recovery or facts.read_only) and verifications.kept(connection)
            cursor = verifications.get(connection, record.id, purpose) if self.keeps else None
        self.marked = cursor is not None
        return cursor

    def answer(
        self, record: StepRecord, effect: Query | Look | Mark, waited: Callable[[Wait, Wait, Wait], None]
    ) -> Any:
        """Answer a question, or keep the position.

        Args:
            waited: told how long a look was held back, and why, after the same for replicas and for what piles up.
        """
        match effect:
            case Query():
                return self.ask(effect.sql, anywhere=effect.anywhere)
            case Mark():
                return self.mark(record, effect)
        looked, wait = self.look(record, effect)
        waited(NOT_AT_ALL, NOT_AT_ALL, wait)
        return looked

    def look(self, record: StepRecord, effect: Look) -> tuple[Looked, Wait]:
        """Look at one chunk, when it may be; and say how long it was held back, and why."""
        try:
            waited, reason = self.governor.wait(record) if self.keeps else NOT_AT_ALL
        except NotSupportedHere:  # the role may not write to the ledger, which says that it waits
            self.keeps, (waited, reason) = False, NOT_AT_ALL
        begun = time.monotonic()
        (row,) = self.ask(effect.sql, anywhere=True)
        spent = time.monotonic() - begun
        waited += self.governor.wrote(int(row[0]), spent, self.committed, blocked=False)
        return Looked(row, spent, self.governor.control.rows_per_second), (waited, reason)

    def mark(self, record: StepRecord, effect: Mark) -> None:
        """Keep the position; a step that cannot ends, whoever else compares goes on without."""
        from migrator.ledger import verifications

        begun = time.monotonic()
        self._try(lambda connection: verifications.put(connection, record.id, self.purpose, effect.cursor))
        self.committed, self.marked = time.monotonic() - begun, self.keeps

    def _try(self, write: Callable[[Connection], None]) -> None:
        from migrator.ledger import verifications

        if not self.keeps:
            return
        try:
            with self.session.transaction() as connection:
                write(connection)
        except (LockTimeout, Deadlocked):
            pass  # a position that is a little older is as true
        except ConnectionFailed:
            raise
        except DatabaseError:
            if self.purpose == verifications.STEP:
                raise
            self.keeps = False  # the role may not write to the ledger

    def ended(self, record: StepRecord, compare: Callable[[], Done]) -> Done:
        """Carry out a step, and forget the position once all rows were compared, whatever was found."""
        if not isinstance(record.step, Verify):
            return compare()
        try:
            done = compare()
        except VerificationFailed:
            if self.marked:
                self.forget(record)
            raise
        if self.purpose != "step" and self.marked:  # whose end and that of its position commit together
            self.forget(record)
        return done

    def forget(self, record: StepRecord) -> None:
        from migrator.ledger import verifications

        self._try(lambda connection: verifications.forget(connection, record.id, self.purpose))
