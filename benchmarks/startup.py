"""What starting costs: `migrator --help` in CPU time, `migrator plan` on 500 revisions in seconds.

python -m benchmarks.startup [--format json]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from benchmarks import show
from migrator import projects
from migrator.embedded import EmbeddedServer

REVISIONS = 500
RUNS = 7


@dataclass(frozen=True)
class Figures:
    """Medians of several runs."""

    help_cpu_ms: float
    python_alone_cpu_ms: float
    plan_500_revisions_seconds: float


def cpu_ms(runs: int, *command: str) -> float:
    """User and system time of a child, median of several runs."""
    spent = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append((after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) * 1000)
    return statistics.median(spent)


def write_revisions(folder: Path, count: int) -> None:
    versions = folder / "migrations" / "versions"
    for number in range(count):
        below = f'"r{number - 1:03}"' if number else "None"
        (versions / f"r{number:03}.py").write_text(
            f'"""Add column {number}."""\nfrom migrator import AddColumn, Migration\n\n'
            f'revision, down_revision = "r{number:03}", {below}\n'
            f'migration = Migration(AddColumn("users", "column_{number}", "integer"))\n'
            "upgrade, downgrade = migration.upgrade, migration.downgrade\n"
        )


def plan_seconds(runs: int) -> float:
    with tempfile.TemporaryDirectory() as name, EmbeddedServer() as server:
        folder = Path(name)
        projects.write_setup(projects.plan_setup(folder))
        write_revisions(folder, REVISIONS)
        with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE TABLE users (id bigint PRIMARY KEY)")
        command = [sys.executable, "-m", "migrator", "plan", "--format", "json", "--database-url", server.url()]
        spent = []
        for _ in range(runs):
            begun = time.perf_counter()
            done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
            spent.append(time.perf_counter() - begun)
        if len(json.loads(done.stdout)["revisions"]) != REVISIONS:
            raise SystemExit("the plan does not have every revision")
        return statistics.median(spent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--format", choices=["text", "json"], default="text")
    parser.add_argument("--runs", type=int, default=RUNS, help="of each command; the medians are printed")
    given = parser.parse_args()
    figures = asdict(
        Figures(
            round(cpu_ms(given.runs, sys.executable, "-m", "migrator", "--help")),
            round(cpu_ms(given.runs, sys.executable, "-c", "pass")),
            round(plan_seconds(min(given.runs, 3)), 2),
        )
    )
    show(figures, given.format)


if __name__ == "__main__":
    main()
