"""How long to try for a lock that others hold."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LockPolicy:
    """How long to try for a lock.

    Args:
        timeout_ms: how long one try waits, and so the longest that others queue behind it.
        attempts: tries before giving up.
        first_wait, longest_wait: seconds between tries; they double, with jitter.
        give_up_after: seconds in all.
    """

    timeout_ms: int = 500
    attempts: int = 30
    first_wait: float = 0.2
    longest_wait: float = 10.0
    give_up_after: float = 300.0

    def wait(self, attempt: int, jitter: Callable[[], float] = random.random) -> float:
        """Seconds to wait after try number `attempt`, counted from 1."""
        full = min(self.longest_wait, self.first_wait * 2.0 ** min(attempt - 1, 20))
        return full * (0.5 + jitter() / 2)
