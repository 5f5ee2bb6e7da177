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
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from migrator import api, crew, overlapping, runs, settings
from migrator.events import Event, Observer, StepProgress
from migrator.revisions import RevisionGraph
from phases.model import Phase

BATCHES, SOON = 3, 0.004
"""A run is killed after so many batches at most, and within so many seconds of the last of them …"""
EARLY, BEGINNING = 0.1, 0.5
"""… and the share of the runs that are killed within their first seconds instead, whatever they do by then."""

WORKERS = (1, 1, 2)
"""What one run has begun another one goes on with, whether it has more workers or fewer."""
OFTEN = 0.01
"""Seconds between two looks of the runner at its workers: until the next one they go on as they like."""


class Runs:
    """Runs of one backfill."""

    def __init__(self, given: settings.Settings, revision: str) -> None:
        self.given, self.revision = given, revision
        self.graph: RevisionGraph = runs.load_graph(given)

    def command(self, observer: Observer) -> None:
        api.apply(self.given, observer=observer)

    def phase(self, observer: Observer) -> None:
        """What the command does once it has planned."""
        with runs.running(self.given, "apply") as session:
            runs.execution(self.given, session, self.graph, observer).run_phase(self.revision, Phase.MIGRATE)

    def killed(self, chance: random.Random) -> int:
        """A run of one worker or two that is killed by chance; returns how it ended."""
        self.given = replace(self.given, workers=chance.choice(WORKERS))
        if chance.random() < EARLY:
            run = Run(self.command)
            time.sleep(chance.uniform(0, BEGINNING))
        else:
            run = Run(self.phase)
            for _ in range(chance.randint(1, BATCHES)):
                run.another()
            time.sleep(chance.uniform(0, SOON))
        os.kill(run.process, signal.SIGKILL)
        return run.ended()

    def finished(self) -> int:
        run = Run(self.command)
        while run.another():
            pass
        return run.ended()


class Run:
    """Something that is done in a process of its own, and waits after each batch until it may go on."""

    def __init__(self, action: Callable[[Observer], object]) -> None:
        self.batches, telling = os.pipe()
        going, self.go = os.pipe()
        self.process = os.fork()
        if self.process == 0:
            os._exit(outcome(action, telling, going))
        os.close(telling)
        os.close(going)

    def another(self) -> bool:
        """Let it go on after its next batch; False where there is none."""
        more = bool(os.read(self.batches, 1))
        if more:
            os.write(self.go, b".")
        return more

    def ended(self) -> int:
        """The signal that ended it, or minus its exit code."""
        os.close(self.batches)
        os.close(self.go)
        _, status = os.waitpid(self.process, 0)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def outcome(action: Callable[[Observer], object], telling: int, going: int) -> int:
    def observer(event: Event) -> None:
        if isinstance(event, StepProgress):
            os.write(telling, b".")
            os.read(going, 1)

    try:
        action(observer)
    except BaseException as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        return 1
    return 0


def main() -> None:
    folder, url, wanted, seed = sys.argv[1:]
    given = settings.load({"database_url": url, "batch_target": "1ms"}, environ={}, directory=Path(folder))
    api.status(given)
    crew.EVERY = OFTEN
    overlapping.WORTH_IT = 1
    gc.freeze()  # what is here is not looked through again by every child
    work, chance, kills = Runs(given, "change"), random.Random(int(seed)), 0
    while kills < int(wanted) and work.killed(chance) == signal.SIGKILL:
        kills += 1
    sys.stdout.write(json.dumps({"kills": kills, "ended": work.finished()}))


if __name__ == "__main__":
    main()
