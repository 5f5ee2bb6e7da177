"""Backfills are paused, slowed down and looked at from another terminal."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time

import pytest

from tests.plugins.waiting import until

RENAME = 'RenameColumn("users", "full_name", "name")'


@pytest.fixture
def backfilling(any_database, project):
    """A project whose backfill has 20,000 rows to write."""
    any_database.run(
        "CREATE TABLE users (id bigint PRIMARY KEY, full_name text NOT NULL)",
        "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 20000) i",
    )
    project.url = any_database.url
    project.revision("change", RENAME)
    project.apply("expand")
    return project


@contextlib.contextmanager
def at_work(project):
    """`migrator apply` in a process of its own."""
    words = [sys.executable, "-m", "migrator", "apply", "--yes", "--format", "json"]
    options = {"cwd": project.folder, "env": project.environment(), "stdout": subprocess.PIPE}
    with subprocess.Popen(words, **options) as process:
        try:
            yield process
        finally:
            process.kill()


def told(project, name):
    return project.json("status")["revisions"][0]["progress"][name]


@pytest.mark.parametrize("any_database", [18], indirect=True)
def test_pause_throttle_and_resume_from_another_terminal(backfilling, any_database):
    project = backfilling
    assert project.cli("throttle", "--rows-per-second", "500", "--reason", "the sale").returncode == 0
    with at_work(project) as process:
        filled = "SELECT count(name) FROM users"
        until(lambda: any_database.rows(filled)[0][0] > 0)
        until(lambda: (project.json("status")["revisions"][0]["progress"] or {}).get("rows_per_second"))
        assert 0 < told(project, "rows_per_second") < 1500
        assert "500 rows/s" in told(project, "limits")
        assert "the sale" in told(project, "reason")

        assert project.cli("pause", "change", "--reason", "a look").returncode == 0
        until(lambda: "paused by" in told(project, "reason"))
        rows = any_database.rows(filled)
        shown = project.cli("status").stdout
        assert "a look" in shown
        assert project.cli("throttle", "--off").returncode == 0
        time.sleep(1.2)
        assert any_database.rows(filled) == rows, "nothing is written while it is paused"

        refused = project.cli("resume")
        assert refused.returncode == 2
        assert "migrator resume change" in refused.stderr
        assert project.cli("resume", "change").returncode == 0
        states = json.loads(process.communicate(timeout=60)[0])["revisions"]
    assert states == {"change": "migrated"}
    kinds = [event["kind"] for event in project.json("status", "--events", "20")["events"]]
    assert [kind for kind in kinds if kind in ("paused", "resumed", "throttled")] == [
        "resumed",
        "throttled",
        "paused",
        "throttled",
    ]


WRONG = {
    "no limit": (("throttle",), "--rows-per-second 5000"),
    "a limit, and none": (("throttle", "--off", "--rows-per-second", "5"), "or --off"),
    "no rows": (("throttle", "--rows-per-second", "0"), "--rows-per-second"),
    "no duration": (("throttle", "--max-latency", "20"), "20ms"),
    "not paused": (("resume",), "nothing else is"),
    "no such revision": (("pause", "nothing"), "nothing"),
    "no time": (("status", "--watch", "often"), "--watch"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_makes_no_sense_is_refused_with_what_to_type(name, database, project):
    project.url = database.url
    words, hint = WRONG[name]
    done = project.cli(*words)
    assert done.returncode == 2
    assert hint in done.stderr
