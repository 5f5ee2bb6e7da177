"""A platform's own command line: it stands for any that a team has, and drives a HAProxy that nobody else does.

platform_script.py FOLDER, with what to do in the environment.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from migrator.errors import MigratorError
from migrator.rollouts import configuration as configuring
from migrator.rollouts.targets import target_of


def main(folder):
    target = target_of(configuring.read(json.loads((folder / "platform.json").read_text()), folder))
    match os.environ["MIGRATOR_VERB"]:
        case "look":
            sys.stdout.write(json.dumps(asdict(target.look())))
        case "split":
            target.split(json.loads(os.environ["MIGRATOR_SHARES"]))
        case "mirror":
            target.mirror(os.environ["MIGRATOR_POOL"], float(os.environ["MIGRATOR_PERCENT"]))
        case "hold":
            target.hold(float(os.environ["MIGRATOR_SECONDS"]))
        case "admit" | "drain" | "remove" | "cut" as verb:
            getattr(target, verb)(os.environ["MIGRATOR_SERVER"])


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except MigratorError as problem:
        sys.exit(problem.message)
