"""A client of our own, which asks as a user would while a rollout goes on: what no load balancer counts, it sees."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
import urllib.error
import urllib.request
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from migrator.rollouts.configuration import Configuration, Probing
from migrator.rollouts.sticky import Users

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
    """Asks one URL, with a connection of its own each time: from one thread as somebody whom nobody knows, and from
    another one as a few users who are told apart, to see how often their version changes.

    Args:
        header: names the header in which answers say their version.
        cookie: names the cookie that tells users apart.
    """

    settings: Probing
    header: str = ""
    cookie: str = "uid"
    users: Users = field(default_factory=Users)
    samples: deque[Sample] = field(default_factory=lambda: deque(maxlen=RECENT))
    requests: int = 0
    failures: int = 0
    longest_gap: float = 0.0
    versions: Counter[str] = field(default_factory=Counter)
    _end: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _last_good: float | None = None

    @classmethod
    def of(cls, found: Configuration) -> Probe:
        """The client of a configuration; users are told apart as what divides the traffic does."""
        header = found.probe.arm_header or found.ready.version_header
        return cls(found.probe, header, found.probe.cookie or str(found.target.get("cookie", "uid")))

    def __enter__(self) -> Probe:
        if self.settings.url:
            asking = [self._ask, *([self._ask_as_users] if self.settings.users else [])]
            self._threads = [threading.Thread(target=ask, name="probe", daemon=True) for ask in asking]
            for thread in self._threads:
                thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(self.settings.timeout + 1)

    def _ask(self) -> None:
        while not self._end.wait(self.settings.every):
            self.note(ask(self.settings, self.header))

    def _ask_as_users(self) -> None:
        for number in itertools.cycle(range(self.settings.users)):
            if self._end.wait(self.settings.every):
                return
            name = f"migrator-{number}"
            sample = ask(self.settings, self.header, f"{self.cookie}={name}")
            self.users.note(name, sample.version, failed=sample.failed)

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
            "requests": self.requests + self.users.requests,
            "failed": self.failures + self.users.failures,
            "longest_gap_seconds": round(self.longest_gap, 3),
            "versions": dict(self.versions),
            **self.users.facts(),
        }


def ask(settings: Probing, header: str, cookie: str = "") -> Sample:
    begun = time.monotonic()
    status, version, problem = 0, "", ""
    try:
        request = urllib.request.Request(settings.url, headers={"Cookie": cookie} if cookie else {})
        with urllib.request.urlopen(request, timeout=settings.timeout) as response:
            response.read()
            status, version = response.status, response.headers.get(header, "") if header else ""
    except urllib.error.HTTPError as answered:
        status, version = answered.code, answered.headers.get(header, "") if header else ""
    except (OSError, http.client.HTTPException) as failed:
        problem = str(failed)
    return Sample(begun, time.monotonic() - begun, status, version, problem)
