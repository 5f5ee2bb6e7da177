"""Kill runs of a command, and compare what the next run makes of it with a run that nobody killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager

import psycopg
import pytest

from migrator import api
from tests.crash.driver import OTHERWISE
from tests.plugins.families import POSTGRESQL, kind_of
from tests.plugins.projects import ROOT
from tests.plugins.servers import Database

REVISION = "change"
EVERY = os.environ.get("MIGRATOR_TEST_KILLS") == "every"
"""Besides, kill one run after each of its commits, and compare what the next run makes of it."""
STATES = {"apply": (), "abort": ("apply",), "contract": ("apply",)}
STATES |= {"restore": ("apply", "contract"), "purge": ("apply", "contract"), "give up": ("apply",)}
"""What was done before a command is killed."""

ONE_BY_ONE = pytest.mark.skipif(not EVERY, reason="one kill at a time: MIGRATOR_TEST_KILLS=every")
KILLS = ["in-a-row", pytest.param("1/2", marks=ONE_BY_ONE), pytest.param("2/2", marks=ONE_BY_ONE)]
SOME = "2/14"
"""Of what cannot be killed in a row, as another command follows."""


def run(project, verb):
    if verb == "apply":
        project.apply()
    elif verb == "retry":
        api.retry(project.settings, REVISION)
    elif verb == "abort":
        project.abort(REVISION, discard=True)
    elif verb == "restore":
        project.restore(REVISION)
    else:
        project.apply(verb, REVISION)


def prepared(database, project, given, verb):
    """Bring a database into the state before a command; returns how the driver finds that again."""
    project.url = database.url
    if kind_of(database) == POSTGRESQL:
        database.run(*given)
        for earlier in STATES[verb]:
            run(project, earlier)
        return database.name
    file = project.folder / "state.json"
    file.write_text(json.dumps({"statements": given, "verbs": STATES[verb]}))
    return str(file)


def kills(database, project, verb, how, look, state, ends=0):
    """Kill and compare; returns the number of kills, and what a run made that nobody killed.

    Args:
        look: what has to be the same however often a runner was killed.
        state: as `prepared` returns it; on PostgreSQL, the name of a database.
        ends: how a run ends that is not killed; -1: with an error.
    """
    how = SOME if verb in OTHERWISE and how == "in-a-row" else how
    worked_on, number = scratch(database), 0
    with driven(database, project, state, verb, how) as driver:
        whole = json.loads(driver.stdout.readline())
        assert whole["ended"] == ends
        expected = look(worked_on)
        go_on(driver)
        for line in driver.stdout:
            said = json.loads(line)
            if said["ended"] != signal.SIGKILL:
                break
            number += 1
            if how != "in-a-row":
                assert said["again"] == ends, f"killed at commit {said['point']}: the next run ended otherwise"
                assert look(worked_on) == expected, f"killed at commit {said['point']}"
                go_on(driver)
        assert said["ended"] == ends, f"after {number} kills: see MIGRATOR_TEST_KILLS=every"
        assert verb in OTHERWISE or look(worked_on) == expected, f"after {number} kills: see MIGRATOR_TEST_KILLS=every"
    return number, expected


def scratch(database):
    """The database that the driver works on."""
    if kind_of(database) != POSTGRESQL:
        return database
    name = f"{database.name}_copy"
    return Database(f"{database.url.rpartition('/')[0]}/{name}", name, database.server, database.version)


def go_on(driver):
    driver.stdin.write("\n")
    driver.stdin.flush()


@contextmanager
def driven(database, project, state, verb, how):
    postgresql = kind_of(database) == POSTGRESQL
    url = database.url.rpartition("/")[0] + "/postgres" if postgresql else database.url
    words = [str(project.folder), url, state, REVISION, verb, how]
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.driver", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=project.environment(),
    )
    with driver:
        try:
            yield driver
        finally:
            driver.kill()
            if postgresql:
                with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
                    connection.execute(f'DROP DATABASE IF EXISTS "{database.name}_copy" WITH (FORCE)'.encode())
