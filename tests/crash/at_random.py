"""Kill one backfill at random moments, again and again, and let it finish.

`python -m tests.crash.at_random PROJECT URL KILLS SEED`. Runs apart from pytest because it forks: what is imported once
is not imported again for every run. Most runs begin with the phase, and are killed a moment after one of their first
batches; some are the whole command, and are killed at any time. After so many kills nobody is killed any more. Prints
how many there were, and how the last run ended, as JSON.
"""

from __future__ import annotations

import gc
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from migrator import api, runs, settings
from migrator.events import Event, StepProgress
from migrator.revisions import RevisionGraph
from phases.model import Phase

BATCHES, SOON = 3, 0.004
"""A run is killed after so many batches at most, and within so many seconds of the last of them …"""
EARLY, BEGINNING = 0.1, 0.5
"""… and the share of the runs that are killed within their first seconds instead, whatever they do by then."""

WORKERS = (1, 1, 2)
"""What one run has begun another one goes on with, whether it has more workers or fewer."""


class Runs:
    """Runs of one backfill."""

    def __init__(self, given: settings.Settings, revision: str) -> None:
        self.given, self.revision = given, revision
        self.graph: RevisionGraph = runs.load_graph(given)

    def command(self, pipe: int) -> None:
        api.apply(self.given, observer=teller(pipe))

    def phase(self, pipe: int) -> None:
        """What the command does once it has planned."""
        with runs.running(self.given, "apply") as session:
            runs.execution(self.given, session, self.graph, teller(pipe)).run_phase(self.revision, Phase.MIGRATE)

    def killed(self, chance: random.Random) -> int:
        """A run of one worker or two that is killed by chance; returns how it ended."""
        self.given = replace(self.given, workers=chance.choice(WORKERS))
        if chance.random() < EARLY:
            with child(self.command) as (process, _):
                time.sleep(chance.uniform(0, BEGINNING))
                os.kill(process, signal.SIGKILL)
                return ended(process)
        with child(self.phase) as (process, batches):
            for _ in range(chance.randint(1, BATCHES)):
                os.read(batches, 1)  # another batch, or its end
            time.sleep(chance.uniform(0, SOON))
            os.kill(process, signal.SIGKILL)
            return ended(process)

    def finished(self) -> int:
        with child(self.command) as (process, batches):
            while os.read(batches, 4096):
                pass
            return ended(process)


def teller(pipe: int) -> Callable[[Event], None]:
    """Says through a pipe that a batch is done."""

    def observer(event: Event) -> None:
        if isinstance(event, StepProgress):
            os.write(pipe, b".")

    return observer


@contextmanager
def child(action: Callable[[int], object]) -> Iterator[tuple[int, int]]:
    """Do something in a process of its own; gives that and where it says what it does."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            action(writing)
        except BaseException as problem:
            sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
            os._exit(1)
        os._exit(0)
    os.close(writing)
    try:
        yield process, reading
    finally:
        os.close(reading)


def ended(process: int) -> int:
    """The signal that ended a process, or minus its exit code."""
    _, status = os.waitpid(process, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def main() -> None:
    folder, url, wanted, seed = sys.argv[1:]
    given = settings.load({"database_url": url, "batch_target": "1ms"}, environ={}, directory=Path(folder))
    api.status(given)
    gc.freeze()  # what is here is not looked through again by every child
    work, chance, kills = Runs(given, "change"), random.Random(int(seed)), 0
    while kills < int(wanted) and work.killed(chance) == signal.SIGKILL:
        kills += 1
    sys.stdout.write(json.dumps({"kills": kills, "ended": work.finished()}))


if __name__ == "__main__":
    main()
