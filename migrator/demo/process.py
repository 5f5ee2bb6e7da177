"""The application's processes, seen from the demo."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from migrator.demo.application import CONNECTIONS
from migrator.errors import MigratorError


@dataclass
class Load:
    """What one version of the application did, over all its runs."""

    version: str
    statements: int = 0
    failed: int = 0
    max_wait_ms: float = 0.0
    errors: list[str] = field(default_factory=list)

    def add(self, tally: dict[str, Any]) -> None:
        self.statements += tally["statements"]
        self.failed += tally["failed"]
        self.max_wait_ms = max(self.max_wait_ms, tally["max_wait_ms"])
        self.errors += tally["errors"]


class Journal:
    """What the applications wrote and must be found again."""

    def __init__(self) -> None:
        self.names: dict[int, str | None] = {}
        self.visits = 0

    def add(self, tally: dict[str, Any]) -> None:
        self.names |= {int(row): name for row, name in tally["written"].items()}
        self.visits += tally["visits"]

    def differences(self, found: dict[int, str], visits: int) -> int:
        """Rows that do not have the name last written, and visits that were lost."""
        wrong = sum(1 for row, name in self.names.items() if found.get(row) != name)
        return wrong + abs(visits - self.visits)


class Application:
    """One version, live from `start` to `stop`.

    Args:
        url: of the database, as SQLAlchemy takes it.
        column: by which this version knows the name.
        rows: rows that are in the table at the beginning.
        slot: 0 or 1; versions that live at the same time have rows of their own.
        load, journal: where its tally goes.
    """

    def __init__(self, url: str, column: str, rows: int, slot: int, load: Load, journal: Journal) -> None:
        self.load, self.journal = load, journal
        self.process: subprocess.Popen[str] | None = None
        self.command = [sys.executable, "-m", "migrator.demo.application"]
        self.command += ["--url", url, "--version", load.version, "--column", column, "--rows", str(rows)]
        self.command += ["--first-share", str(slot * CONNECTIONS), "--shares", str(2 * CONNECTIONS)]

    def start(self) -> None:
        """Start it, and wait until its connections are at work.

        Raises:
            MigratorError: it does not come up.
        """
        # A session of its own: a Ctrl-C in our terminal is ours to handle.
        self.process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        if self.process.stdout is None or self.process.stdout.readline() != "ready\n":
            raise MigratorError(f"the application of the demo, version {self.load.version}, did not start")

    def stop(self) -> None:
        """Let every connection finish its statement, and take the tally."""
        if self.process is None:
            return
        process, self.process = self.process, None
        output, _ = process.communicate(timeout=60)
        tally = json.loads(output)
        self.load.add(tally)
        self.journal.add(tally)

    def __enter__(self) -> Application:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is None:
            return
        if kind is None:
            self.stop()
        else:
            with self.process as process:
                process.kill()
