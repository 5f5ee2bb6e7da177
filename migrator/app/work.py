"""What a run tells, for those who measure it or keep a log: given to `migrator.api.apply(…, observer=…)`."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from migrator import events
from migrator.app import observing
from migrator.app.observing import Observer, observer
from migrator.app.phases import Known, reached, tell

if TYPE_CHECKING:
    from migrator.events import Event

logger = logging.getLogger("migrator.work")

QUIET = (events.BatchDone, events.StepProgress, events.Waiting)
"""Told so often that they are logged as details."""
LOUD = (
    events.LockRetried,
    events.RowFailed,
    events.NotChecked,
    events.Drifted,
    events.Reconnected,
    events.Unwatched,
    events.StepStopped,
)
"""Logged as warnings."""


def both(*listening: Callable[[Event], None]) -> Callable[[Event], None]:
    """One observer of a run that tells several."""

    def told(event: Event) -> None:
        for each in listening:
            each(event)

    return told


class Measured:
    """Tells an observer of `migrator.app` what happens in a run: metrics, and a span for each step.

    Args:
        to: who is told; whoever is set for the process (`set_observer`) by default.
    """

    def __init__(self, to: Observer | None = None) -> None:
        self._to = observing.Several(to) if to is not None else None
        self._revision = ""
        self._phase = ""
        self._span: AbstractContextManager[object] | None = None

    @property
    def to(self) -> Observer:
        return self._to or observer()

    def __call__(self, event: Event) -> None:
        match event:
            case events.PhaseStarted():
                self._revision, self._phase = event.revision, str(event.phase)
            case events.StepStarted():
                self._begin(event)
            case events.BatchDone():
                self.to.count(observing.BACKFILL_ROWS, event.rows, migration=self._revision)
                self.to.time(observing.BACKFILL_SECONDS, event.seconds, migration=self._revision)
            case events.StepProgress():
                self._remaining(event)
            case events.LockRetried():
                self.to.count(observing.LOCK_TIMEOUTS, migration=self._revision)
            case events.RowFailed():
                self.to.count(observing.BACKFILL_FAILED, migration=self._revision)
            case events.Paused() | events.Resumed():
                self.to.count(observing.PAUSED, event.seconds, migration=self._revision)
            case events.StepFinished():
                self._finish(event)
            case events.StepStopped():
                self._end("stopped")
            case events.StateChanged():
                tell([Known(event.revision, reached(event.state), event.state)], self.to)

    def _begin(self, event: events.StepStarted) -> None:
        self._close()
        self._revision, self._phase = event.revision, event.phase.value
        name = f"migrator {self._phase}"
        about = {"migration": event.revision, "phase": self._phase, "step": event.name}
        self._span = self.to.span(name, undoing=event.undoing, **about)
        self._span.__enter__()

    def _remaining(self, event: events.StepProgress) -> None:
        done, total, rows = event.progress.done, event.progress.total, event.progress.rows
        if done:
            left = rows * max(0, total - done) / done
            self.to.gauge(observing.BACKFILL_REMAINING, left, migration=event.revision)

    def _finish(self, event: events.StepFinished) -> None:
        self.to.time(observing.STEP_SECONDS, event.seconds, migration=event.revision, phase=event.phase.value)
        if event.lock_held_ms or event.lock_waited_ms:
            self.to.time(observing.LOCK_WAITS, event.lock_waited_ms / 1000, migration=event.revision)
        if event.lock_held_ms:
            self.to.time(observing.LOCK_HELD, event.lock_held_ms / 1000, migration=event.revision)
        self._end("done")

    def _end(self, outcome: str) -> None:
        self.to.count(observing.STEPS, migration=self._revision, phase=self._phase, outcome=outcome)
        self._close(RuntimeError("the step was stopped") if outcome == "stopped" else None)

    def _close(self, problem: Exception | None = None) -> None:
        span, self._span = self._span, None
        if span is not None:
            span.__exit__(type(problem) if problem else None, problem, None)


def logged(event: Event) -> None:
    """Log what happens in a run, to the logger `migrator.work`, with every fact as a field of the record.

    The fields are `event` (`step_finished`), `migration`, `step`, and those of the event itself.
    """
    level = logging.DEBUG if isinstance(event, QUIET) else logging.INFO
    level = logging.WARNING if isinstance(event, LOUD) else level
    if not logger.isEnabledFor(level):
        return
    facts = {KEYS.get(field.name, field.name): plain(getattr(event, field.name)) for field in fields(event)}
    kind = words(type(event).__name__)
    said = ", ".join(f"{name} {value}" for name, value in facts.items() if value not in ("", None, ()))
    logger.log(level, "%s: %s", kind.replace("_", " "), said, extra={"event": kind, **facts})


KEYS = {"name": "step", "revision": "migration", "words": "action"}
"""Names of fields that a record of the log has already, or that metrics have under another one."""


def plain(value: Any) -> Any:
    """A value that can be written as JSON."""
    if isinstance(value, str | int | float | bool | None):
        return value
    return [plain(each) for each in value] if isinstance(value, tuple) else str(value)


def words(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")
