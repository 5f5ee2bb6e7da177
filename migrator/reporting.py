"""Keep how far a long step is where any terminal can see it: in the ledger, once a second."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from phases.effects import Progress
from phases.pacing import forecast

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.ledger.records import StepRecord

EVERY = 1.0
"""Seconds between two reports."""
SAMPLES = 60
"""Reports by which the end of a step is foretold."""


class Report:
    """What the runner says of the step that it is at.

    Args:
        session: the runner's.
        clock: seconds, of any beginning.
    """

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.clock = clock
        self.said: float | None = None
        self.progress: Progress | None = None
        self.samples: deque[tuple[float, int, int]] = deque(maxlen=SAMPLES)

    def step(self, record: StepRecord, progress: Progress, limits: str, reason: str) -> None:
        """Say how far a step is.

        Args:
            limits: what it keeps to.
            reason: why it is slower than it could be.
        """
        if self.progress is not None and progress.rows < self.progress.rows:
            self.samples.clear()  # another step
        self.progress = progress
        if self.said is not None and self.clock() - self.said < EVERY:
            return
        self.samples.append((self.clock(), progress.done, progress.rows))
        self._write(record, progress, limits, reason)

    def waiting(self, record: StepRecord, limits: str, reason: str) -> None:
        """Say why it is not going on."""
        self.samples.clear()
        self._write(record, self.progress or Progress(0, 0, "", 0), limits, reason)

    def _write(self, record: StepRecord, progress: Progress, limits: str, reason: str) -> None:
        from migrator.ledger import controls

        self.said = self.clock()
        ahead = forecast([(at, done) for at, done, _ in self.samples], progress.total)
        values = {
            "done": progress.done,
            "total": progress.total,
            "unit": progress.unit,
            "rows_per_second": self._rate(),
            "seconds_left": ahead.seconds if ahead else None,
            "seconds_left_least": ahead.least if ahead else None,
            "seconds_left_most": ahead.most if ahead else None,
            "limits": limits,
            "reason": reason,
        }
        with self.session.transaction() as connection:
            controls.tell(connection, record.id, values)

    def _rate(self) -> float:
        """Rows a second, of the last minute."""
        if len(self.samples) < 2:
            return 0.0
        (since, _, before), (until, _, rows) = self.samples[0], self.samples[-1]
        return (rows - before) / (until - since)
