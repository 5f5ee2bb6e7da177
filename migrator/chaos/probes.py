"""Probes, asked: each from a thread of its own, for a while or until it answers well."""

from __future__ import annotations

import http.client
import os
import shlex
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from migrator.chaos.model import Answers, Probe
from migrator.errors import MigratorError
from migrator.rollouts.running import CouldNotRun, run

JOIN_FOR = 60.0


class Stage:
    """The probes of one stage.

    Args:
        url: of the database, directly; empty where there is none.
        once_good: a probe that has answered well is asked no more.
    """

    def __init__(self, probes: tuple[Probe, ...], folder: Path, url: str, *, once_good: bool = False) -> None:
        self.probes, self.folder, self.url, self.once_good = probes, folder, url, once_good
        self.answers: dict[str, Answers] = {}
        self.recovered: set[str] = set()
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(probe,), daemon=True) for probe in probes]

    def look(self, seconds: float, ended: Callable[[], bool] = lambda: False) -> None:
        """Ask for so long, and each probe once at least.

        Args:
            ended: asked now and then; true: nothing further is asked.
        """
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.start()
        while time.monotonic() < end and not ended() and any(thread.is_alive() for thread in self._threads):
            time.sleep(0.02)
        if not self._threads and not self.once_good:
            wait_for(ended, end)
        self._over.set()
        for thread in self._threads:
            thread.join(JOIN_FOR)

    def _ask(self, probe: Probe) -> None:
        asked, failed, slowest, problem = 0, 0, 0.0, ""
        while True:
            begun = time.monotonic()
            wrong = bad(probe, self.folder, self.url)
            took = time.monotonic() - begun
            if not wrong and took > probe.timeout:
                wrong = f"took {took:.1f} s"
            asked, failed = asked + 1, failed + bool(wrong)
            slowest, problem = max(slowest, took), wrong or problem
            self.answers[probe.name] = Answers(asked, failed, round(slowest, 3), problem)
            (self.recovered.discard if wrong else self.recovered.add)(probe.name)
            if (self.once_good and not wrong) or self._over.wait(probe.every):
                return


def wait_for(ended: Callable[[], bool], end: float) -> None:
    while time.monotonic() < end and not ended():
        time.sleep(0.02)


def bad(probe: Probe, folder: Path, url: str) -> str:
    """What is wrong with one answer; empty where it is good."""
    asking: Mapping[str, Callable[[], str]] = {
        "url": lambda: bad_answer(probe),
        "command": lambda: bad_command(probe, folder),
        "sql": lambda: bad_value(probe, url),
    }
    return asking[probe.kind]()


def bad_answer(probe: Probe) -> str:
    try:
        with urllib.request.urlopen(probe.what, timeout=probe.timeout) as answer:
            answer.read()
            status = answer.status
    except urllib.error.HTTPError as answered:
        status = answered.code
        answered.close()
    except (OSError, http.client.HTTPException) as problem:
        return f"no answer: {problem}"
    good = status < 400 if probe.status is None else status == probe.status
    return "" if good else f"status {status}"


def bad_command(probe: Probe, folder: Path) -> str:
    try:
        done = run(shlex.split(probe.what), folder, os.environ, probe.timeout)
    except CouldNotRun as problem:
        return str(problem)
    return f"ended with {done.code}: {done.said}" if done.code else ""


def bad_value(probe: Probe, url: str) -> str:
    from migrator.database import connect

    try:
        with connect(url, "chaos") as session:
            rows = session.query(probe.what, seconds=probe.timeout)
    except MigratorError as problem:
        return problem.message
    value = rows[0][0] if rows else None
    return bad_against(probe, value)


def bad_against(probe: Probe, value: object) -> str:
    """What is wrong with the value of a question in SQL."""
    if probe.equals is not None and str(value) != probe.equals:
        return f"is {value}, and not {probe.equals}"
    if probe.at_least is None and probe.at_most is None:
        return ""
    try:
        number = float(str(value))
    except ValueError:
        return f"is {value}, which is no number"
    if probe.at_least is not None and number < probe.at_least:
        return f"is {value}, below {probe.at_least:g}"
    return f"is {value}, above {probe.at_most:g}" if probe.at_most is not None and number > probe.at_most else ""
