"""What tests wait for."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(asked: Callable[[], T], seconds: float = 30) -> T:
    """Ask until it is so; returns the answer."""
    ends = time.monotonic() + seconds
    while not (answer := asked()):
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)
    return answer
