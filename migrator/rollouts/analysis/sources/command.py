"""Readings of a command: what is judged in its environment, figures as JSON out of it, or a verdict as its exit code.

Exit code 0: well, 3: not known yet, any other: badly, with the last lines as the reason.
"""

from __future__ import annotations

import json
import math
import os
import shlex
import time
from collections.abc import Mapping
from typing import Any

from migrator.rollouts.analysis.model import Arm, Reading
from migrator.rollouts.analysis.sources.base import Around, Kind
from migrator.rollouts.configuration import fields_of, text
from migrator.rollouts.running import CouldNotRun, Done, run
from migrator.setting_values import duration

NOT_YET = 3
READERS = {"run": text, "timeout": duration}


class Command(Kind):
    """A command that is run at each look, once for each arm."""

    def __init__(self, data: Mapping[str, Any], around: Around) -> None:
        given = fields_of("command of the analysis", data, READERS)
        self.words, self.timeout = shlex.split(given["run"]), float(given.get("timeout", 30.0))
        self.folder, self.application = around.folder, around.plan.application
        self.previous = around.plan.previous

    @staticmethod
    def check(data: Mapping[str, Any]) -> None:
        given = fields_of("command of the analysis", data, READERS)
        if not shlex.split(given.get("run", "")):
            raise ValueError('command: does not say what is run: run = "./judge.sh"')

    @staticmethod
    def offers(_: Mapping[str, Any]) -> None:
        return None

    def read(self, arm: Arm, seconds: float) -> Reading:
        given = {
            "MIGRATOR_APPLICATION": self.application,
            "MIGRATOR_ARM": arm.name,
            "MIGRATOR_VERSION": arm.version,
            "MIGRATOR_PREVIOUS": self.previous,
            "MIGRATOR_SERVERS": " ".join(arm.servers),
            "MIGRATOR_SECONDS": f"{seconds:.3f}",
            "MIGRATOR_UNTIL": f"{self.until or time.time():.3f}",
        }
        try:
            done = run(self.words, self.folder, {**os.environ, **given}, self.timeout)
        except CouldNotRun as problem:
            return Reading(problem=str(problem))
        return reading(self.words[0], done)


def reading(program: str, done: Done) -> Reading:
    """What a command said."""
    if done.code == NOT_YET:
        return Reading(
            problem=f"{program} does not know yet: {done.said}" if done.said else f"{program} does not know yet"
        )
    if done.code:
        return Reading(refused=f"{program} ended with {done.code}: {done.said}", values={})
    if not done.output.strip().startswith("{"):
        return Reading(values={"complaints": 0.0})
    try:
        figures = json.loads(done.output)
        numbers = {name: float(value) for name, value in figures.items() if value is not None}
        if unfit := [name for name, value in numbers.items() if not math.isfinite(value)]:
            raise ValueError(unfit[0])
        counted = {name: int(numbers.pop(name)) for name in ("requests", "errors") if name in numbers}
    except (ValueError, TypeError, AttributeError) as problem:
        return Reading(problem=f"{program}: what it printed are no figures: {problem}")
    return Reading(counted.get("requests"), counted.get("errors"), values={"complaints": 0.0, **numbers})
