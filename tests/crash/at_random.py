"""Kill one backfill at random moments, again and again, and let it finish.

`python -m tests.crash.at_random PROJECT URL KILLS SEED`. Runs apart from pytest because it forks: what is imported once
is not imported again for every run. Most runs are killed a moment after their first batch, some before it. After so many
kills nobody is killed any more. Prints how many there were, and how the last run ended, as JSON.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

from migrator import api, settings
from migrator.events import Event, StepProgress

SOON = 0.02
"""Seconds after its first batch within which a run is killed …"""
EARLY, BEGINNING = 0.1, 0.4
"""… and the share of the runs that are killed within their first seconds instead, whatever they do by then."""


def runner(given: settings.Settings, pipe: int) -> int:
    """Start a run that says through a pipe that it has done a batch; returns its process."""
    child = os.fork()
    if child:
        return child

    def observer(event: Event) -> None:
        if isinstance(event, StepProgress):
            os.write(pipe, b".")

    try:
        api.apply(given, observer=observer)
    except BaseException as problem:
        sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
        os._exit(1)
    os._exit(0)


def run(given: settings.Settings, chance: random.Random | None) -> int:
    """One run, killed by chance; returns the signal that ended it, or minus its exit code."""
    reading, writing = os.pipe()
    child = runner(given, writing)
    os.close(writing)
    if chance is not None:
        if chance.random() < EARLY:
            time.sleep(chance.uniform(0, BEGINNING))
        else:
            select.select([reading], [], [])  # its first batch, or its end
            time.sleep(chance.uniform(0, SOON))
        os.kill(child, signal.SIGKILL)
    else:
        while os.read(reading, 4096):
            pass
    os.close(reading)
    _, status = os.waitpid(child, 0)
    return os.WTERMSIG(status) if os.WIFSIGNALED(status) else -os.WEXITSTATUS(status)


def main() -> None:
    folder, url, wanted, seed = sys.argv[1:]
    environment = {"database_url": url, "batch_target": "1ms"}
    given = settings.load(environment, environ={}, directory=Path(folder))
    api.status(given)
    chance, kills = random.Random(int(seed)), 0
    for _ in range(2 * int(wanted)):
        if kills == int(wanted):
            break
        ended = run(given, chance)
        if ended != signal.SIGKILL:
            break  # it was faster
        kills += 1
    print(json.dumps({"kills": kills, "ended": run(given, None)}))


if __name__ == "__main__":
    main()
