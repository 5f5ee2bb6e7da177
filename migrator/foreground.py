"""What the applications feel of a table: small looks at it from a session of its own, all the time."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from migrator.database import Session, connect
from phases.model import TableName

EVERY = 0.2
"""Seconds between two looks …"""
AT_FIRST = 0.02
"""… and while it is learnt what they take without us."""
KEPT = 20


class Probe:
    """A thread that looks at one row of a table, again and again, and times it.

    Args:
        url: of the database.
        table: what is looked at.
        open_session: opens the session that is used; replaced in tests.
    """

    def __init__(self, url: str, table: TableName) -> None:
        self.url = url
        self.table = table
        self.seconds: deque[float] = deque(maxlen=KEPT)
        self.problem = ""
        self.every = AT_FIRST
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def learn(self, readings: int, patience: float, pause: Callable[[float], None] = time.sleep) -> tuple[float, ...]:
        """What looks take by now, while the caller writes nothing.

        Args:
            readings: how many looks are enough.
            patience: seconds to wait for them.
        """
        self.seconds.clear()
        self.every, begun = AT_FIRST, time.monotonic()
        while len(self.seconds) < readings and time.monotonic() - begun < patience and not self.problem:
            pause(AT_FIRST)
        self.every = EVERY
        learnt = tuple(self.seconds)
        self.seconds.clear()
        return learnt

    def recent(self) -> tuple[float, ...]:
        """Seconds of the last looks, since `forget`."""
        return tuple(self.seconds)

    def forget(self) -> None:
        """What follows is another matter: the rate has changed."""
        self.seconds.clear()

    def _run(self) -> None:
        try:
            with connect(self.url, "probe") as session:
                while not self._over.wait(self.every):
                    self.seconds.append(self._look(session))
        except Exception as problem:  # the backfill goes on without it, and says so
            self.problem = getattr(problem, "message", str(problem))

    def _look(self, session: Session) -> float:
        begun = time.monotonic()
        with suppress(IndexError):
            session.query(session.family.look(self.table))
        return time.monotonic() - begun
