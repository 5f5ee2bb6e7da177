"""Projects for the tests: a folder with revisions, and the verbs run against a database."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest

from migrator import api, settings
from migrator.errors import PlanRefused
from migrator.events import Event
from phases.model import Phase
from tests.plugins.warm import Warm

ROOT = Path(__file__).parents[2]
OVERRIDE = api.Override("a test")


@cache
def warm() -> Warm:
    """The server of this test process, while it lives."""
    server = Warm(ROOT)
    atexit.register(server.close)
    return server


@dataclass
class Project:
    """A script directory and, once given, a database."""

    folder: Path
    url: str | None = None
    seen: list[Event] = field(default_factory=list)
    last: str | None = None

    def revision(self, name: str, operations: str, *, down: object = ..., extra: str = "") -> str:
        """Write a revision that builds on the last one unless `down` says otherwise."""
        below = self.last if down is ... else down
        text = (
            f'"""{name}"""\nimport sqlalchemy as sa\nfrom migrator import *\n\nrevision = {name!r}\n'
            f"down_revision = {below!r}\n{extra}\nmigration = Migration({operations})\n"
            "upgrade, downgrade = migration.upgrade, migration.downgrade\n"
        )
        (self.folder / "migrations" / "versions" / f"{name}.py").write_text(text)
        self.last = name
        return name

    @property
    def settings(self) -> settings.Settings:
        return settings.load({"database_url": self.url}, environ={}, directory=self.folder)

    def apply(self, phase: str | None = None, to: str | None = None, **options: object) -> api.Applied:
        chosen = Phase(phase) if phase else None
        override = OVERRIDE if phase in ("contract", "purge") else None
        return api.apply(self.settings, phase=chosen, to=to, override=override, observer=self.seen.append, **options)

    def abort(self, revision: str, **options: bool) -> None:
        api.abort(self.settings, revision, observer=self.seen.append, **options)

    def restore(self, revision: str) -> None:
        api.restore(self.settings, revision, observer=self.seen.append)

    def plan(self, revision: str) -> list[object]:
        """Steps of a revision that are still to do."""
        found = [item for item in api.plan(self.settings).revisions if item.revision == revision]
        return [step for item in found for step in item.remaining]

    def refused_otherwise(self, wanted: Mapping[str, tuple[str, str]]) -> list[tuple[str, str, str | None]]:
        """Operations that are planned, or refused without these words in the message and in the remedy."""
        found = []
        for operation, words in wanted.items():
            self.revision("change", operation, down=None)
            said: tuple[str, str | None] = ("it is planned", "")
            try:
                self.plan("change")
            except PlanRefused as refusal:
                said = (refusal.message, refusal.next_step)
            if not all(word in (text or "") for word, text in zip(words, said, strict=True)):
                found.append((operation, *said))
        return found

    def states(self) -> dict[str, str]:
        return {item.revision: item.state for item in api.status(self.settings).revisions}

    def environment(self, **extra: str) -> dict[str, str]:
        url = {"MIGRATOR_DATABASE_URL": self.url} if self.url else {}
        return {**os.environ, "PYTHONPATH": str(ROOT), **url, **extra}

    def cli(self, *words: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run the command line as a user does, in a process of its own."""
        return warm().run(words, self.folder, self.environment(**extra))

    @contextmanager
    def begun(self, *words: str, **extra: str) -> Iterator[subprocess.Popen[str]]:
        """A command that is under way; killed at the end, where it still is."""
        command = [sys.executable, "-m", "migrator", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        with subprocess.Popen(command, cwd=self.folder, env=self.environment(**extra), **pipes) as runner:
            try:
                yield runner
            finally:
                runner.kill()

    def alembic(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run Alembic's command line, in a process of its own."""
        return warm().run(words, self.folder, self.environment(), program="alembic.config")

    def json(self, *words: str) -> dict:
        done = self.cli(*words, "--format", "json")
        return json.loads(done.stdout)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project without a database."""
    (tmp_path / "migrations" / "versions").mkdir(parents=True)
    (tmp_path / "migrations" / "env.py").write_text((ROOT / "migrator/templates/env.py.txt").read_text())
    (tmp_path / "pyproject.toml").write_text(
        '[tool.migrator]\n\n[tool.alembic]\nscript_location = "%(here)s/migrations"\n'
    )
    return Project(tmp_path)
