"""Look at what piles up on the server while a backfill runs, and wait until it is less."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from migrator.burdens import burdens
from migrator.dialects import postgresql
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError
from migrator.events import Observer, Resumed, Unjudged, Vacuumed, Waiting, ignore
from migrator.vacuuming import Vacuum
from phases.pressure import (
    Archive,
    Limits,
    Rows,
    Slot,
    Wait,
    judge_archive,
    judge_rows,
    judge_slots,
    needs_vacuum,
    queued_since,
    together,
)
from phases.replication import Verdict
from phases.sql import literal, qualified

if TYPE_CHECKING:
    from migrator.database import Session
    from phases.model import TableName

EVERY = 1.0
"""Seconds between two looks."""


class Pressure:
    """Watches WAL and dead rows of the server that a session is on.

    Args:
        limits: what may pile up; what has no limit is not looked at.
        observer: told of every wait.
        pause: waits; no transaction is open meanwhile.
        clock: seconds, of any beginning.
        url: of the database, for a session that vacuums where nobody else does; empty: nobody does.
    """

    def __init__(
        self,
        session: Session,
        limits: Limits,
        observer: Observer = ignore,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        url: str = "",
    ) -> None:
        self.session = session
        self.limits = limits if session.family.piles_up else replace(limits, archive=0, slots=0, dead=0.0)
        self.observer = observer
        self.pause = pause
        self.clock = clock
        self.url = url
        self.vacuum: Vacuum | None = None
        self.looked: float | None = None
        self.unknown = ""
        self.forgiven: dict[TableName, int] = {}
        self.vacuumed: dict[TableName, int] = {}

    def look(self, table: TableName, waited: float | None = None, vacuums: int = 0) -> tuple[Verdict, Rows | None]:
        """Read once, and judge.

        Args:
            waited: seconds of the wait that is under way; None: there is none.
            vacuums: of the table, when it began.
        """
        self.looked = self.clock()
        paused, rows = waited is not None, None
        verdicts = []
        try:
            if self.limits.archive and (archive := self.archive()):
                verdicts.append(judge_archive(archive, self.limits.archive, paused=paused))
            if self.limits.slots:
                verdicts.append(judge_slots(tuple(self.slots()), self.limits.slots, paused=paused))
            if self.limits.dead and (rows := self.rows(table)):
                before = self.forgiven[table] = min(self.forgiven.get(table, 0), rows.dead)
                wait = Wait(waited, vacuums) if waited is not None else None
                verdicts.append(judge_rows(rows, self.limits.dead, forgiven=before, wait=wait))
        except (ConnectionFailed, Cancelled):
            raise
        except DatabaseError as problem:  # a service of its own kind may not show all of it
            verdicts.append(Verdict(True, unknown=f"the server does not say what piles up: {problem.message}"))
        verdicts += burdens(self.session, self.limits, paused=paused)
        return together(verdicts), rows

    def follow(self, step: str, table: TableName) -> tuple[float, str]:
        """Wait until another batch does no harm; looks once a second at most.

        Returns:
            Seconds waited, and why, or what could not be judged.
        """
        begun = self.clock()
        if self.looked is not None and begun - self.looked < EVERY:
            return 0.0, ""
        verdict, rows = self.look(table)
        if rows and self.url and self.clear(step, table, rows):
            verdict, rows = self.look(table)
        self.tell(step, verdict)
        if verdict.go:
            return 0.0, verdict.unknown
        reason, vacuums = verdict.reason, rows.vacuums if rows else 0
        while not verdict.go:
            self.observer(Waiting(step, verdict.reason, self.clock() - begun))
            self.pause(EVERY)
            verdict, rows = self.look(table, self.clock() - begun, vacuums)
        self.tell(step, verdict)
        if rows and not judge_rows(rows, self.limits.dead, forgiven=self.forgiven[table]).go:
            self.forgiven[table] = rows.dead
        self.observer(Resumed(step, self.clock() - begun))
        return self.clock() - begun, reason

    def clear(self, step: str, table: TableName, found: Rows) -> bool:
        """Let dead rows be cleared away where nobody else does, while batches go on; returns whether that begins."""
        if self.vacuum is not None and not self.vacuum.under_way:
            ended, self.vacuum = self.vacuum, None
            self.vacuumed[table] = found.dead
            self.observer(Vacuumed(step, ended.table.name, found.dead, ended.seconds, ended.problem))
        elif self.vacuum is None and needs_vacuum(found, self.vacuumed.get(table, 0)):
            self.vacuum = Vacuum(self.url, table)
            self.observer(Vacuumed(step, table.name, found.dead))
            return True
        return False

    def end(self) -> None:
        """Clear nothing away any more: what comes next may change the table."""
        if self.vacuum is not None:
            self.vacuum.cancel(self.session)
            self.vacuum = None

    def tell(self, step: str, verdict: Verdict) -> None:
        """Say what is not known, or cannot be helped; once."""
        if verdict.unknown and verdict.unknown != self.unknown:
            self.observer(Unjudged(step, verdict.unknown))
            self.unknown = verdict.unknown

    def archive(self) -> Archive | None:
        """What waits to be archived; None where nothing is archived."""
        found: list[tuple[Any, ...]] = self.session.query(postgresql.ARCHIVE)
        on, readable, failing, last, current, segment = found[0]
        if not on:
            return None
        if readable:
            return Archive(self.session.query(postgresql.ARCHIVE_QUEUE)[0][0] * segment, failing)
        return Archive(queued_since(last, current, segment), failing)

    def slots(self) -> Iterator[Slot]:
        for row in self.session.query(postgresql.slots(self.session.server.version)):
            yield Slot(*row)

    def rows(self, table: TableName) -> Rows | None:
        """What the statistics know of a table; None where they know nothing."""
        found = self.session.query(postgresql.TABLE_ROWS.format(table=literal(qualified(table))))
        swept = self.vacuum is not None and self.vacuum.under_way
        return replace(Rows(str(table), *found[0]), swept=swept) if found else None
