"""Clients that come at fixed times, whatever the server does: an open loop, in a process of its own.

What a statement waits for is counted from when it was due, so a server that stands still for a second is felt by all
who would have come in that second.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any

from benchmarks.foreground import AWAY, p99

CLIENTS = 4
STATEMENTS = ("SELECT full_name FROM users WHERE id = %s", "UPDATE users SET visits = visits + 1 WHERE id = %s")


@dataclass(frozen=True)
class Felt:
    """What clients waited in a while: milliseconds for each pair of a read and a write."""

    waits_ms: tuple[float, ...]

    @property
    def p99(self) -> float:
        return p99(list(self.waits_ms)) if len(self.waits_ms) > 1 else 0.0

    @property
    def longest(self) -> float:
        return max(self.waits_ms, default=0.0)


class Load:
    """So many transactions a second; none: as many as go."""

    def __init__(self, url: str, rows: int, per_second: float | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, there = context.Pipe()
        self.process = context.Process(target=serve, args=(there, url, rows, per_second), daemon=True)

    def __enter__(self) -> Load:
        self.process.start()
        self.taken()  # they are connected
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.pipe.send("stop")
        self.process.join(10)
        self.process.kill()

    def taken(self) -> Felt:
        """The waits since this was asked last."""
        self.pipe.send("take")
        answer: list[float] = self.pipe.recv()
        return Felt(tuple(answer))

    def during(self, seconds: float) -> Felt:
        self.taken()
        time.sleep(seconds)
        return self.taken()


def serve(pipe: Connection[Any, Any], url: str, rows: int, per_second: float | None) -> None:
    waits: list[float] = []
    stopping = threading.Event()
    ready = threading.Barrier(CLIENTS + 1)
    gap = CLIENTS / per_second if per_second else 0.0
    for number in range(CLIENTS):
        arguments = (url, rows, gap, number, waits, stopping, ready)
        threading.Thread(target=client, args=arguments, daemon=True).start()
    ready.wait()
    while pipe.recv() == "take":
        count = len(waits)
        pipe.send(waits[:count])
        del waits[:count]
    stopping.set()


def client(
    url: str,
    rows: int,
    gap: float,
    number: int,
    waits: list[float],
    stopping: threading.Event,
    ready: threading.Barrier,
) -> None:
    import psycopg

    row = number * (rows // CLIENTS)
    with psycopg.connect(url, autocommit=True) as connection:
        ready.wait()
        due = time.perf_counter() + gap * number / CLIENTS
        while not stopping.is_set():
            time.sleep(max(0.0, due - time.perf_counter()))
            begun = due if gap else time.perf_counter()
            row, due = (row + AWAY) % rows, due + gap
            with suppress(psycopg.Error):  # the table is made anew between two trials
                for statement in STATEMENTS:
                    connection.execute(statement, [row + 1])
                waits.append((time.perf_counter() - begun) * 1000)


def saturation(url: str, rows: int, seconds: float) -> float:
    """Transactions a second when all come as fast as they can."""
    with Load(url, rows, None) as load:
        return len(load.during(seconds).waits_ms) / seconds
