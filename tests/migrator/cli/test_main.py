"""The frame of the command line: help, near misses, errors, exit codes, passwords."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys

import click
import pytest

from migrator.cli import main as frame
from migrator.cli.commands import COMMANDS
from migrator.cli.render import print_json
from migrator.errors import Interrupted, LockNotAvailable, MigratorError, NotYet, SettingsError

SECRET = "S3CRET~"
URL = f"postgresql://u:{SECRET}@127.0.0.1:1/nowhere"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_verb_says_of_itself_what_the_table_says_and_gives_an_example(name: str) -> None:
    command = importlib.import_module(f"migrator.cli.{name}").command
    assert command.help == COMMANDS[name]
    assert f"migrator {name}" in command.epilog


def test_help_lists_every_verb_and_imports_none() -> None:
    program = (
        "import sys\nfrom migrator.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print('imported:', sorted(m for m in sys.modules if m.split('.')[0] in"
        " ('sqlalchemy', 'alembic', 'psycopg', 'postgast', 'rich') or m in"
        f" {{'migrator.cli.' + n for n in {list(COMMANDS)!r}}}))\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment())
    assert found.returncode == 0, found.stderr
    assert all(name in found.stdout for name in COMMANDS)
    assert "imported: []" in found.stdout


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **extra}


def test_an_unknown_verb_names_the_near_miss(project) -> None:
    found = project.cli("aply")
    assert (found.returncode, found.stdout) == (2, "")
    assert "apply" in found.stderr
    assert "next:" in found.stderr


def test_no_verb_at_all_shows_the_help(project) -> None:
    found = project.cli()
    assert found.returncode == 2
    assert "Usage: migrator" in found.stderr
    assert "error:" not in found.stderr


def test_wrong_options_are_wrong_usage_in_text_and_json(project) -> None:
    assert project.cli("plan", "--nonsense").returncode == 2
    found = project.cli("plan", "--nonsense", "--format", "json")
    assert found.returncode == 2
    assert json.loads(found.stdout)["error"]["exit_code"] == 2
    assert found.stderr == ""


def test_an_error_as_json_is_one_object_with_everything_in_it(project) -> None:
    document = project.json("plan")
    assert document["schema_version"] == 1
    assert set(document["error"]) == {"type", "message", "next", "facts", "exit_code"}
    assert document["error"]["type"] == "SettingsError"
    assert "--database-url" in document["error"]["next"]


def test_a_server_that_is_away_is_said_without_the_password(project) -> None:
    for words in (("plan",), ("plan", "--format", "json"), ("status",)):
        for extra in (("--database-url", URL), ()):
            found = project.cli(*words, *extra, DATABASE_URL=URL, MIGRATOR_DEBUG="1")
            assert found.returncode == 1
            assert SECRET not in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (MigratorError("x"), 1),
        (SettingsError("x"), 2),
        (NotYet("x"), 3),
        (LockNotAvailable("x"), 4),
        (Interrupted("x"), 130),
        (KeyError("x"), 1),
        (click.Abort(), 1),
    ],
)
def test_the_exit_code_is_the_same_in_the_process_and_in_the_json(problem: Exception, code: int, capsys) -> None:
    assert frame.exit_code(problem, ["--format", "json"]) == code
    assert json.loads(capsys.readouterr().out)["error"]["exit_code"] == code


def test_ctrl_c_exits_130_even_where_click_hides_it(capsys) -> None:
    hidden = click.Abort()
    hidden.__context__ = KeyboardInterrupt()  # what click.prompt leaves
    for problem in (KeyboardInterrupt(), hidden):
        assert frame.exit_code(problem, []) == 130
        assert "run the same command again" in capsys.readouterr().err


def test_an_interrupted_question_exits_130(tmp_path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    with subprocess.Popen(
        [sys.executable, "-m", "migrator", "init"],
        cwd=tmp_path,
        env=environment(PYTHONUNBUFFERED="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as running:
        shown = b""
        while b"[y/N]" not in shown:
            letter = running.stderr.read(1)
            assert letter, shown
            shown += letter
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=30)
    assert running.returncode == 130
    assert "migrator" not in (tmp_path / "pyproject.toml").read_text()


@pytest.mark.parametrize("debug", ["", "1"])
def test_an_unforeseen_error_is_one_line_without_password_and_a_traceback_only_when_asked(
    debug: str, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIGRATOR_DEBUG", debug)
    assert frame.exit_code(ValueError(f"cannot read {URL}"), []) == 1
    shown = capsys.readouterr().err
    assert SECRET not in shown
    assert "this is a bug" in shown
    assert ("ValueError: cannot read" in shown.partition("error:")[0]) == bool(debug)


def test_a_password_in_a_fact_is_masked_and_the_json_stays_json(capsys) -> None:
    print_json({"a": URL, "b": [{"c": f"host=h password={SECRET}"}], "d": 'x "y" z'})
    document = json.loads(capsys.readouterr().out)
    assert SECRET not in json.dumps(document)
    assert document["d"] == 'x "y" z'


@pytest.mark.parametrize(("extra", "coloured"), [({"NO_COLOR": "1"}, False), ({}, True)])
def test_a_terminal_gets_colour_unless_no_color_is_set(project, extra: dict[str, str], coloured: bool) -> None:
    reader, writer = os.openpty()
    base = {name: value for name, value in environment().items() if name != "NO_COLOR"}
    command = [sys.executable, "-m", "migrator", "aply"]
    subprocess.run(command, cwd=project.folder, env={**base, **extra}, stderr=writer, check=False, timeout=60)
    os.close(writer)
    shown = os.read(reader, 4096)
    os.close(reader)
    assert b"apply" in shown
    assert (b"\x1b[" in shown) == coloured


def test_a_reader_that_leaves_early_hears_nothing(project) -> None:
    shell = f"{sys.executable} -m migrator --help | true"
    found = subprocess.run(["bash", "-c", shell], cwd=project.folder, env=environment(), capture_output=True, text=True)
    assert found.stderr == ""
