"""Ask how well updates find room on their pages, and which snapshots keep pages from being pruned."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from migrator.errors import Cancelled, ConnectionFailed, DatabaseError
from phases.pacing import percentile
from phases.room import Room, Updates, roomy

if TYPE_CHECKING:
    from migrator.database import Session
    from phases.model import Fill

EVERY = 2.0
"""Seconds between two readings: sessions report what they have counted once a second."""


class Pruning:
    """Chooses the size of windows while a backfill runs.

    Args:
        session: the runner's.
        clock: seconds, of any beginning.
    """

    def __init__(self, session: Session, clock: Callable[[], float] = time.monotonic) -> None:
        self.session = session
        self.clock = clock
        self.begin()

    def begin(self) -> None:
        """Forget the table before."""
        self.room = Room()
        self.batches: deque[float] = deque(maxlen=10)
        self.read: tuple[float, Updates] | None = None

    def follow(self, step: Fill, stripes: int, workers: int) -> None:
        """Judge anew; reads once in `EVERY` seconds at most."""
        statement = self.session.family.updates(step.table)
        if not statement or step.copy or step.function:
            return
        now = self.clock()
        if self.read is not None and now - self.read[0] < EVERY:
            return
        try:
            found = self.session.query(statement)
        except (ConnectionFailed, Cancelled):
            raise
        except DatabaseError:  # a service of its own kind may not show it: windows stay as they are
            self.read = (now, Updates())
            return
        before = self.read[1] if self.read is not None else None
        counted, age = (Updates(*found[0][:2]), float(found[0][2])) if found else (Updates(), 0.0)
        self.read = (now, counted)
        made = Updates(counted.all - before.all, counted.hot - before.hot) if before is not None else Updates()
        batch = percentile(self.batches, 0.5)
        self.room = roomy(self.room, made, age, batch, stripes=stripes, workers=workers)
