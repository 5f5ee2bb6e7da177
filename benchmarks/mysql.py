"""How a backfill on MariaDB and MySQL compares with one big UPDATE: time, binary log, what users feel.

    python -m benchmarks.mysql [--rows 1000000] [--server mariadb] [--workers 2] [--commit-ms 15] [--format json]

Then how a table that is written again as a whole compares with pt-online-schema-change: see `mysql_copy`.

Both run on the same server, one after the other, on tables made by the same statements, with the same dual-write
triggers in place. The server writes a binary log, and waits for the disk at every commit; with `--commit-ms` it waits
that much longer, as for a slower disk or for the answer of a replica, and only the backfill is measured.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import show
from benchmarks.foreground import p99
from benchmarks.mysql_clients import MySQLForeground
from migrator import api, projects, settings
from migrator.embedded_mysql import PROGRAMS, EmbeddedMySQL, Program, found
from phases.model import Phase

REVISION = "rename"
MIGRATION = f'''"""Rename."""
from migrator import Migration, RenameColumn

revision, down_revision = "{REVISION}", None
migration = Migration(RenameColumn("users", "full_name", "name"))
upgrade, downgrade = migration.upgrade, migration.downgrade
'''
TABLE = """
CREATE TABLE users (
  id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  full_name varchar(80) NOT NULL,
  email varchar(80) NOT NULL,
  about text NOT NULL,
  visits integer NOT NULL DEFAULT 0,
  created_at datetime NOT NULL,
  UNIQUE KEY (email), KEY (created_at)
)
"""
DIGITS = " UNION ALL ".join(f"SELECT {digit} AS n" for digit in range(10))


def rows_of(count: int) -> str:
    """The INSERT of so many rows, with keys from 1."""
    places = range(len(str(count - 1)))
    number = " + ".join(f"d{place}.n * {10**place}" for place in places)
    tables = ", ".join(f"digits AS d{place}" for place in places)
    return (
        f"INSERT INTO users (id, full_name, email, about, created_at) WITH digits AS ({DIGITS}), numbers AS"
        f" (SELECT {number} + 1 AS i FROM {tables}) SELECT i, CONCAT('Some user number ', i),"
        " CONCAT('user', i, '@example.org'), REPEAT(LEFT(SHA2(i, 256), 32), 3),"
        f" TIMESTAMP('2020-01-01') + INTERVAL i MINUTE FROM numbers WHERE i <= {count} ORDER BY i"
    )


SERVER = {
    "log-bin": "binlog",
    "server-id": "1",
    "binlog-format": "ROW",
    "sync-binlog": "1",
    "innodb-flush-log-at-trx-commit": "1",
    "innodb-buffer-pool-size": "1G",
}

SLOW_COMMITS = {
    "mariadb": lambda ms: {"binlog-commit-wait-count": "1000", "binlog-commit-wait-usec": str(1000 * ms)},
    "mysql": lambda ms: {"binlog-group-commit-sync-delay": str(1000 * ms)},
}
"""Options of a server that waits so many milliseconds at every commit."""


@dataclass(frozen=True)
class Figures:
    """`ratio_to_single_update`: its seconds over ours. `minimal_binlog_*`: with
    `binlog_row_image = "minimal"`. `p99_*`: of foreground statements."""

    rows: int
    server: str
    workers: int
    single_update_seconds: float
    backfill_seconds: float
    ratio_to_single_update: float
    binlog_bytes_per_row: float
    single_update_binlog_bytes_per_row: float
    minimal_binlog_bytes_per_row: float
    minimal_ratio_to_single_update: float
    p99_before_ms: float
    p99_during_ms: float
    p99_ratio: float
    single_update_p99_during_ms: float
    longest_wait_ms: float
    single_update_longest_wait_ms: float


@dataclass(frozen=True)
class Alone:
    """One way to fill the table, with no other client about."""

    seconds: float
    binlog_bytes: int


class Bench:
    """One project on one server; every measurement starts from a table made anew."""

    def __init__(
        self,
        server: EmbeddedMySQL,
        folder: Path,
        rows: int,
        quiet_seconds: float,
        migration: str = MIGRATION,
        **options: str,
    ) -> None:
        self.server, self.rows, self.quiet_seconds = server, rows, quiet_seconds
        projects.write_setup(projects.plan_setup(folder))
        (folder / "migrations" / "versions" / f"{REVISION}.py").write_text(migration)
        # No rest between transactions: a busy machine would be taken for clients that feel them.
        given = {"database_url": server.url("shop"), "max_latency": "10s", **options}
        self.settings = settings.load(given, environ={}, directory=folder)

    def run(self, *statements: str, database: str | None = "shop") -> list[tuple[object, ...]]:
        """Run statements; returns the rows of the last one."""
        with self.server.connect(database=database) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def fresh(self, *, expanded: bool = True) -> None:
        """The table, filled and expanded, with nothing left to write to the disk."""
        made = "CREATE DATABASE shop CHARACTER SET utf8mb4"
        self.run("DROP DATABASE IF EXISTS shop", made, "FLUSH BINARY LOGS", database=None)
        self.run("SET SESSION sql_log_bin = 0", TABLE, rows_of(self.rows), "ANALYZE TABLE users")
        if expanded:
            api.apply(self.settings, phase=Phase.EXPAND)
        logs = self.run("SHOW BINARY LOGS")
        self.run(f"PURGE BINARY LOGS TO '{logs[-1][0]}'")
        self.run("FLUSH TABLES users FOR EXPORT", "UNLOCK TABLES")

    def binlog(self) -> int:
        return sum(int(str(row[1])) for row in self.run("SHOW BINARY LOGS"))

    def single_update(self) -> float:
        begun = time.perf_counter()
        self.run("UPDATE users SET name = full_name WHERE NOT (name <=> full_name)")
        return time.perf_counter() - begun

    def backfill(self) -> float:
        applied = api.apply(self.settings, phase=Phase.MIGRATE)
        return next(item.seconds for item in applied.outcomes if item.name.startswith("backfill"))

    def alone(self, work: Callable[[], float]) -> Alone:
        """What one way costs with no other client about; the log of a whole migrate phase is that of its backfill."""
        self.fresh()
        before = self.binlog()
        seconds = work()
        return Alone(seconds, self.binlog() - before)

    def felt(self, work: Callable[[], float]) -> tuple[list[float], list[float]]:
        """What a foreground client waited before and during some work."""
        self.fresh()
        return MySQLForeground(self.server, self.rows).felt(self.quiet_seconds, work)


def measure(program: Program, rows: int, quiet_seconds: float, workers: int = 1, commit_ms: int = 0) -> Figures:
    """Measure everything, on a server of our own."""
    options = {**SERVER, **(SLOW_COMMITS[program.family](commit_ms) if commit_ms else {})}
    with tempfile.TemporaryDirectory() as folder, EmbeddedMySQL(program, options) as server:
        bench = Bench(server, Path(folder), rows, quiet_seconds, workers=str(workers))
        # A-B-B-A: whatever warms up or wears off in the course of the run falls on both.
        ways = bench.single_update, bench.backfill, bench.backfill, bench.single_update
        a1, b1, b2, a2 = [bench.alone(way) for way in ways]
        single, ours = a1.seconds + a2.seconds, b1.seconds + b2.seconds
        bench.settings = replace(bench.settings, binlog_row_image="minimal")
        minimal = bench.alone(bench.backfill)
        bench.settings = replace(bench.settings, binlog_row_image="server")
        _, single_during = bench.felt(bench.single_update)
        before, during = bench.felt(bench.backfill)
        return Figures(
            rows,
            str(program),
            workers,
            round(single / 2, 2),
            round(ours / 2, 2),
            round(single / ours, 2),
            round(max(b1.binlog_bytes, b2.binlog_bytes) / rows, 1),
            round(min(a1.binlog_bytes, a2.binlog_bytes) / rows, 1),
            round(minimal.binlog_bytes / rows, 1),
            round(single / 2 / minimal.seconds, 2),
            round(p99(before), 2),
            round(p99(during), 2),
            round(p99(during) / p99(before), 1),
            round(p99(single_during), 2),
            round(max(during), 1),
            round(max(single_during), 1),
        )


def main() -> None:
    from benchmarks import mysql_copy

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--server", choices=list(PROGRAMS), help="by default, every one that is on the PATH")
    parser.add_argument("--workers", type=int, default=1, help="sessions that walk the table at once")
    parser.add_argument("--commit-ms", type=int, default=0, help="milliseconds that the server waits at each commit")
    parser.add_argument("--quiet-seconds", type=float, default=5.0, help="how long to watch before the work")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    given = parser.parse_args()
    programs = [found(family) for family in ([given.server] if given.server else PROGRAMS)]
    here = [program for program in programs if program]
    if not here:
        print("neither mariadbd nor mysqld is on the PATH: nothing measured")
    for program in here:
        figures = measure(program, given.rows, given.quiet_seconds, given.workers, given.commit_ms)
        show(asdict(figures), given.format)
        if not given.commit_ms:
            show(mysql_copy.measure(program, given.rows), given.format)


if __name__ == "__main__":
    main()
