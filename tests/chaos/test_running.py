"""Experiments on real databases and real processes: what is disturbed is back, whatever became of the experiment."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from migrator import api, settings
from migrator.chaos.processes import named_in
from tests.plugins.families import MYSQL, POSTGRESQL, servers
from tests.plugins.waiting import until

ROWS = 200
TABLES = {
    POSTGRESQL: (
        "CREATE TABLE users (id int PRIMARY KEY, amount int NOT NULL)",
        f"INSERT INTO users SELECT i, 0 FROM generate_series(1, {ROWS}) i",
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END'",
        "CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW EXECUTE FUNCTION slow()",
    ),
    MYSQL: (
        "CREATE TABLE users (id int PRIMARY KEY, amount int NOT NULL)",
        f"INSERT INTO users WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {ROWS})"
        " SELECT i, 0 FROM n",
        "CREATE TRIGGER slow BEFORE UPDATE ON users FOR EACH ROW SET @slept = SLEEP(0.002)",
    ),
}
BEGUN = {
    POSTGRESQL: "SELECT count(*) >= 20 FROM users WHERE amount = 1",
    # All rows are one batch there, which takes 0.4 s.
    MYSQL: "SELECT count(*) >= 1 FROM information_schema.processlist WHERE state = 'User sleep'",
}
CUT = f"""\
[chaos]
title = "A cut connection loses no row of a backfill"
command = "migrator apply --yes"
begin_when = "BEGUN"
duration = "300ms"
baseline = "0"
[[chaos.probes]]
name = "no row is gone"
sql = "SELECT count(*) FROM users"
equals = "{ROWS}"
[[chaos.probes]]
name = "each is counted once"
sql = "SELECT count(*) FROM users WHERE amount = 1"
equals = "{ROWS}"
stages = ["after"]
[[chaos.faults]]
kind = "cut"
"""
INSTANCE = """\
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(60)
"""


ON_BOTH_KINDS = pytest.mark.parametrize(
    "server_database",
    [(kind, servers(kind)[0]) for kind in (POSTGRESQL, MYSQL)],
    ids=lambda given: given[0],
    indirect=True,
)


@ON_BOTH_KINDS
def test_a_backfill_goes_on_after_its_connection_was_cut_and_loses_nothing(server_database, project, request):
    project.url = server_database.url
    kind = request.node.callspec.params["server_database"][0]
    server_database.run(*TABLES[kind])
    project.revision("change", 'Backfill("users", {"amount": "amount + 1"}, where="amount = 0")')
    (project.folder / "cut.toml").write_text(CUT.replace("BEGUN", BEGUN[kind]))
    done = project.cli("chaos", "run", "cut.toml", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["report"]["verdict"]["status"] == "held"
    assert [one["ok"] for one in found["report"]["restored"]] == [True]
    told = [event["what"] for event in found["report"]["timeline"]]
    order = ["started: migrator apply", "fault: cut", "restored: cut", "ended with 0: migrator apply"]
    places = [next(place for place, what in enumerate(told) if what.startswith(one)) for one in order]
    assert places == sorted(places)
    page = Path(found["files"][1]).read_text()
    assert "**held.**" in page
    assert "each is counted once | after" in page


@ON_BOTH_KINDS
def test_connections_that_are_used_up_are_there_again(server_database, tmp_path):
    data = experiment(
        tmp_path,
        'duration = "1s"',
        faults=['kind = "connections"\nmost = 2000'],
        probes=['name = "asks"\nsql = "SELECT 1"\nequals = 1\ntolerated = "100%"'],
    )
    report = api.chaos_run(settings.load({"database_url": server_database.url}, environ={}), data).report
    assert report.verdict.status == "held"
    assert report.seen["fault"]["asks"].failed
    assert not report.seen["after"]["asks"].failed


def test_a_killed_instance_is_started_again_and_the_hypothesis_is_broken(tmp_path):
    with instance(tmp_path) as (pid_file, before):
        data = experiment(
            tmp_path,
            'most = "100%"\nduration = "50ms"',
            faults=['kind = "kill"'],
            probes=[f'name = "it is there"\ncommand = "{alive(pid_file)}"'],
        )
        conducted = api.chaos_run(settings.Settings(), data)
        assert conducted.report.verdict.status == "broken"
        assert "it is there" in conducted.report.verdict.reason
        after = named_in(pid_file)
        assert after is not None
        assert after != before
        assert json.loads(conducted.data.read_text())["restored"][0]["ok"]


def test_an_experiment_that_does_not_hold_beforehand_disturbs_nothing(tmp_path):
    with instance(tmp_path) as (pid_file, before):
        data = experiment(
            tmp_path, 'most = "100%"', faults=['kind = "kill"'], probes=[f'command = "{python("exit(1)")}"']
        )
        assert api.chaos_run(settings.Settings(), data).report.verdict.status == "refused"
        assert named_in(pid_file) == before


def test_what_a_killed_experiment_has_frozen_goes_on_after_a_restore(project):
    with instance(project.folder) as (_, frozen):
        experiment(
            project.folder,
            'most = "100%"\nduration = "60s"',
            faults=['kind = "freeze"'],
            probes=[f'command = "{python("pass")}"'],
        )
        with project.begun("chaos", "run", "chaos.toml") as runner:
            until(lambda: state(frozen.pid) == "T")
            assert project.cli("chaos", "restore").returncode == 4
            runner.kill()
            runner.wait()
        assert state(frozen.pid) == "T"
        again = project.cli("chaos", "run", "chaos.toml")
        assert (again.returncode, "migrator chaos restore" in again.stderr) == (2, True)
        assert project.json("chaos", "restore")["restored"] == [{"what": "freeze web", "problem": ""}]
        assert state(frozen.pid) != "T"
        assert project.json("chaos", "restore")["restored"] == []


def test_an_experiment_that_is_asked_to_end_puts_everything_back_and_reports(project):
    with instance(project.folder) as (_, frozen):
        experiment(
            project.folder,
            'most = "100%"\nduration = "60s"',
            faults=['kind = "freeze"'],
            probes=[f'command = "{python("pass")}"'],
        )
        with project.begun("chaos", "run", "chaos.toml") as runner:
            until(lambda: state(frozen.pid) == "T")
            runner.terminate()
            assert runner.wait() == 130
        assert state(frozen.pid) != "T"
        assert "interrupted" in next((project.folder / "chaos").glob("*.md")).read_text()


def test_a_file_system_is_filled_as_far_as_said_and_freed(tmp_path):
    found = os.statvfs(tmp_path)
    free, size = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    disk = f'kind = "disk"\npath = "."\nfree = "{free - 64 * 2**20}B"'
    probes = [f"command = \"/bin/sh -c 'ls {tmp_path}/*.fill'\"\nstages = ['fault']"]
    refused = api.chaos_run(settings.Settings(), experiment(tmp_path, "", faults=[disk], probes=probes))
    assert refused.report.verdict.status == "failed"
    assert "be filled at most" in refused.report.verdict.reason
    large = experiment(tmp_path, 'duration = "50ms"', faults=[f'{disk}\nlargest = "{size}B"'], probes=probes)
    assert api.chaos_run(settings.Settings(), large).report.verdict.status == "held"
    assert not list(tmp_path.glob("*.fill"))


@contextmanager
def instance(folder):
    """A process that has its number in a file; ended with whatever was started in its place."""
    pid_file, script = folder / "web.pid", folder / "web.py"
    script.write_text(INSTANCE)
    (folder / "start").write_text(f"#!/bin/sh\nexec {sys.executable} {script} {pid_file} >/dev/null 2>&1 &\n")
    (folder / "start").chmod(0o755)
    os.spawnv(os.P_WAIT, folder / "start", ["start"])
    until(lambda: named_in(pid_file))
    try:
        yield pid_file, named_in(pid_file)
    finally:
        os.kill(named_in(pid_file).pid, signal.SIGKILL)


def experiment(folder, options, *, faults, probes):
    """Write one whose baseline takes no time."""
    parts = [f'[chaos]\ntitle = "An experiment"\nbaseline = "0"\nbegin_after = "0"\n{options}']
    parts += [f"[[chaos.probes]]\n{probe}" for probe in probes] + [f"[[chaos.faults]]\n{fault}" for fault in faults]
    parts.append('[chaos.instances.web]\npid_file = "web.pid"\nstart = "./start"')
    path = folder / "chaos.toml"
    path.write_text("\n".join(parts))
    return path


def python(code):
    return f"{sys.executable} -S -c '{code}'"


def alive(pid_file):
    """Succeeds while the process runs; one that has ended and that nobody has asked after does not."""
    return f"/bin/sh -c 'grep -vq Z /proc/$(cat {pid_file})/stat'"


def state(pid):
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[0]
