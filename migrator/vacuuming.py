"""A vacuum beside a backfill: of a table that autovacuum leaves alone, from a session of its own."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from migrator.database import Session, connect
from migrator.dialects import postgresql
from migrator.errors import Cancelled
from phases.model import TableName
from phases.sql import qualified

PATIENCE = 5.0
"""Seconds in which a server ends a vacuum that is cancelled."""
MOMENT = 0.05


class Vacuum:
    """One VACUUM, under way from here on.

    It keeps nobody from writing, but whoever changes the table waits for its end.

    Args:
        url: of the database.
        table: of PostgreSQL.
    """

    def __init__(self, url: str, table: TableName) -> None:
        self.url = url
        self.table = table
        self.problem = ""
        """Why the table was not vacuumed."""
        self._begun = time.monotonic()
        self._backend: int | None = None
        self._unwanted = threading.Event()
        self._ended = threading.Event()
        threading.Thread(target=self._run, name="vacuum", daemon=True).start()

    @property
    def under_way(self) -> bool:
        return not self._ended.is_set()

    @property
    def seconds(self) -> float:
        """Since its beginning."""
        return time.monotonic() - self._begun

    def cancel(self, session: Session) -> None:
        """End it, by way of another session of the same role; what it has cleared away by then stays so."""
        self._unwanted.set()
        deadline = time.monotonic() + PATIENCE
        with suppress(Exception):  # the server is gone, and the vacuum with it
            while not self._ended.wait(MOMENT) and time.monotonic() < deadline:
                if self._backend is not None:
                    session.query(postgresql.CANCEL.format(pid=self._backend))

    def _run(self) -> None:
        try:
            with connect(self.url, "vacuum") as session:
                self._backend = session.query(session.family.questions["backend"])[0][0]
                pace = postgresql.GENTLY if session.query(postgresql.OTHERS_AT_WORK)[0][0] else ()
                if not self._unwanted.is_set():
                    session.alone(postgresql.VACUUM.format(table=qualified(self.table)), pace)
        except Cancelled:
            self.problem = "it was cancelled"
        except Exception as problem:  # the backfill goes on without it, and says so
            self.problem = getattr(problem, "message", str(problem))
        finally:
            self._ended.set()
