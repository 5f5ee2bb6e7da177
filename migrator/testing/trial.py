"""Live through a migration with the statements of two versions at work: out, back, out again, and through."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from migrator import api
from migrator.events import Event, StepFinished, StepProgress, StepStarted
from migrator.testing.journal import Journal
from migrator.testing.statements import Client, Statement, Traffic
from phases.model import Phase, Verify

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from migrator.planning import RevisionPlan
    from migrator.settings import Settings

OLD, NEW = "old", "new"
PROBES = 10
"""Batches of one backfill between which every statement is run."""

OVERRIDE = api.Override("a test: both versions are its own")
BEFORE = "before the revision"
BOTH = "while both versions are live"


class Trial:
    """One migration on one database, and two versions at work on it.

    Args:
        settings: with the database, which is as it was before the revision.
        does: the statements of each version.
        engine: makes the engine of a version, from the URL.
        patience_ms: how long a statement may wait for a lock.
        concurrent: whether statements are also run while a step is under way.
    """

    def __init__(
        self,
        settings: Settings,
        revision: str,
        does: Mapping[str, Sequence[Statement]],
        engine: Callable[[str], Engine],
        patience_ms: int,
        *,
        concurrent: bool,
    ) -> None:
        self.settings, self.revision, self.does = settings, revision, does
        self.journal = Journal(revision, does)
        self.engines = {version: engine(settings.require_url()) for version in does}
        self.patience_ms, self.concurrent = patience_ms, concurrent
        self.clients: dict[str, Client] = {}
        self.traffic: dict[str, Traffic] = {}
        self.probes: dict[str, int] = {}
        self.verb = ""

    def start(self, version: str) -> None:
        """A version goes live: one connection for rounds between steps, and one that is always at work."""
        self.clients[version] = self.client(version)
        if self.concurrent:
            self.traffic[version] = Traffic(self.client(version), partial(self.journal.round, version))
            self.traffic[version].start()

    def client(self, version: str) -> Client:
        return Client(self.engines[version], self.does[version], self.patience_ms)

    def stop(self, version: str) -> None:
        """The last process of a version is gone."""
        if version in self.traffic:
            self.traffic.pop(version).stop()
        if version in self.clients:
            self.clients.pop(version).close()

    def close(self) -> None:
        for version in list(self.clients):
            self.stop(version)
        for engine in self.engines.values():
            engine.dispose()

    def round(self, moment: str = "") -> None:
        """Every live version runs every statement of its once."""
        if moment:
            self.journal.begin(moment)
        for version, client in self.clients.items():
            self.journal.round(version, client.round)

    def watch(self, event: Event) -> None:
        """Told what happens in a run: a moment for each step, and rounds after it and between batches."""
        match event:
            case StepStarted() if event.revision == self.revision:
                self.journal.begin(f"during {self.named(event)}")
            case StepProgress() if event.revision == self.revision:
                self.probes[event.name] = self.probes.get(event.name, 0) + 1
                if self.probes[event.name] <= PROBES:
                    self.round()
            case StepFinished() if event.revision == self.revision:
                self.round(f"after {self.named(event)}")

    def named(self, event: StepStarted | StepFinished) -> str:
        return f"{self.verb or event.phase}: {event.name}"

    @contextmanager
    def under(self, verb: str) -> Iterator[None]:
        """Name the moments of a stretch by what is done in it, where that is no phase."""
        self.verb = verb
        try:
            yield
        finally:
            self.verb = ""

    def plan(self) -> RevisionPlan:
        """What the revision does.

        Raises:
            PlanRefused: it cannot be done safely.
        """
        found = api.plan(self.settings, self.revision).revisions
        return next(item for item in found if item.revision == self.revision)

    def apply(self, phase: Phase | None = None) -> None:
        self.probes.clear()
        override = OVERRIDE if phase in (Phase.CONTRACT, Phase.PURGE) else None
        api.apply(self.settings, phase=phase, to=self.revision, override=override, observer=self.watch)

    def forward(self, new_from: str) -> None:
        """Expand and migrate, with the old version live and the new one from when it may be; then both."""
        self.apply(Phase.EXPAND)
        if new_from == "expand":
            self.start(NEW)
        self.apply(Phase.MIGRATE)
        if NEW not in self.clients:
            self.start(NEW)
        self.round(BOTH)
        self.round(BOTH)

    def there_and_back(self, new_from: str) -> None:
        """A release that is given up: the new version goes, the revision is taken back, the old one goes on."""
        self.forward(new_from)
        self.stop(NEW)
        with self.under("abort"):
            api.abort(self.settings, self.revision, discard=True, observer=self.watch)
        self.round("after the abort")

    def through(self, plan: RevisionPlan, *, back: bool) -> None:
        """The old version goes; contract, the way back to it, contract again, purge."""
        if any(isinstance(step.step, Verify) for step in plan.steps):
            self.verify()
        self.stop(OLD)
        if plan.of(Phase.CONTRACT):
            self.apply(Phase.CONTRACT)
            if back:
                self.back_from_contract()
        if plan.of(Phase.PURGE):
            self.apply(Phase.PURGE)
        self.round("after the last phase")
        self.stop(NEW)

    def back_from_contract(self) -> None:
        with self.under("restore"):
            api.restore(self.settings, self.revision, observer=self.watch)
        self.start(OLD)
        self.round("after the restore")
        self.stop(OLD)
        self.apply(Phase.CONTRACT)

    def verify(self) -> None:
        """Every row is the same in the old and the new shape.

        Raises:
            VerificationFailed: some are not.
        """
        self.journal.begin("when rows are compared")
        api.verify(self.settings, self.revision)
