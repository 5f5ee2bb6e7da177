"""The story of the demo: one rename, from the first plan to the purge, under load the whole time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator import api, projects
from migrator.database import connect
from migrator.demo.process import Application, Journal, Load
from migrator.demo.servers import STARTS, Stage
from migrator.errors import MigratorError, NotYet
from migrator.events import Observer
from migrator.execution import Outcome
from migrator.settings import Settings, load
from phases.gate_facts import Verdict
from phases.model import Phase

ROWS = 200_000
BOTH_LIVE_SECONDS = 4.0
FIRST, SECOND = "1a_create_users", "2b_rename_full_name"
OLD, NEW = "1.0", "2.0"

CREATE = f'''"""Create users."""
from migrator import Column, CreateTable, Migration

revision = "{FIRST}"
down_revision = None

migration = Migration(
    CreateTable(
        "users",
        Column("id", "bigint", primary_key=True, identity="BY DEFAULT"),
        Column("full_name", "varchar(80)", nullable=False),
        Column("email", "varchar(80)", unique=True),
        Column("visits", "integer", nullable=False, default="0"),
    ),
)
upgrade, downgrade = migration.upgrade, migration.downgrade
'''

RENAME = f'''"""Rename users.full_name to users.name."""
from migrator import Migration, RenameColumn

revision = "{SECOND}"
down_revision = "{FIRST}"

migration = Migration(
    RenameColumn("users", "full_name", "name"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade
'''

INDEX = "CREATE INDEX users_full_name_idx ON users (full_name)"


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured. `waits`: milliseconds; `rows`: compared, of which `differences` were not as they must be."""

    server: str
    seconds: float
    statements: int
    failed_statements: int
    max_wait_ms: float
    lock_timeout_ms: int
    versions: tuple[Load, ...]
    rows: int
    differences: int
    steps: tuple[Outcome, ...]
    gate: Verdict


Tell = Callable[[str, str], None]
"""Told the command that a user would type (or nothing) and what came of it."""


class Story:
    """The demo, scene after scene.

    Args:
        folder: for the project; on a temporary disk.
        stage: a server that is running.
        rows: of the table at the beginning.
        tell: told each scene.
        show_gate: told the verdict of the gate.
        observer: told what a run does.
    """

    def __init__(
        self,
        folder: Path,
        stage: Stage,
        rows: int,
        tell: Tell,
        show_gate: Callable[[str, Verdict], None],
        observer: Observer,
    ) -> None:
        self.folder, self.stage, self.rows = folder, stage, rows
        self.tell, self.show_gate, self.observer = tell, show_gate, observer
        self.steps: list[Outcome] = []
        self.journal = Journal()
        self.loads = Load(OLD), Load(NEW)

    @property
    def settings(self) -> Settings:
        return load({"database_url": self.stage.url}, environ={}, directory=self.folder)

    def application(self, slot: int, column: str) -> Application:
        return Application(self.stage.url, column, self.rows, slot, self.loads[slot], self.journal)

    def apply(self, phase: Phase | None = None, reason: str | None = None) -> None:
        override = api.Override(reason) if reason else None
        to = SECOND if phase else None
        done = api.apply(self.settings, phase=phase, to=to, override=override, observer=self.observer)
        self.steps += done.outcomes

    def play(self) -> Report:
        """Play it all."""
        begun = time.monotonic()
        self.prepare()
        with ExitStack() as stack:
            old = stack.enter_context(self.application(0, "full_name"))
            new = self.application(1, "name")
            stack.push(new)
            self.expand_and_migrate()
            compared = self.release(old, new)
            verdict = self.contract()
            self.restore(old)
            compared = max(compared, self.finish())
            new.stop()
        rows, differences = self.compare()
        return Report(
            server=self.stage.server,
            seconds=time.monotonic() - begun,
            statements=sum(item.statements for item in self.loads),
            failed_statements=sum(item.failed for item in self.loads),
            max_wait_ms=max(item.max_wait_ms for item in self.loads),
            lock_timeout_ms=max(self.settings.lock_timeout_ms, self.stage.wait_ms),
            versions=self.loads,
            rows=max(rows, compared),
            differences=differences,
            steps=tuple(self.steps),
            gate=verdict,
        )

    def prepare(self) -> None:
        """A project with a table in use."""
        projects.write_setup(projects.plan_setup(self.folder))
        versions = self.folder / "migrations" / "versions"
        (versions / f"{FIRST}.py").write_text(CREATE)
        api.apply(self.settings)
        with connect(self.stage.url, "demo") as session:
            for statement in (self.stage.fill.format(rows=self.rows), INDEX, self.stage.analyse):
                session.alone(statement)
        self.tell("", f"table users has {self.rows} rows; shop {OLD} reads and writes users.full_name")
        api.deploy_record(self.settings, self.build(OLD, FIRST))
        (versions / f"{SECOND}.py").write_text(RENAME)

    def build(self, version: str, shape: str) -> api.Build:
        return api.Build("shop", version, shape=shape)

    def expand_and_migrate(self) -> None:
        self.tell('migrator new "Rename users.full_name to users.name"', RENAME.split('"""')[2].strip())
        plan = api.plan(self.settings)
        count = len(plan.revisions[-1].steps)
        self.tell("migrator plan", f"{count} steps: {', '.join(step.step.name for step in plan.revisions[-1].steps)}")
        self.refused("migrator deploy start --app shop --version 2.0", lambda: self.start_new())
        self.tell("migrator apply", "")
        self.apply()

    def start_new(self) -> None:
        api.deploy_start(self.settings, self.build(NEW, SECOND))

    def refused(self, command: str, attempt: Callable[[], Any]) -> None:
        try:
            attempt()
        except NotYet as refusal:
            self.tell(command, f"exit {refusal.exit_code}: {refusal.message}")
        else:
            raise MigratorError(f"{command} should have been refused")

    def release(self, old: Application, new: Application) -> int:
        """Both versions live, then the new one alone; returns the rows compared while both were."""
        self.start_new()
        new.start()
        self.tell("migrator deploy start --app shop --version 2.0", "both versions are live")
        time.sleep(BOTH_LIVE_SECONDS)
        compared = self.verify()
        old.stop()
        api.deploy_finish(self.settings, "shop", "production", NEW, "succeeded")
        self.tell("migrator deploy finish --app shop --status succeeded", f"shop {OLD} is stopped")
        return compared

    def verify(self) -> int:
        compared = sum(item.rows for item in api.verify(self.settings, SECOND))
        self.tell("migrator verify", f"{compared} rows compared under load, 0 differ")
        return compared

    def contract(self) -> Verdict:
        verdict = api.gate(self.settings, SECOND)[SECOND]
        self.show_gate(SECOND, verdict)
        self.override("the demo cannot wait for a day")
        return verdict

    def override(self, reason: str) -> None:
        self.tell(f'migrator apply --phase contract --to {SECOND} --override --reason "{reason}"', "")
        self.apply(Phase.CONTRACT, reason)

    def restore(self, old: Application) -> None:
        """Back to the old version, which works again, then forward for good."""
        self.tell(f"migrator restore {SECOND}", "")
        self.steps += api.restore(self.settings, SECOND, observer=self.observer).outcomes
        api.deploy_start(self.settings, self.build(OLD, FIRST))
        old.start()
        self.tell("migrator deploy start --app shop --version 1.0", f"shop {OLD} is live again beside {NEW}")
        time.sleep(BOTH_LIVE_SECONDS / 2)
        old.stop()
        api.deploy_finish(self.settings, "shop", "production", OLD, "rolled_back")

    def finish(self) -> int:
        compared = self.verify()
        self.override("the demo shows it twice")
        self.tell(f'migrator apply --phase purge --to {SECOND} --override --reason "…"', "")
        self.apply(Phase.PURGE, "nobody needs the demo's data")
        time.sleep(BOTH_LIVE_SECONDS / 4)
        return compared

    def compare(self) -> tuple[int, int]:
        """Every row that is left against what the applications wrote."""
        with connect(self.stage.url, "demo") as session:
            found = dict(row for row in session.query("SELECT id, name FROM users"))
            visits = session.query("SELECT sum(visits) FROM users")[0][0]
            changed = {row for row, name in found.items() if name != f"User {row}"}
        unwritten = len(changed - set(self.journal.names))
        return len(found), self.journal.differences(found, int(visits)) + unwritten


def run(
    database: str,
    rows: int,
    tell: Tell,
    show_gate: Callable[[str, Verdict], None],
    observer: Observer,
) -> Report:
    """Start a server, play the story, and throw everything away.

    Args:
        database: `postgresql`, `mariadb` or `mysql`.

    Raises:
        ConnectionFailed: there is no such server on this machine.
    """
    with tempfile.TemporaryDirectory(prefix="migrator-demo-") as folder, STARTS[database]() as stage:
        return Story(Path(folder), stage, rows, tell, show_gate, observer).play()
