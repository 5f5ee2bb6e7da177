"""The pre-commit hook, the GitHub action and the GitLab template, as far as one machine can run them."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from migrator.cli.lint import command
from tests.plugins.projects import ROOT

UNSAFE = "ALTER TABLE users DROP COLUMN fax;\n"
SCRIPTS = Path(sys.executable).parent


def action():
    return yaml.safe_load((ROOT / "action.yml").read_text())


def lint_step(folder, **inputs):
    """Run the last step of the action as a runner would, with our own program where the first step installs it."""
    program = folder / "temp" / "migrator-lint" / "bin" / "migrator"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m migrator "$@"\n')
    program.chmod(0o755)
    step = action()["runs"]["steps"][-1]
    given = {name: inputs.get(name.removeprefix("LINT_").lower(), "") for name in step["env"]}
    env = {**os.environ, **given, "RUNNER_TEMP": str(folder / "temp")}
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
        cwd=folder, env=env, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_the_action_annotates_and_writes_sarif(tmp_path):
    (tmp_path / "a b.sql").write_text(UNSAFE)
    (tmp_path / "c.sql").write_text("SELECT 1;\n")
    done = lint_step(tmp_path, paths="a b.sql\nc.sql", options="--server-version 16", sarif="out.sarif")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error file=a b.sql,line=1,")
    assert len(json.loads((tmp_path / "out.sarif").read_text())["runs"][0]["results"]) == 1
    assert lint_step(tmp_path, paths="c.sql").returncode == 0
    assert lint_step(tmp_path, paths="missing.sql", sarif="out.sarif").returncode == 2


def test_every_input_of_the_action_is_used():
    text = (ROOT / "action.yml").read_text()
    assert all(f"inputs.{name} " in text for name in action()["inputs"])


def test_the_gitlab_job_keeps_its_report_and_fails_by_what_it_finds(tmp_path):
    job = yaml.safe_load((ROOT / "ci" / "gitlab.yml").read_text())["migrator-lint"]
    commands = [line for line in job["script"] if line.startswith("migrator")]
    report = job["artifacts"]["reports"]["codequality"]
    (tmp_path / "a.sql").write_text(UNSAFE)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *identity, "commit", "-qm", "empty", "--allow-empty"], cwd=tmp_path, check=True)
    subprocess.run(["git", "update-ref", "FETCH_HEAD", "HEAD"], cwd=tmp_path, check=True)
    shell = f'migrator() {{ {sys.executable} -m migrator "$@"; }}\nset -e\n' + "\n".join(commands)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LINT_OPTIONS": "", "LINT_PATHS": "a.sql"}
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1, done.stderr
    assert json.loads((tmp_path / report).read_text())[0]["check_name"] == "drop-column"


def test_the_hook_runs_a_command_that_takes_files():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert shlex.split(hook["entry"]) == ["migrator", "lint"]
    assert hook["require_serial"]  # one run over all files, so that earlier ones are the schema of later ones
    assert command.params[0].nargs == -1


@pytest.mark.skipif(not (SCRIPTS / "pre-commit").exists(), reason="pre-commit is not installed")
def test_pre_commit_takes_the_hook():
    done = subprocess.run(
        [SCRIPTS / "pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml"], capture_output=True
    )
    assert done.returncode == 0, done.stdout
