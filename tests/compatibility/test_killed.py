"""Both versions of an application are at work while the runner of their change is killed, again and again.

Each command of the life of a change is killed at a moment of chance, and run again until it comes to its end.
"""

from __future__ import annotations

import random
import signal
import subprocess

import pytest

from tests.compatibility.living import agree, live, lost
from tests.compatibility.test_operations import SUITES, TABLES
from tests.crash.killing import EVERY
from tests.plugins.families import application, combinations, kind_of

SOME = ("split a column",)
KILLS = 3 if EVERY else 1
"""Of each command, before it may come to its end."""
BEGINNING, LONGEST = 0.2, 1.5
"""Seconds within which a command is killed: it is read for so long, and takes little more."""
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGINT)


class Killed:
    """A project whose commands are killed, by chance."""

    def __init__(self, project):
        self.project, self.plan = project, project.plan
        self.kills = 0

    def apply(self, phase="", revision=""):
        words = ["--phase", phase] if phase else []
        late = ["--to", revision, "--override", "--reason", "a test"] if revision else []
        self._insist("apply", "--yes", *words, *late)

    def abort(self, revision, **_options):
        self._insist("abort", revision, "--yes", "--discard-data")

    def restore(self, revision):
        self._insist("restore", revision, "--yes")

    def _insist(self, *words):
        for _ in range(KILLS):
            with self.project.begun(*words) as runner:
                try:
                    runner.communicate(timeout=random.uniform(BEGINNING, LONGEST))
                except subprocess.TimeoutExpired:
                    runner.send_signal(random.choice(SIGNALS))
                    runner.communicate()
                    self.kills += 1
                    continue
                # A restore or an abort that is over cannot be had again.
                if runner.returncode == 0:
                    return
        with self.project.begun(*words) as runner:
            said, _ = runner.communicate()
        assert runner.returncode == 0, said


CASES = [case for case in combinations(SUITES) if EVERY or case.values[1] in SOME]


@pytest.mark.parametrize(("server_database", "name"), CASES, indirect=["server_database"])
def test_no_statement_fails_and_no_row_is_lost_where_runners_are_killed(name, server_database, project):
    case = SUITES[kind_of(server_database)].cases[name]
    given = [case.given] if isinstance(case.given, str) else case.given
    server_database.run(*TABLES[kind_of(server_database)], *given)
    project.url = server_database.url
    revision = project.revision("change", case.operation)
    killed = Killed(project)
    old, new = (
        application(server_database, version, shape, every=case.every, in_place=case.in_place)
        for version, shape in (("old", case.old), ("new", case.new))
    )
    try:
        live(killed, revision, old, new, lambda: agree(server_database, case))
    finally:
        old.stop()
        new.stop()
    assert killed.kills, "nobody was killed"
    assert (old.failures, new.failures, lost(server_database, new)) == ([], [], [])
