"""What a run shows while it runs: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from migrator.cli.render import note

if TYPE_CHECKING:
    from migrator.events import Event, Observer

LINE_EVERY = 5.0
"""Seconds between plain progress lines."""


def observer_for(form: str) -> Observer:
    """The observer that suits where the output goes."""
    from migrator.events import ignore

    if form == "json":
        return ignore
    return Bars() if sys.stderr.isatty() else Lines()


@contextmanager
def measuring(form: str, port: int | None) -> Iterator[Observer]:
    """The same; where a port is given, metrics are served there meanwhile."""
    shown = observer_for(form)
    if port is None:
        yield shown
        return
    from migrator.app import Measured, both
    from migrator.app.metrics import served

    with served(port) as metrics:
        yield both(shown, Measured(metrics))


class Lines:
    """Plain lines, one a step, and one every few seconds of a long one."""

    def __init__(self) -> None:
        self.said = self.begun = time.monotonic()
        self.waits = ""
        """The name of what waits for a replica."""

    def __call__(self, event: Event) -> None:
        from migrator import events
        from phases.staffing import counted

        match event:
            case events.PhaseStarted():
                note(f"{event.revision}: {event.phase}")
            case events.StepStarted():
                self.said = self.begun = time.monotonic()
            case events.StepProgress():
                self.progress(event)
            case events.LockRetried():
                held = f"; held by {event.blockers[0]}" if event.blockers else ""
                note(f"  lock not granted, try {event.attempt}, next in {event.wait:.1f} s{held}", fg="yellow")
            case events.RowFailed():
                note(f"  set aside: {event.row}", fg="yellow")
            case events.NotChecked():
                note(f"  not checked in {event.seconds:g} s: whether {event.problem}", fg="yellow")
                note(f"  {event.backstop} will find out", fg="yellow")
            case events.Drifted():
                note(f"  changed by hand: {event.part}\n    was: {event.was}\n    is:  {event.found}", fg="yellow")
            case events.Paused():
                note(f"  waiting {event.seconds:.1f} s: {event.reason}", fg="yellow")
            case events.Waiting():
                self.waiting(event)
            case events.Resumed():
                self.waits = ""
                note(f"  going on after {event.seconds:.0f} s")
            case events.Reconnected():
                self.waits = ""
                said = f": {event.said}" if event.said else ""
                note(f"  connected again after {event.seconds:.1f} s{said}", fg="yellow")
            case events.Slowed():
                said = f"rests {event.rest:g} x as long as it writes: {event.reason}" if event.rest else "at full speed"
                note(f"  {said}", fg="yellow")
            case events.Staffed():
                why = f": {event.reason}" if event.reason else ""
                note(f"  {counted(event.workers)}{why}", fg="yellow")
            case events.Vacuumed():
                note(f"  {vacuumed(event)}", fg="yellow" if event.problem else None)
            case events.Unwatched():
                note(f"  batches do not wait for replicas: {event.reason}; {event.remedy}", fg="yellow")
            case events.Unjudged():
                note(f"  batches go on: {event.reason}", fg="yellow")
            case events.LoggedAsSet():
                note(f"  rows are logged as the server is set: {event.reason}", fg="yellow")
            case events.StepFinished():
                note(f"  {'undo: ' if event.undoing else ''}{event.name}: {cost(event)}")
            case events.StateChanged(state="aborting" | "restoring"):
                note(f"{event.revision}: {event.state}")

    def waiting(self, event: Any) -> None:
        if self.waits == event.name and time.monotonic() - self.said < LINE_EVERY:
            return
        self.waits, self.said = event.name, time.monotonic()
        note(f"  paused: {event.reason}", fg="yellow")

    def progress(self, event: Any) -> None:
        if time.monotonic() - self.said < LINE_EVERY:
            return
        self.said = time.monotonic()
        step = event.progress
        share = step.done / step.total if step.total else 1.0
        spent = time.monotonic() - self.begun
        left = f", ETA {spent / share - spent:.0f} s" if share else ""
        note(f"  {event.name}: {100 * share:.0f} %, {step.rows} rows, {step.rows / spent:.0f} rows/s{left}")


def cost(event: Any) -> str:
    parts = [f"{event.seconds:.2f} s"]
    if event.rows:
        parts.append(f"{event.rows} rows")
    if event.lock_held_ms:
        parts.append(f"lock held {event.lock_held_ms:.1f} ms")
    if event.lock_at_most_ms:
        parts.append(f"longest lock at most {event.lock_at_most_ms:.1f} ms")
    if event.online:
        parts.append("the rest online" if event.lock_at_most_ms else "online")
    return ", ".join(parts)


def vacuumed(event: Any) -> str:
    if event.problem:
        return f'"{event.table}" was not vacuumed: {event.problem}'
    if event.seconds is None:
        return f'"{event.table}" has {event.dead:,} dead rows, and autovacuum is off for it: it is vacuumed meanwhile'
    return f'"{event.table}" was vacuumed in {event.seconds:.0f} s; {event.dead:,} dead rows are left'


class Bars(Lines):
    """The same, with a bar for backfills and verifications."""

    def __init__(self) -> None:
        super().__init__()
        self.bar: Any = None
        self.task: Any = None

    def __call__(self, event: Event) -> None:
        from migrator import events

        calm = events.StepStarted | events.StepProgress | events.BatchDone | events.PhaseStarted | events.StateChanged
        if not isinstance(event, calm | events.NotChecked):  # what says something between two states of the bar
            self.stop()
        super().__call__(event)

    def progress(self, event: Any) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        step = event.progress
        if self.bar is None:
            columns = (
                TextColumn("  {task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %  {task.fields[rows]} rows  {task.fields[rate]}/s  ETA"),
                TimeRemainingColumn(),
            )
            self.bar = Progress(*columns, console=Console(stderr=True), transient=True)
            self.bar.start()
            self.begun = time.monotonic()
            self.task = self.bar.add_task(event.name, total=step.total, rows=0, rate=0)
        spent = max(time.monotonic() - self.begun, 0.001)
        self.bar.update(self.task, completed=step.done, rows=step.rows, rate=int(step.rows / spent))

    def stop(self) -> None:
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
