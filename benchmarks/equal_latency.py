"""How many rows a second a way to fill a table may write before others notice: `python -m benchmarks.backfill`.

Clients come at fixed times, at a share of what the server could serve. Each way is run at one rate after another, and
its highest rate is looked for at which the 99th percentile of what they wait stays within 1.1 times what it is while
the way pauses, which it does before every trial. One big UPDATE has no rate: it is run as it is, and what it does to
them is said.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import psycopg

from benchmarks.load import Felt, Load, saturation
from migrator import api, controlling
from migrator.errors import UsageError
from phases.model import Phase

if TYPE_CHECKING:
    from benchmarks.backfill import Bench

ALLOWED = 1.10
STEADY = 1.5
"""How far the waits of the trials' pauses may lie apart: where a machine's own differ by more, none can be compared."""
SETTLE = 1.5
"""Seconds until a rate is heeded: a runner asks for it once a second."""
FIRST_RATE = 4_000.0
BATCH = 1_000
KEYSET = (
    "WITH batch AS (SELECT id FROM users WHERE id > %s ORDER BY id LIMIT %s),"
    " done AS (UPDATE users SET name = full_name FROM batch WHERE users.id = batch.id RETURNING users.id)"
    " SELECT max(id), count(*) FROM done"
)
DONE = "SELECT coalesce(sum(rows_done), 0) FROM migrator.backfills"


@dataclass(frozen=True)
class Trials:
    """How it is measured.

    Args:
        window: seconds of one trial.
        steps: trials of each way.
        share: of what the server could serve, that the clients ask for.
    """

    window: float = 10.0
    steps: int = 8
    share: float = 0.3


@dataclass(frozen=True)
class EqualLatency:
    """`*_rows_per_second`: the highest rate at which the p99 of the clients stays within 1.1 times the baseline;
    of one big UPDATE the rate it has. `ratio_to_keyset`: None where the other way has no such rate, or where the
    baselines of the trials, of which the lowest and the highest are given, lie apart by more than half."""

    clients_per_second: float
    lowest_baseline_p99_ms: float
    highest_baseline_p99_ms: float
    rows_per_second: float
    keyset_rows_per_second: float
    ratio_to_keyset: float | None
    single_update_rows_per_second: float
    single_update_p99_ratio: float | None


class Way(Protocol):
    """A way to fill the table whose rate can be set while it runs."""

    def begin(self, rate: float) -> None: ...
    def pace(self, rate: float) -> None: ...
    def hold(self, paused: bool) -> None: ...
    def rows(self) -> int: ...
    def over(self) -> bool: ...
    def end(self) -> None: ...


class Thread:
    """Work of this process that goes on beside the clients."""

    thread: threading.Thread

    def start(self, work: Callable[[], object]) -> None:
        self.thread = threading.Thread(target=work, daemon=True)
        self.thread.start()

    def over(self) -> bool:
        return not self.thread.is_alive()


class Ours(Thread):
    """A backfill, throttled from another session as a user would; of itself it rests for nobody."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.settings = bench, replace(bench.settings, max_latency=0.0)

    def begin(self, rate: float) -> None:
        self.bench.fresh()
        self.pace(rate)
        self.start(lambda: api.apply(self.settings, phase=Phase.MIGRATE))

    def pace(self, rate: float) -> None:
        controlling.throttle(self.settings, rows_per_second=rate)

    def hold(self, paused: bool) -> None:
        (controlling.pause if paused else controlling.resume)(self.settings)

    def rows(self) -> int:
        with psycopg.connect(self.bench.url, autocommit=True) as connection:
            found = connection.execute(DONE.encode()).fetchone()
        return int(found[0]) if found else 0

    def end(self) -> None:
        with suppress(UsageError):  # it is not paused
            controlling.resume(self.settings)
        controlling.throttle(self.settings)
        self.thread.join()  # what is left is done as fast as it goes


class Keyset(Thread):
    """Batches of so many rows along the key, each a transaction that waits for the disk, paced by sleeping."""

    def __init__(self, bench: Bench) -> None:
        self.bench, self.rate, self.done = bench, math.inf, 0
        self.stopping, self.going = threading.Event(), threading.Event()
        self.going.set()

    def begin(self, rate: float) -> None:
        self.bench.fresh()
        self.rate, self.done = rate, 0
        self.stopping.clear()
        self.start(self.walk)

    def walk(self) -> None:
        after, due = 0, time.perf_counter()
        with psycopg.connect(self.bench.url, autocommit=True) as connection:
            while self.going.wait() and not self.stopping.is_set():
                found = connection.execute(KEYSET, [after, BATCH]).fetchone()
                if found is None or found[0] is None:
                    return
                after, self.done = found[0], self.done + found[1]
                due = max(due, time.perf_counter() - 1.0) + found[1] / self.rate
                self.stopping.wait(max(0.0, due - time.perf_counter()))

    def pace(self, rate: float) -> None:
        self.rate = rate

    def hold(self, paused: bool) -> None:
        (self.going.clear if paused else self.going.set)()

    def rows(self) -> int:
        return self.done

    def end(self) -> None:
        self.stopping.set()
        self.going.set()
        self.thread.join()


@dataclass(frozen=True)
class Trial:
    """What a way did at a rate, and what was felt of it, and before it."""

    rows_per_second: float
    quiet: Felt
    felt: Felt


def tried(way: Way, load: Load, rate: float, window: float) -> Trial:
    """Pause, then run at a rate for a while; on a table made anew where the one at hand is done too early."""
    for fresh in (False, True):
        if fresh or way.over():
            way.end()
            way.begin(rate)
        way.hold(True)
        wait(way, min(SETTLE, window))
        quiet = load.during(window)
        way.hold(False)
        way.pace(rate)
        wait(way, min(SETTLE, window))
        load.taken()
        begun, before = time.perf_counter(), way.rows()
        wait(way, window)
        seconds, rows, felt = time.perf_counter() - begun, way.rows() - before, load.taken()
        if seconds >= window / 2:
            break
    return Trial(rows / seconds, quiet, felt)


def wait(way: Way, seconds: float) -> None:
    """Sleep, but no longer than there is something to do."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until and not way.over():
        time.sleep(0.02)


def highest(way: Way, load: Load, given: Trials) -> tuple[float, list[float]]:
    """The most rows a second that nobody notices, 0 where there is none; and the baselines in milliseconds."""
    low, high, rate = 0.0, math.inf, FIRST_RATE
    quiet = load.during(given.window)
    baselines = [quiet.p99]
    way.begin(rate)
    try:
        for _ in range(given.steps):
            trial = tried(way, load, rate, given.window)
            quiet = Felt(quiet.waits_ms + trial.quiet.waits_ms)
            baselines.append(trial.quiet.p99)
            if trial.felt.p99 <= ALLOWED * quiet.p99:
                low = max(low, trial.rows_per_second)
                if trial.rows_per_second < 0.7 * rate:
                    break  # it does not go any faster
            else:
                high = min(high, rate)
            rate = between(low, high)
    finally:
        way.end()
    return low, baselines


def between(low: float, high: float) -> float:
    """The next rate to try."""
    if math.isinf(high):
        return 2 * low
    return math.sqrt(low * high) if low else high / 2


def measure(bench: Bench, given: Trials) -> EqualLatency:
    """Look for the highest rate of each way, and say what one big UPDATE does."""
    bench.fresh()
    clients = given.share * saturation(bench.url, bench.rows, min(3.0, given.window))
    with loaded(bench, clients) as load:
        ours, baselines = highest(Ours(bench), load, given)
    with loaded(bench, clients) as load:
        keyset, others = highest(Keyset(bench), load, given)
    with loaded(bench, clients) as load:
        before = load.during(given.window).p99
        seconds = bench.single_update()
        during = load.taken().p99
    least, most = min(baselines + others), max(baselines + others)
    return EqualLatency(
        round(clients, 1),
        round(least, 2),
        round(most, 2),
        round(ours),
        round(keyset),
        round(ours / keyset, 2) if keyset and most <= STEADY * least else None,
        round(bench.rows / seconds),
        round(during / before, 1) if before else None,
    )


@contextmanager
def loaded(bench: Bench, clients: float) -> Iterator[Load]:
    """Clients on a table made anew."""
    bench.fresh()
    with Load(bench.url, bench.rows, clients) as load:
        time.sleep(1.0)
        yield load
