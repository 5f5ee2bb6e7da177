"""`migrator.api`: what is public is documented, and what the command line does is there."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import runpy
import subprocess
import sys

import pytest

from docs.generator import module_pages
from migrator import api, testing
from migrator.cli.commands import COMMANDS
from tests.plugins.projects import ROOT

WITHOUT = {"init", "convert", "demo"}
"""Verbs that write files or are to be looked at."""

ENGINE = tuple(f"migrator.{name}" for name in "database execution ledger.store ledger.schema performance runs".split())


PUBLIC = {"api": (api, module_pages.API_NAMES), "testing": (testing, module_pages.TESTING_NAMES)}


@pytest.mark.parametrize(("module", "documented"), PUBLIC.values(), ids=PUBLIC)
def test_public_names_are_documented_names(module, documented):
    assert sorted(name for group in documented.values() for name in group) == sorted(module.__all__)
    for name in module.__all__:
        assert inspect.getdoc(getattr(module, name)), name


def test_type_checkers_see_the_names_that_are_there():
    tree = ast.parse((ROOT / "migrator" / "api.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    seen |= {node.targets[0].id for node in block.body if isinstance(node, ast.Assign)}
    assert {name for name in seen if not name.startswith("_")} == set(api.__all__)


ALONE = """
import importlib, os, sys
import click, psycopg, sqlalchemy.orm

children = {}
for name in sys.argv[1:]:
    if not (child := os.fork()):
        importlib.import_module(name)
        os._exit(0)
    children[child] = name
failed = [name for child, name in children.items() if os.waitpid(child, 0)[1]]
sys.exit(", ".join(failed) or 0)
"""


def test_what_is_public_can_be_the_first_that_is_imported():
    """The server that runs the command line for the tests has imported everything."""
    homes = sorted({module for module, _ in api.HOMES.values()})
    done = subprocess.run([sys.executable, "-c", ALONE, *homes], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_values_are_frozen():
    for name in module_pages.API_NAMES["Values"]:
        found = getattr(api, name)
        if dataclasses.is_dataclass(found):
            assert found.__dataclass_params__.frozen, name


def test_every_verb_of_the_command_line_is_a_function():
    for verb in COMMANDS.keys() - WITHOUT:
        assert [name for name in api.__all__ if name == verb or name.startswith((f"{verb}_", f"{verb}s"))], verb


def test_the_command_line_leaves_the_work_to_functions():
    for path in (ROOT / "migrator" / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith(ENGINE), f"{path.name}: {node.module}"


def test_the_example_of_the_page_runs(database, project, monkeypatch, capsys):
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text)")
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("SHOP_DATABASE_URL", database.plain_url)
    runpy.run_path(str(ROOT / "docs" / "examples" / "api" / "apply.py"))
    said = capsys.readouterr().out
    assert "lint: 0 findings" in said
    assert "states: {'rename': 'migrated'}" in said
    assert "rename: the gate is closed" in said
