"""What a small client waits for its statements while something else is done."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

AWAY = 7919
"""Rows from one that is looked at to the next: a prime, so that all are met."""


class Foreground(threading.Thread):
    """A client that runs statements over single rows, and times each of them."""

    def __init__(self, rows: int) -> None:
        super().__init__(daemon=True)
        self.rows = rows
        self.waits_ms: list[float] = []
        self.failures: list[str] = []
        self.stopping = threading.Event()

    def go(
        self,
        execute: Callable[[str, list[int]], Any],
        statements: tuple[str, ...],
        failing: tuple[type[Exception], ...] = (),
    ) -> None:
        """Run the statements, row after row, until somebody says so; errors of the kinds in `failing` are counted."""
        number = 0
        while not self.stopping.is_set():
            number = (number + AWAY) % self.rows
            for sql in statements:
                begun = time.perf_counter()
                try:
                    execute(sql, [number + 1])
                except failing as problem:
                    self.failures.append(str(problem))
                self.waits_ms.append((time.perf_counter() - begun) * 1000)
            time.sleep(0.002)

    def taken(self) -> list[float]:
        """The waits so far, forgotten here."""
        waits, self.waits_ms = self.waits_ms, []
        return waits

    def stop(self) -> None:
        self.stopping.set()
        self.join()

    def felt(self, quiet_seconds: float, work: Callable[[], object]) -> tuple[list[float], list[float]]:
        """What it waited before some work, for so many seconds, and during it."""
        self.start()
        time.sleep(1.0)
        self.taken()
        time.sleep(quiet_seconds)
        before = self.taken()
        work()
        self.stop()
        return before, self.taken()


def p99(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=100)[98]
