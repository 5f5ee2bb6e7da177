"""How the cost of a backfill grows with its table, and the rates of this server that `benchmarks.simulate` is fed with.

    python -m benchmarks.scale [--rows 1000000,3000000,10000000] [--format text|markdown|json]

Every size is a table made anew on one server, with two-way triggers, an index of its key and two more; nobody else is
about. Then the server is killed, to see how fast it replays what it has written: a replica does the same work.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg

from benchmarks.backfill import SERVER, Bench
from migrator import api
from migrator.embedded import EmbeddedServer
from migrator.errors import ConnectionFailed
from phases.model import Phase

LOG = {"max_wal_size": "8GB", "checkpoint_timeout": "30min"}
COMMITS = LOOKS = 200
BLOCKS = "SELECT blks_hit + blks_read FROM pg_stat_database WHERE datname = current_database()"
UNREPLAYED = "SELECT pg_current_wal_insert_lsn() - redo_lsn FROM pg_control_checkpoint()"


@dataclass(frozen=True)
class Sized:
    """The migrate phase of one table. `seconds_per_million`: of the backfill; `blocks_per_row`: pages of table and
    indexes that were looked at, whatever else the machine did meanwhile. Equal figures say that cost is linear."""

    rows: int
    seconds: float
    rows_per_second: int
    seconds_per_million: float
    blocks_per_row: float
    wal_bytes_per_row: int
    heap_growth: float
    index_growth: float
    verify_seconds: float
    vacuum_seconds: float


class Scale:
    """One server, and tables of several sizes on it."""

    def __init__(self, server: EmbeddedServer, folder: Path) -> None:
        self.server, self.folder = server, folder
        self.sized: list[Sized] = []
        self.heap_bytes_per_row = self.dead_per_row = 0.0

    def measure(self, rows: int) -> None:
        """Fill a table of so many rows, and look what it took."""
        folder = self.folder / str(rows)
        folder.mkdir()
        bench = Bench(self.server, folder, rows, 0.0)
        bench.settings = replace(bench.settings, max_latency=0.0)
        bench.fresh()
        before, looked = bench.counters(), self.blocks()
        outcomes = api.apply(bench.settings, phase=Phase.MIGRATE).outcomes
        filled = next(item.seconds for item in outcomes if item.name.startswith("backfill"))
        verified = sum(item.seconds for item in outcomes if item.name.startswith("verify"))
        time.sleep(1.5)  # the counters of a session are reported a moment after its last statement
        after, looked = bench.counters(), self.blocks() - looked
        begun = time.perf_counter()
        bench.run("VACUUM users")
        vacuumed = time.perf_counter() - begun
        self.heap_bytes_per_row = before[2] / rows
        self.dead_per_row = 1 - (after[1] - before[1]) / max(after[0] - before[0], 1)
        self.sized.append(
            Sized(
                rows,
                round(filled, 2),
                round(rows / filled),
                round(filled / rows * 1e6, 2),
                round(looked / rows, 2),
                round((after[4] - before[4]) / rows),
                round(after[2] / before[2], 2),
                round(after[3] / before[3], 2),
                round(verified, 2),
                round(vacuumed, 2),
            )
        )

    def blocks(self) -> int:
        with psycopg.connect(self.server.url().replace("+psycopg", ""), autocommit=True) as connection:
            found = connection.execute(BLOCKS.encode()).fetchone()
        return int(found[0]) if found else 0

    def commit_seconds(self) -> float:
        """What a commit that waits for the disk takes, at the median."""
        found = []
        with psycopg.connect(self.server.url().replace("+psycopg", "")) as connection:
            connection.execute("CREATE TABLE commits (at timestamptz)")
            for _ in range(COMMITS):
                connection.execute("INSERT INTO commits VALUES (now())")
                begun = time.perf_counter()
                connection.commit()
                found.append(time.perf_counter() - begun)
        return statistics.median(found)

    def look_seconds(self) -> float:
        """What a look at one row takes, at the median."""
        found = []
        with psycopg.connect(self.server.url().replace("+psycopg", ""), autocommit=True) as connection:
            for number in range(LOOKS):
                begun = time.perf_counter()
                connection.execute("SELECT * FROM users WHERE id = %s", [number + 1])
                found.append(time.perf_counter() - begun)
        return statistics.median(found)

    def replayed_per_second(self) -> float:
        """Bytes of log that the server replays in a second, after it was killed."""
        with psycopg.connect(self.server.url().replace("+psycopg", ""), autocommit=True) as connection:
            found = connection.execute(UNREPLAYED).fetchone()
        replaying = self.started_again()
        with psycopg.connect(self.server.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CHECKPOINT")
        return float(found[0] if found else 0) / max(0.01, replaying - self.started_again())

    def started_again(self) -> float:
        """Seconds from when a killed server is started until it answers."""
        self.server.kill()
        while True:
            begun = time.perf_counter()
            try:
                self.server.start()
            except ConnectionFailed as problem:
                if "still in use" not in problem.message:
                    raise
                time.sleep(0.5)  # its processes end a moment after it
            else:
                return time.perf_counter() - begun

    def rates(self) -> dict[str, float]:
        """What a simulation is fed with, as far as it was measured: the figures of the largest table."""
        last = self.sized[-1]
        return {
            "rows_per_second": float(last.rows_per_second),
            "wal_bytes_per_row": float(last.wal_bytes_per_row),
            "heap_bytes_per_row": round(self.heap_bytes_per_row, 1),
            "heap_growth": round(last.heap_growth - 1, 2),
            "dead_per_row": round(self.dead_per_row, 2),
            "vacuum_rows_per_second": round(last.rows / max(last.vacuum_seconds, 0.01), 1),
            "verify_rows_per_second": round(last.rows / max(last.verify_seconds, 0.01), 1),
            "commit_seconds": round(self.commit_seconds(), 6),
            "look_seconds": round(self.look_seconds(), 6),
            "replay_bytes_per_second": round(self.replayed_per_second()),
        }


def measure(sizes: Sequence[int], *, rates: bool = True) -> dict[str, object]:
    """Measure all sizes, the smallest first.

    Args:
        rates: what a simulation is fed with, too; the server is killed for it, and has to replay the largest.
    """
    with tempfile.TemporaryDirectory() as folder, EmbeddedServer(settings=SERVER | LOG) as server:
        scale = Scale(server, Path(folder))
        for rows in sorted(sizes):
            scale.measure(rows)
        return {
            "server": f"PostgreSQL {server.binaries.major}",
            "sizes": [asdict(each) for each in scale.sized],
            "rates": scale.rates() if rates else {},
        }


def table(sizes: Sequence[dict[str, float]]) -> str:
    """The sizes as a table for the documentation."""
    heads = (
        "rows",
        "seconds",
        "rows/s",
        "seconds per million",
        "pages per row",
        "WAL bytes per row",
        "heap",
        "indexes",
        "verified in",
    )
    names = [name for name in Sized.__annotations__ if name != "vacuum_seconds"]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for each in sizes:
        cells = [f"{each[name]:,}" for name in names]
        cells[6:] = f"x {cells[6]}", f"x {cells[7]}", f"{cells[8]} s"
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", default="1000000,3000000,10000000", help="sizes, with commas between them")
    parser.add_argument("--format", choices=["text", "markdown", "json"], default="text")
    given = parser.parse_args()
    found = measure([int(size) for size in given.rows.split(",")], rates=given.format != "markdown")
    if given.format == "json":
        print(json.dumps(found, indent=2))
    else:
        print(table(found["sizes"]))  # type: ignore[arg-type]
    if given.format == "text":
        print("\n".join(f"{name:26} {value}" for name, value in found["rates"].items()))  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
