"""A client of our own, which asks as a user would while a rollout goes on: what no load balancer counts, it sees."""

from __future__ import annotations

import http.client
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from migrator.rollouts.configuration import Probing

RECENT = 50_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One request: when (monotonic clock), seconds it took, status (0: no answer) and the version that answered."""

    at: float
    seconds: float
    status: int
    version: str
    problem: str = ""

    @property
    def failed(self) -> bool:
        return self.status == 0 or self.status >= 500


@dataclass(slots=True)
class Probe:
    """Asks one URL, from one thread, with a connection of its own each time.

    Args:
        header: names the header in which answers say their version.
    """

    settings: Probing
    header: str = ""
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=RECENT))
    requests: int = 0
    failures: int = 0
    longest_gap: float = 0.0
    versions: Counter[str] = field(default_factory=Counter)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _last_good: float | None = None

    def __enter__(self) -> Probe:
        if self.settings.url:
            self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(self.settings.timeout + 1)

    def _run(self) -> None:
        while not self._end.wait(self.settings.every):
            self.note(ask(self.settings, self.header))

    def note(self, sample: Sample) -> None:
        self.samples.append(sample)
        self.requests += 1
        self.failures += sample.failed
        self.versions[sample.version] += 1
        if not sample.failed:
            end = sample.at + sample.seconds
            if self._last_good is not None:
                self.longest_gap = max(self.longest_gap, end - self._last_good)
            self._last_good = end

    def since(self, moment: float) -> list[Sample]:
        """Samples from a moment of the monotonic clock on."""
        return [sample for sample in list(self.samples) if sample.at >= moment]

    def facts(self) -> dict[str, Any]:
        """What it saw; empty where nothing was asked."""
        if not self.requests:
            return {}
        return {
            "requests": self.requests,
            "failed": self.failures,
            "longest_gap_seconds": round(self.longest_gap, 3),
            "versions": dict(self.versions),
        }


def ask(settings: Probing, header: str) -> Sample:
    begun = time.monotonic()
    status, version, problem = 0, "", ""
    try:
        with urllib.request.urlopen(settings.url, timeout=settings.timeout) as response:
            response.read()
            status, version = response.status, response.headers.get(header, "") if header else ""
    except urllib.error.HTTPError as answered:
        status, version = answered.code, answered.headers.get(header, "") if header else ""
    except (OSError, http.client.HTTPException) as failed:
        problem = str(failed)
    return Sample(begun, time.monotonic() - begun, status, version, problem)
