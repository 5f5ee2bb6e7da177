"""A client that sends the same safe request to both pools, beside the copies, and compares what they answer.

What divides the traffic forgets the answers to its copies. So that something can be said
of them, this client asks a server of each pool itself, and the live one again where they
differ: what is not the same in two answers of one version is no difference.
"""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from migrator.rollouts.plan import Server
from migrator.rollouts.shadowing.configuration import Shadowing
from migrator.rollouts.shadowing.differing import Answer, difference

TIMEOUT = 5.0
MOST_LOGGED = 1000
"""Differences of one watch that are written to the log."""
KINDS = 5
"""Kinds of differences that are told."""


@dataclass(slots=True)
class Comparer:
    """Compares from one thread, from entering to leaving.

    Args:
        log: gets a line for each difference, the first thousand.
    """

    settings: Shadowing
    live: Sequence[Server]
    shadow: Sequence[Server]
    log: Path
    compared: int = 0
    differing: int = 0
    noisy: int = 0
    unanswered: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    _end: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Comparer:
        self._thread = threading.Thread(target=self._run, name="comparer", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        if self._thread is not None:
            self._thread.join(3 * TIMEOUT + 1)

    def _run(self) -> None:
        for path, live, shadow in self._turns():
            if self._end.wait(self.settings.every):
                return
            self.compare(path, live, shadow)

    def _turns(self) -> Iterator[tuple[str, Server, Server]]:
        """Every request of every pair of servers, over and over."""
        return itertools.cycle(itertools.product(self.settings.requests, self.live, self.shadow))

    def compare(self, path: str, live: Server, shadow: Server) -> None:
        """Compare one answer.

        `noisy` counts those that two answers of the live pool have different, too, `unanswered` those that the
        live pool does not give: neither says anything of the shadow.
        """
        first, ours = ask(live, path, self.settings), ask(shadow, path, self.settings)
        if not first.status:
            self.unanswered += 1
            return
        found = difference(first, ours, self.settings)
        if found:
            again = ask(live, path, self.settings)
            if not again.status or difference(first, again, self.settings):
                self.noisy += 1
                return
        self.compared += 1
        if found:
            self.differing += 1
            self.kinds[f"{path}: {found}"] += 1
            if self.differing <= MOST_LOGGED:
                self._write(path, found, first, ours)

    def _write(self, path: str, found: str, live: Answer, shadow: Answer) -> None:
        row = {
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": f"GET {path}",
            "difference": found,
            "live": live.facts(self.settings),
            "shadow": shadow.facts(self.settings),
        }
        try:
            with self.log.open("a") as file:
                file.write(json.dumps(row) + "\n")
        except OSError as problem:
            self.kinds[f"{self.log} cannot be written: {problem.strerror}"] += 1

    def facts(self) -> dict[str, Any]:
        return {
            "compared": self.compared,
            "differing": self.differing,
            "noisy": self.noisy,
            "unanswered": self.unanswered,
            "kinds": dict(self.kinds.most_common(KINDS)),
            "log": str(self.log),
        }


def ask(server: Server, path: str, settings: Shadowing) -> Answer:
    """Ask a server itself, by a connection of its own."""
    host, _, port = server.address.rpartition(":")
    connection = http.client.HTTPConnection(host.strip("[]"), int(port), timeout=TIMEOUT)
    begun = time.monotonic()
    try:
        connection.request("GET", path, headers={**settings.headers, "X-Migrator-Compare": "1"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as problem:
        return Answer(0, seconds=time.monotonic() - begun, problem=f"no answer ({type(problem).__name__})")
    finally:
        connection.close()
    return Answer(answer.status, body, time.monotonic() - begun)
