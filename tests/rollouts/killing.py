"""Drive a rollout, killing its controller twice at every action: when it is on record, and when it is done.

killing.py FOLDER VERSION: prints the number of kills, and how the run ended that was not killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from migrator import api, settings
from migrator.events import RolloutStep
from migrator.rollouts.performing import World


def end_here(*_):
    """As a kill -9 from outside."""
    os.kill(os.getpid(), signal.SIGKILL)


def at_the_second_action(event):
    """Let an action that an earlier run was killed at be done, and end at the next one."""
    if isinstance(event, RolloutStep) and event.state == "begun" and not event.again:
        end_here()


def nowhere(_):
    """Look at no event."""


def once(folder, version, kill_done, begun):
    """One run: killed before the first action that nobody has begun, or when its own first one is done."""
    config = folder / "rollout.toml"
    given = settings.load(config=config, directory=folder)
    if kill_done:
        perform = World.perform
        World.perform = lambda *arguments: end_here(perform(*arguments))
    observer = nowhere if kill_done else at_the_second_action
    if begun:
        done = api.rollout_go_on(given, config=config, observer=observer)
    else:
        done = api.rollout_run(given, version, config=config, observer=observer)
    return 0 if done.record.status == "succeeded" else 1


def main(folder, version):
    folder, kills, kill_done = Path(folder), 0, False
    while True:
        child = os.fork()
        if not child:
            os._exit(once(folder, version, kill_done, kills > 0))
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        kills, kill_done = kills + 1, not kill_done
    json.dump({"kills": kills, "code": os.WEXITSTATUS(status)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
