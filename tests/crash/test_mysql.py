"""DDL commits by itself: a runner killed between any two statements is finished by the next run, all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.crash.mysql_driver import REBUILDING, STATES
from tests.plugins.projects import ROOT

STRIDE = "1" if os.environ.get("MIGRATOR_TEST_KILLS") == "every" else "9"
OPERATIONS = (
    'RenameColumn("users", "full_name", "name"), RenameColumn("users", "nick", "nickname"),'
    ' DropIndex("users_amount_idx"), AddColumn("users", "email", "varchar(99)", nullable=False,'
    " fill=\"code || '@example.org'\"),"
    ' DropColumn("users", "note"), RunSQL(expand="CREATE TABLE log (id int PRIMARY KEY);'
    ' INSERT INTO log SELECT id FROM users", undo="DROP TABLE log"),'
    ' Backfill("users", {"amount": "amount + 1"}, where="amount = 0")'
)


REBUILD = (
    'RebuildTable("users", primary_key=["nick", "id"], types={"full_name": "varchar(80)"}, not_null=["code"],'
    ' collation="utf8mb4_bin", checks={"counted": "amount >= 0"})'
)


@pytest.mark.parametrize("verb", STATES)
@pytest.mark.parametrize(
    ("name", "operations"), [("change", OPERATIONS), (REBUILDING, REBUILD)], ids=["change", "rebuild"]
)
def test_killed_between_any_two_statements(name, operations, verb, mariadb_database, project):
    project.revision(name, operations)
    command = [sys.executable, "-m", "tests.crash.mysql_driver", str(project.folder), mariadb_database.url, name]
    done = subprocess.run(
        [*command, verb, STRIDE],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    whole, *killed, last = (json.loads(line) for line in done.stdout.splitlines())
    assert whole["ended"] == last["ended"] == 0, done.stderr
    assert whole["content"]["twice"] == []
    for run in killed:
        assert run["again"] == 0, f"killed at point {run['point']}: the next run failed: {done.stderr}"
        assert run["content"] == whole["content"], f"killed at point {run['point']}"
    assert len(killed) > 1
