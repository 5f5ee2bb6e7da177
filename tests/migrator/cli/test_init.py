"""`migrator init`: a new project, an Alembic one, and the second time."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from tests.plugins.projects import Project

INI = "[alembic]\nscript_location = %(here)s/db\n"


@pytest.fixture
def empty(tmp_path: Path) -> Project:
    """A folder with nothing in it."""
    return Project(tmp_path)


def files(project: Project) -> dict[str, bytes]:
    return {
        str(path.relative_to(project.folder)): path.read_bytes()
        for path in sorted(project.folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_a_new_project_gets_all_it_needs(empty: Project) -> None:
    assert empty.cli("init").returncode == 0
    assert set(files(empty)) == {
        "pyproject.toml",
        "migrations/env.py",
        "migrations/script.py.mako",
        "migrations/versions/.gitkeep",
    }
    tool = tomllib.loads((empty.folder / "pyproject.toml").read_text())["tool"]
    assert tool["alembic"]["script_location"] == "%(here)s/migrations"
    assert "migrator" in tool


def test_the_second_time_changes_nothing(empty: Project) -> None:
    empty.cli("init")
    before = files(empty)
    found = empty.cli("init")
    assert found.returncode == 0
    assert files(empty) == before
    assert "env.py" not in found.stdout + found.stderr


def test_the_folder_can_be_chosen(empty: Project) -> None:
    empty.cli("init", "--script-location", "db/changes")
    assert (empty.folder / "db" / "changes" / "env.py").is_file()
    assert empty.cli("new", "First").returncode == 0


def test_an_existing_pyproject_is_added_to_only_when_confirmed(empty: Project) -> None:
    pyproject = empty.folder / "pyproject.toml"
    pyproject.write_text('[project]\nname = "shop"')
    found = empty.cli("init")  # nobody answers
    assert found.returncode == 1
    assert "[tool.migrator]" in found.stdout
    assert files(empty) == {"pyproject.toml": b'[project]\nname = "shop"'}
    assert empty.cli("init", "--yes").returncode == 0
    assert pyproject.read_text().startswith('[project]\nname = "shop"\n')
    assert set(tomllib.loads(pyproject.read_text())) == {"project", "tool"}


def test_an_alembic_project_is_adopted_without_touching_its_files(empty: Project) -> None:
    (empty.folder / "db" / "versions").mkdir(parents=True)
    theirs = {"alembic.ini": INI, "db/env.py": "# theirs\n", "db/script.py.mako": "${message}\n"}
    for name, text in theirs.items():
        (empty.folder / name).write_text(text)
    found = empty.cli("init", "--yes")
    assert found.returncode == 0
    now = files(empty)
    assert {name: now[name].decode() for name in theirs} == theirs
    assert set(now) - set(theirs) == {"pyproject.toml"}
    assert "context.configure(..., **options())" in found.stdout + found.stderr
    assert str(empty.folder / "db" / "env.py") in found.stdout + found.stderr


def test_json_never_asks(empty: Project) -> None:
    (empty.folder / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    found = empty.cli("init", "--format", "json")
    assert found.returncode == 2
    assert "--yes" in json.loads(found.stdout)["error"]["message"]
    document = empty.json("init", "--yes")
    assert document["adopts"] is False
    assert document["added_to"] == [str(empty.folder / "pyproject.toml")]
    assert len(document["created"]) == 3
