"""Requests held at the proxy while a step of a revision has a lock behind which an application would wait anyway."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from migrator.errors import MigratorError
from migrator.events import Event, StepFinished, StepStarted
from migrator.rollouts.targets.base import Target


@dataclass(slots=True)
class Holding:
    """Holds requests from the beginning to the end of each step that shuts a table.

    A hold that cannot be begun is no reason to stop: the lock timeout limits what the application waits. One
    that is not ended, because this process is killed, ends at the proxy.

    Args:
        seconds: for so long at most.
        observer: told everything.

    Attributes:
        longest: seconds of the longest hold.
    """

    target: Target
    seconds: float
    observer: Callable[[Event], None]
    longest: float = 0.0
    begun: float | None = None

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepStarted) and event.shuts and not event.undoing:
            with suppress(MigratorError):
                self.begun = time.monotonic()
                self.target.hold(self.seconds)
        elif isinstance(event, StepFinished):
            self.end()
        self.observer(event)

    def end(self) -> None:
        """Let requests go on, where they are held."""
        if self.begun is None:
            return
        self.longest = max(self.longest, min(time.monotonic() - self.begun, self.seconds))
        self.begun = None
        with suppress(MigratorError):
            self.target.hold(0)
