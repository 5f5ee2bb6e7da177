"""What the documents say is true: commands run, pages match the code, links lead somewhere."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from docs.generator import plain_pages
from tests.plugins.projects import ROOT

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"```(console|python|sh)\n(.*?)```", re.S)
SCRIPTS = str(Path(sys.executable).parent)
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
EXAMPLES = sorted(path for path in (ROOT / "examples").iterdir() if path.is_dir())


def environment(**extra):
    return {**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), **extra}


def commands(text):
    """Each command of a console block, with the exit code its comment announces."""
    for line in text.splitlines():
        if line.startswith("$ "):
            command, _, comment = line[2:].partition("  #")
            said = re.match(r"\s*exit (\d)", comment)
            yield command.strip(), int(said[1]) if said and ":" in comment else 0


def test_every_command_of_the_readme_does_what_it_says(database, tmp_path):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL)",
        "INSERT INTO users SELECT i, 'user ' || i FROM generate_series(1, 100) i",
    )
    env = environment(MIGRATOR_DATABASE_URL=database.plain_url)
    for kind, text in BLOCK.findall(README):
        if kind == "python":
            written = next((tmp_path / "migrations" / "versions").glob("*.py"))
            lines = text.strip().splitlines()
            source = written.read_text().replace("from migrator import Migration", lines[0])
            written.write_text(source.replace("migration = Migration()", lines[-1]))
        for command, code in commands(text) if kind == "console" else ():
            if command.startswith("export "):
                continue
            done = subprocess.run(
                shlex.split(command), cwd=tmp_path, env=env, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    assert database.rows("SELECT count(name) FROM users") == [(100,)]
    assert "migrator" not in database.dump()


def test_the_two_commands_and_the_checks_are_targets_of_the_makefile():
    targets = set(re.findall(r"(?:^|`)make (\w+)", README + (ROOT / "CONTRIBUTING.md").read_text(), re.M))
    assert {"demo", "test", "bench", "lint", "docs"} <= targets
    for target in targets:
        subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)
    for path in re.findall(r"ARGS=(tests/\w+)", README):
        assert (ROOT / path).is_dir()


@pytest.mark.parametrize(
    "module",
    [
        *("benchmarks.app", "benchmarks.backfill", "benchmarks.matched", "benchmarks.key_type", "benchmarks.startup"),
        "benchmarks.lint_speed",
    ],
)
def test_every_benchmark_of_the_readme_runs(module):
    assert f"python -m {module}" in README
    small = {"benchmarks.startup": ["--runs", "1"], "benchmarks.lint_speed": ["--statements", "1000"]}
    rows = ["--rows", "3000", "--quiet-seconds", "0.3"]
    small["benchmarks.app"] = ["--statements", "10", "--rounds", "1"]
    small["benchmarks.backfill"] = [*rows, "--window", "0"]
    small["benchmarks.matched"] = ["--rows", "30000", "--rates", "4000", "--rounds", "1", "--seconds", "0.5"]
    options = small.get(module, rows)
    done = subprocess.run(
        [sys.executable, "-m", module, "--format", "json", *options],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )
    figures = json.loads(done.stdout)
    harm = [figures.pop(name, None) for name in ("failed_statements", "errors", "rows_different")]
    assert not any(harm), harm
    assert all(value for value in figures.values())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(example, database, tmp_path):
    copy = tmp_path / example.name
    shutil.copytree(example, copy)
    env = environment(SHOP_DATABASE_URL=database.plain_url)
    done = subprocess.run(
        ["sh", str(copy / "walkthrough.sh")], env=env, capture_output=True, text=True, timeout=200, cwd=tmp_path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("shop 2.0:") == 3
    assert "shop 2.0: Ann Smith, Bob Jones, Cleo Brown, Dan Green, Eve White, Finn Black" in done.stdout


def test_the_examples_environment_is_the_template():
    template = (ROOT / "migrator" / "templates" / "env.py.txt").read_text()
    for example in EXAMPLES:
        same = (example / "migrations" / "env.py").read_text()
        assert same == template


def test_reference_pages_are_generated_from_the_code():
    for name, page in plain_pages.PAGES.items():
        assert (ROOT / "docs" / "reference" / name).read_text() == page(), "run: python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_quoted_files_exist(page):
    for target in re.findall(r'--8<-- "([^"]+)"', page.read_text()):
        assert (ROOT / target).exists()


def test_commands_in_the_documents_exist():
    from migrator.cli.commands import COMMANDS

    for page in PAGES:
        for verb in re.findall(r"`migrator ([a-z]+)", page.read_text()):
            assert verb in COMMANDS, f"{page}: migrator {verb}"
