"""How RebuildTable compares with pt-online-schema-change on the same table: time, and what users feel.

Both convert the table to another collation, up to and with the exchange of the two tables: for the time with no other
client about (who keeps a client waiting is faster for it), then beside one that reads and writes the table. Ours
compares every row of both besides, which the other does not do: that is a figure of its own.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

from benchmarks.foreground import p99
from benchmarks.mysql import REVISION, SERVER, Bench
from benchmarks.mysql_clients import MySQLForeground
from migrator import api
from migrator.embedded_mysql import EmbeddedMySQL, Program
from migrator.events import Event, StepStarted
from phases.model import Phase

COLLATION = "utf8mb4_unicode_ci"
MIGRATION = f'''"""Rebuild."""
from migrator import Migration, RebuildTable

revision, down_revision = "{REVISION}", None
migration = Migration(RebuildTable("users", collation="{COLLATION}"))
upgrade, downgrade = migration.upgrade, migration.downgrade
'''
OTHER = "pt-online-schema-change"
SETTLING_SECONDS = 1.0


@dataclass
class Taken:
    """What the runs of one way took with no client about, and what a client met in another run."""

    seconds: list[float] = field(default_factory=list)
    verifying: list[float] = field(default_factory=list)
    waits_ms: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    beside: float = 0.0
    """Seconds of the run beside the client."""

    def felt(self, name: str) -> dict[str, object]:
        return {
            f"{name}_p99_ms": round(p99(self.waits_ms), 2),
            f"{name}_longest_wait_ms": round(max(self.waits_ms), 1),
            f"{name}_statements_per_second": round(len(self.waits_ms) / self.beside),
            f"{name}_failed_statements": len(self.failures),
        }


class Watch:
    """Adds up what comparisons take: from the beginning of one to the first event that is not of it."""

    def __init__(self) -> None:
        self.verifying = 0.0
        self.name, self.since = "", 0.0

    def __call__(self, event: Event) -> None:
        at = time.perf_counter()
        if self.name and getattr(event, "name", "") != self.name:
            self.verifying += at - self.since
            self.name = ""
        if isinstance(event, StepStarted) and event.name.startswith("verify"):
            self.name, self.since = event.name, at


class Copying(Bench):
    """The same table, written again."""

    def ours(self) -> tuple[float, float]:
        """Seconds of everything but the comparisons, and of these, which are three."""
        watch = Watch()
        begun = time.perf_counter()
        api.apply(self.settings, observer=watch)
        override = api.Override("a benchmark")
        api.apply(self.settings, phase=Phase.CONTRACT, to=REVISION, override=override, observer=watch)
        return time.perf_counter() - begun - watch.verifying, watch.verifying

    def other(self) -> tuple[float, float]:
        """The other tool, as it comes; no replica is asked."""
        alter = f"CONVERT TO CHARACTER SET utf8mb4 COLLATE {COLLATION}"
        command = [OTHER, "--execute", "--recursion-method=none", "--alter", alter]
        begun = time.perf_counter()
        done = subprocess.run(
            [*command, f"S={self.server.address},u=root,D=shop,t=users"], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise RuntimeError((done.stderr + done.stdout).strip().splitlines()[-1])
        return time.perf_counter() - begun, 0.0

    def without_a_client(self, name: str, taken: Taken) -> None:
        self.fresh(expanded=False)
        seconds, verifying = getattr(self, name)()
        taken.seconds.append(seconds)
        taken.verifying.append(verifying)
        self.check(name)

    def beside_a_client(self, name: str, taken: Taken) -> None:
        self.fresh(expanded=False)
        client = MySQLForeground(self.server, self.rows)
        client.start()
        time.sleep(SETTLING_SECONDS)
        client.taken()
        begun = time.perf_counter()
        try:
            getattr(self, name)()
        finally:
            client.stop()
        taken.beside = time.perf_counter() - begun
        taken.waits_ms, taken.failures = client.taken(), client.failures
        self.check(name)

    def check(self, name: str) -> None:
        found = self.run("SELECT COUNT(*), MIN(COLLATION(full_name)) FROM users")
        if found != [(self.rows, COLLATION)]:
            raise RuntimeError(f"{name} left {found}")


def measure(program: Program, rows: int) -> dict[str, object]:
    """Measure both, on a server of our own; ours alone where the other is missing or does not run."""
    ours, other = Taken(), Taken()
    with tempfile.TemporaryDirectory() as folder, EmbeddedMySQL(program, SERVER) as server:
        bench = Copying(server, Path(folder), rows, 0.0, MIGRATION)
        # A-B-B-A: whatever warms up or wears off in the course of the run falls on both.
        reason = tried(bench.without_a_client, other, program)
        bench.without_a_client("ours", ours)
        bench.without_a_client("ours", ours)
        reason = reason or tried(bench.without_a_client, other, program) or tried(bench.beside_a_client, other, program)
        bench.beside_a_client("ours", ours)
    figures: dict[str, object] = {
        "rebuild_rows": rows,
        "rebuild_seconds": round(mean(ours.seconds), 2),
        "rebuild_verifying_seconds": round(mean(ours.verifying), 2),
        **ours.felt("rebuild"),
    }
    if reason:
        return {**figures, "pt_osc": reason}
    return {
        **figures,
        "pt_osc_seconds": round(mean(other.seconds), 2),
        "ratio_to_pt_osc": round(mean(other.seconds) / mean(ours.seconds), 2),
        **other.felt("pt_osc"),
    }


def tried(run: Callable[[str, Taken], None], taken: Taken, program: Program) -> str:
    """Run the other tool; returns why it could not be, if so."""
    if not shutil.which(OTHER):
        return f"{OTHER} is not installed (Debian: percona-toolkit)"
    try:
        run("other", taken)
    except RuntimeError as problem:
        return f"{OTHER} does not run on {program}: {problem}"
    return ""
