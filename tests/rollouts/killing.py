"""Drive a rollout, killing its controller at every action: when it is done, and that is not on record.

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


class Ending:
    """Ends this process, as a kill -9 from outside, when the first action that nobody has begun is done.

    So what it did is not on record, and the next run does it again.
    """

    def __init__(self):
        self.begun = False

    def __call__(self, event):
        self.begun = self.begun or (isinstance(event, RolloutStep) and event.state == "begun" and not event.again)

    def performing(self, perform):
        def performed(*arguments):
            outcome = perform(*arguments)
            if self.begun:
                os.kill(os.getpid(), signal.SIGKILL)
            return outcome

        return performed


def once(folder, version, begun):
    """One run, which does what an earlier one was killed at, and is killed at what comes next."""
    config = folder / "rollout.toml"
    given, ending = settings.load(config=config, directory=folder), Ending()
    World.perform = ending.performing(World.perform)
    if begun:
        done = api.rollout_go_on(given, config=config, observer=ending)
    else:
        done = api.rollout_run(given, version, config=config, observer=ending)
    return 0 if done.record.status == "succeeded" else 1


def main(folder, version):
    folder, kills = Path(folder), 0
    while True:
        child = os.fork()
        if not child:
            os._exit(once(folder, version, kills > 0))
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        kills += 1
    json.dump({"kills": kills, "code": os.WEXITSTATUS(status)}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
