"""DDL commits by itself: a runner killed between any two statements is finished by the next run, all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.crash.mysql_driver import STATES
from tests.plugins.projects import ROOT

EVERY = os.environ.get("MIGRATOR_TEST_KILLS") == "every"
OPERATIONS = (
    'RenameColumn("users", "full_name", "name"), RenameColumn("users", "nick", "nickname"),'
    ' DropIndex("users_amount_idx"), AddColumn("users", "email", "varchar(99)", nullable=False,'
    " fill=\"code || '@example.org'\"),"
    ' DropColumn("users", "note"), RunSQL(expand="CREATE TABLE log (id int PRIMARY KEY);'
    ' INSERT INTO log SELECT id FROM users", undo="DROP TABLE log"),'
    ' Backfill("users", {"amount": "amount + 1"}, where="amount = 0")'
)

REFERENCING = (
    'RenameColumn("teams", "org_id", "organisation"), AddForeignKey("teams", "rival", "orgs", "id"),'
    ' TransformColumns("teams", "lead", Column("head", "varchar(20)", nullable=False),'
    ' up={"head": "upper(lead)"}, down={"lead": "lower(head)"}, lossy=True), RenameTable("kinds", "sorts")'
)


@pytest.mark.parametrize("verb", STATES)
def test_killed_between_any_two_statements(verb, mariadb_database, project):
    check_kills(verb, OPERATIONS, 9, mariadb_database, project)


@pytest.mark.parametrize("verb", STATES if EVERY else ("contract", "restore"))
def test_killed_while_tables_that_reference_each_other_change(verb, mariadb_database, project):
    check_kills(verb, REFERENCING, 29, mariadb_database, project)


def check_kills(verb, operations, stride, mariadb_database, project):
    project.revision("change", operations)
    command = [sys.executable, "-m", "tests.crash.mysql_driver", str(project.folder), mariadb_database.url, "change"]
    done = subprocess.run(
        [*command, verb, "1" if EVERY else str(stride)],
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
