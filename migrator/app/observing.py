"""What helpers and long work tell whoever measures them: counts, durations, levels, spans.

An observer is any object with the four methods of `Observer`. One is set for the process (`set_observer`), so that
helpers inside models need no argument; until then nothing is told to nobody.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol

logger = logging.getLogger("migrator.app")


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured.

    Args:
        name: as Prometheus has it, without the `_total` that it puts behind counters.
        help: what it says, for people.
        labels: names of the labels that come with every value.
    """

    name: str
    help: str
    labels: tuple[str, ...] = ()


class Observer(Protocol):
    """Is told what happens. No method does I/O or takes long; what one raises is logged, and stops nobody."""

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        """So many more of something that only grows."""

    def time(self, metric: Metric, seconds: float, **labels: str) -> None:
        """One of many that took so long."""

    def gauge(self, metric: Metric, value: float, **labels: str) -> None:
        """Where something stands."""

    def span(self, name: str, **attributes: str | int | float | bool) -> AbstractContextManager[object]:
        """Something that begins and ends with the `with` block."""


class NoObserver:
    """Is told everything, and does nothing."""

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None: ...
    def time(self, metric: Metric, seconds: float, **labels: str) -> None: ...
    def gauge(self, metric: Metric, value: float, **labels: str) -> None: ...
    def span(self, name: str, **attributes: str | int | float | bool) -> AbstractContextManager[object]:
        return nullcontext()


class Several:
    """Tells several observers; what one of them raises is logged, and the others are told."""

    def __init__(self, *observers: Observer) -> None:
        self.observers = observers

    def count(self, metric: Metric, amount: float = 1, **labels: str) -> None:
        for each in self.observers:
            with forgiven():
                each.count(metric, amount, **labels)

    def time(self, metric: Metric, seconds: float, **labels: str) -> None:
        for each in self.observers:
            with forgiven():
                each.time(metric, seconds, **labels)

    def gauge(self, metric: Metric, value: float, **labels: str) -> None:
        for each in self.observers:
            with forgiven():
                each.gauge(metric, value, **labels)

    @contextmanager
    def span(self, name: str, **attributes: str | int | float | bool) -> Iterator[None]:
        with ExitStack() as stack:
            for each in self.observers:
                with forgiven():
                    stack.enter_context(each.span(name, **attributes))
            yield


@contextmanager
def forgiven() -> Iterator[None]:
    """Log what an observer raises: who measures must not stop what is measured."""
    try:
        yield
    except Exception:
        logger.exception("an observer has failed")


NOBODY: Observer = NoObserver()
_observer: Observer = NOBODY


def set_observer(*observers: Observer) -> None:
    """Set who is told by every helper of this process; none: nobody is."""
    global _observer
    _observer = Several(*observers) if observers else NOBODY


def observer() -> Observer:
    """Who is told. Ask each time: it may be set after a helper was made."""
    return _observer


PHASE = Metric("migrator_phase_info", "1 for the phase of a revision, 0 for others.", ("migration", "phase"))
PHASE_LOOKS = Metric("migrator_phase_looks", "Looks at the phase of revisions, by outcome.", ("outcome",))
DUAL_WRITES = Metric("migrator_dual_write_rows", "Rows written in both shapes by the application.", ("migration",))
DUAL_WRITE_MISMATCHES = Metric(
    "migrator_dual_write_mismatch", "Rows whose old and new shape were found to differ.", ("migration",)
)
SHADOW_READS = Metric("migrator_shadow_reads", "Reads of the new shape beside the old, compared.", ("name",))
SHADOW_READ_MISMATCHES = Metric("migrator_shadow_read_mismatch", "Shadow reads that differed.", ("name",))
SHADOW_READ_SECONDS = Metric("migrator_shadow_read_seconds", "Time that a shadow read has cost, in seconds.", ("name",))
BUILD_MAY_RUN = Metric("migrator_build_may_run", "1 where this build may run, 0 where not.", ("app", "version"))
HEARTBEATS = Metric("migrator_heartbeats", "Heartbeats of this build, by outcome.", ("outcome",))
BACKFILL_ROWS = Metric("migrator_backfill_rows", "Rows that a backfill has changed.", ("migration",))
BACKFILL_SECONDS = Metric(
    "migrator_backfill_seconds", "Duration of one batch of a backfill, in seconds.", ("migration",)
)
BACKFILL_REMAINING = Metric(
    "migrator_backfill_remaining_rows",
    "Rows that a backfill is still to change, as far as it can tell.",
    ("migration",),
)
BACKFILL_FAILED = Metric("migrator_backfill_set_aside_rows", "Rows that a backfill could not change.", ("migration",))
PAUSED = Metric("migrator_paused_seconds", "Time in which a step waited so as not to be in the way.", ("migration",))
STEPS = Metric("migrator_steps", "Steps that have ended, by outcome.", ("migration", "phase", "outcome"))
STEP_SECONDS = Metric("migrator_step_seconds", "Duration of a step, in seconds.", ("migration", "phase"))
LOCK_WAITS = Metric("migrator_lock_wait_seconds", "Wait of a step for its locks, in seconds.", ("migration",))
LOCK_HELD = Metric("migrator_lock_held_seconds", "Time that a step held its locks, in seconds.", ("migration",))
LOCK_TIMEOUTS = Metric("migrator_lock_timeouts", "Locks that were not granted in time.", ("migration",))
