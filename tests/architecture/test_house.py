"""The house rules that a program can check."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import migrator

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for package in ("migrator", "phases", "linters") for path in (ROOT / package).rglob("*.py"))
LONGEST_MODULE = 400
LONGEST_FUNCTION = 50
MAY_CONNECT = {
    "migrator/database.py",
    "migrator/app/binds.py",  # out of the pool of the application
    "migrator/embedded.py",  # asks its own child process whether it is up
    "migrator/embedded_mysql.py",  # likewise
    "migrator/offline/running.py",  # on a driver that reaches no server
    "migrator/demo/clients.py",  # stands for the user's application
    "migrator/shadow/observing.py",  # a scratch database of its own, which no other part of migrator sees
    "migrator/shadow/mysql.py",  # and another
    "migrator/testing/statements.py",  # stands for the user's application
}
CONNECTING = {"connect", "create_engine"}


def named(path):
    return path.relative_to(ROOT).as_posix()


def parsed(path):
    return ast.parse(path.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_modules_and_functions_stay_short(path):
    assert len(path.read_text().splitlines()) <= LONGEST_MODULE
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(parsed(path)), f"{named(path)} has no docstring"


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_connections_are_opened_in_one_module(path):
    if named(path) in MAY_CONNECT:
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CONNECTING:
            opened = node.func.value
            assert not (isinstance(opened, ast.Name) and opened.id in ("psycopg", "sqlalchemy", "engine", "pymysql"))


def test_public_names_are_documented_names():
    for name in migrator.__all__:
        assert getattr(migrator, name).__doc__, name


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import migrator", {"sqlalchemy", "alembic", "click", "postgast", "rich", "psycopg"}),
        ("import migrator.cli.main", {"sqlalchemy", "alembic", "postgast", "rich", "psycopg"}),
        ("import linters.parsing", {"sqlalchemy", "alembic", "click", "psycopg"}),
        ("import phases.operations", {"sqlalchemy", "alembic", "click", "psycopg", "postgast"}),
        ("import migrator.api", {"sqlalchemy", "alembic", "postgast", "rich", "psycopg"}),
        ("from migrator import api; api.lint('docs/examples/app/grants.sql')", {"sqlalchemy", "alembic", "rich"}),
        ("import migrator.testing.plugin", {"sqlalchemy", "alembic", "click", "postgast", "psycopg", "docker"}),
    ],
)
def test_imports_are_lazy(statement, absent):
    code = f"import sys; {statement}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not absent & set(done.stdout.split())
