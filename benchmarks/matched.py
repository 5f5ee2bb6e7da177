"""What clients wait beside a backfill at twice the rate of plain batches of 1,000, in the same minutes.

    python -m benchmarks.matched [--rows 1000000] [--rates 2500,5000,10000] [--rounds 5] [--format json]

Two databases on one server have the same table and the same clients, who come at fixed times. In one a backfill is
throttled to twice the rate at which the other is filled along its key. They take turns of a few seconds, with turns
between in which both pause, so whatever else the machine does falls on all of them. Of each, what the clients of its
own table waited is put together from all turns.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks import show
from benchmarks.backfill import SERVER, Bench
from benchmarks.equal_latency import SETTLE, Keyset, Ours, Way, loaded, wait
from benchmarks.foreground import p99
from benchmarks.load import Load, saturation
from migrator.embedded import EmbeddedServer

TWICE = 2


@dataclass
class Turns:
    """What was done and felt in all turns of one kind."""

    rows: int = 0
    seconds: float = 0.0
    waits_ms: list[float] = field(default_factory=list)

    def take(self, seconds: float, loads: Sequence[Load], way: Way | None = None) -> None:
        """Let a turn pass; what is begun and ended by its edges belongs to nobody."""
        for load in loads:
            load.taken()
        begun, before = time.perf_counter(), way.rows() if way else 0
        if way:
            wait(way, seconds)
            self.rows += way.rows() - before
        else:
            time.sleep(seconds)
        self.seconds += time.perf_counter() - begun
        self.waits_ms += [each for load in loads for each in load.taken().waits_ms]


def working(way: Way, turns: Turns, seconds: float, load: Load) -> None:
    way.hold(False)
    time.sleep(min(SETTLE, seconds))
    turns.take(seconds, [load], way)
    way.hold(True)


def at_rate(ours: Bench, keyset: Bench, rate: float, clients: float, seconds: float, rounds: int) -> dict[str, float]:
    """Both in turns; the backfill writes twice as many rows a second."""
    ways: tuple[Way, Way] = (Ours(ours), Keyset(keyset))
    nobody, felt = Turns(), (Turns(), Turns())
    with ExitStack() as stack:
        loads = [stack.enter_context(loaded(bench, clients)) for bench in (ours, keyset)]
        for way, wanted in zip(ways, (TWICE * rate, rate), strict=True):
            stack.callback(way.end)
            way.begin(wanted)
            way.hold(True)
        for _ in range(rounds):
            time.sleep(min(SETTLE, seconds))
            nobody.take(seconds, loads)
            for way, turns, load in zip(ways, felt, loads, strict=True):
                working(way, turns, seconds, load)
    mine, theirs = felt
    return {
        "rows_per_second": round(mine.rows / mine.seconds),
        "keyset_rows_per_second": round(theirs.rows / theirs.seconds),
        "p99_ms": round(p99(mine.waits_ms), 2),
        "keyset_p99_ms": round(p99(theirs.waits_ms), 2),
        "quiet_p99_ms": round(p99(nobody.waits_ms), 2),
        "p99_ratio_to_keyset": round(p99(mine.waits_ms) / p99(theirs.waits_ms), 2),
    }


def measure(rows: int, rates: Sequence[float], share: float, seconds: float, rounds: int) -> dict[str, float]:
    with ExitStack() as stack:
        server = stack.enter_context(EmbeddedServer(settings=SERVER))
        with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
            benches = []
            for name in ("ours", "keyset"):
                connection.execute(f"CREATE DATABASE {name}".encode())
                folder = stack.enter_context(tempfile.TemporaryDirectory())
                benches.append(Bench(server, Path(folder), rows, 0.0, database=name))
        benches[0].fresh()
        clients = share * saturation(benches[0].url, rows, seconds)
        found: dict[str, float] = {"clients_per_second": round(clients, 1)}
        for rate in rates:
            figures = at_rate(benches[0], benches[1], rate, clients / 2, seconds, rounds)
            found |= {f"at_{rate:g}_{name}": value for name, value in figures.items()}
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rates", default="2500,5000,10000", help="rows a second of the plain batches")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each turn")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each kind at each rate")
    parser.add_argument("--share", type=float, default=0.3, help="of what the server could serve, that clients ask for")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    given = parser.parse_args()
    rates = [float(rate) for rate in given.rates.split(",")]
    show(measure(given.rows, rates, given.share, given.seconds, given.rounds), given.format)


if __name__ == "__main__":
    main()
