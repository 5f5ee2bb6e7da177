"""When a batch may be begun: one after another on the runner's own session, or of several workers under one eye."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from phases.model import Fill

if TYPE_CHECKING:
    from migrator.governing import Governor
    from migrator.ledger.records import StepRecord
    from migrator.pressure import Pressure
    from migrator.replication import Watch
    from migrator.step_cost import Measured

SHARE = 0.025
"""Of the rows of a second, what one batch may have where their number is limited: a batch that writes all of them at
once leaves the next commit of others so much log to wait for."""
MOMENT = 0.2
"""Seconds after which somebody who waits looks whether all is to end."""


@dataclass
class OwnTurn:
    """The runner works itself, and looks before each batch; `migrator.batches.Turn` says what is asked."""

    record: StepRecord
    measured: Measured
    replicas: Watch
    pressure: Pressure
    governor: Governor

    @contextmanager
    def batch(self) -> Iterator[None]:
        assert isinstance(self.record.step, Fill)
        late = self.replicas.follow(self.record.name)
        piled = self.pressure.follow(self.record.name, self.record.step.table)
        self.measured.wait(late, piled, self.governor.wait(self.record))
        yield

    def hold(self) -> None:
        self.governor.hold(self.record)

    def wrote(self, rows: int, seconds: float, commit: float, *, blocked: bool) -> None:
        self.measured.changed += rows
        rest = self.governor.wrote(rows, seconds, commit, blocked=blocked)
        if rest:
            self.governor.pause(rest)
        self.measured.paused += rest

    @property
    def most_rows(self) -> float | None:
        rate = self.governor.control.rows_per_second
        return rate * SHARE if rate is not None else None

    @property
    def room(self) -> int | None:
        return self.governor.pruning.room.batches

    @property
    def hurries(self) -> bool:
        """Whether nobody limits the rate, and those who use the database feel nothing of it."""
        return self.most_rows is None and not self.governor.grading.rest


class Stopped(Exception):
    """All workers are to end: one has failed, or the run is interrupted."""


class Watcher(Protocol):
    """Whoever looks whether batches may be begun, and waits where not."""

    pause: Callable[[float], None]


class Gate:
    """Lets workers begin batches while it is open, and knows how many are at one."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.open = True
        self.busy = 0
        self.stopped = False

    @contextmanager
    def batch(self) -> Iterator[None]:
        """Wait until it is open.

        Raises:
            Stopped: nothing more is to be begun.
        """
        with self.changed:
            self.changed.wait_for(lambda: self.open or self.stopped)
            if self.stopped:
                raise Stopped
            self.busy += 1
        try:
            yield
        finally:
            with self.changed:
                self.busy -= 1
                self.changed.notify_all()

    def close(self) -> None:
        """Let nobody begin."""
        self.open = False

    def reopen(self) -> None:
        with self.changed:
            self.open = True
            self.changed.notify_all()

    def quieten(self) -> None:
        """Let nobody begin, and wait until no batch is under way."""
        self.close()
        with self.changed:
            self.changed.wait_for(lambda: not self.busy or self.stopped)

    @contextmanager
    def closed_by(self, *watchers: Watcher) -> Iterator[None]:
        """Let nobody begin from the moment in which one of them waits, until `reopen`."""

        def closing(pause: Callable[[float], None]) -> Callable[[float], None]:
            def closed(seconds: float) -> None:
                self.close()
                pause(seconds)

            return closed

        before = [watcher.pause for watcher in watchers]
        for watcher in watchers:
            watcher.pause = closing(watcher.pause)
        try:
            yield
        finally:
            for watcher, pause in zip(watchers, before, strict=True):
                watcher.pause = pause

    def stop(self) -> None:
        """Let everybody end, at their next batch."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait, unless all is to end.

        Raises:
            Stopped: nothing more is to be begun.
        """
        with self.changed:
            if self.changed.wait_for(lambda: self.stopped, seconds):
                raise Stopped


@dataclass
class SharedTurn:
    """One worker of several, who begins a batch when the runner's looks allow it."""

    gate: Gate
    governor: Governor
    measured: Measured
    workers: int
    lock: threading.Lock

    @contextmanager
    def batch(self) -> Iterator[None]:
        while (rest := self.governor.due()) > 0:
            self.gate.wait(min(rest, MOMENT))
        with self.gate.batch():
            yield

    def hold(self) -> None:
        with self.gate.batch():
            return

    def wrote(self, rows: int, seconds: float, commit: float, *, blocked: bool) -> None:
        with self.lock:
            self.measured.changed += rows
            rest = self.governor.wrote(rows, seconds, commit, blocked=blocked)
        if rest:
            self.gate.wait(rest)

    @property
    def most_rows(self) -> float | None:
        rate = self.governor.control.rows_per_second
        return rate * SHARE / self.workers if rate is not None else None

    @property
    def room(self) -> int | None:
        return self.governor.pruning.room.batches
