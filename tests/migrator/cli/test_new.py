"""`migrator new`: a file in our form, in whatever project."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from migrator import Migration
from migrator.projects import revision_id
from migrator.revisions import VERSION_LENGTH, RevisionGraph


def new(project, *words: str) -> str:
    """Write a revision; return its id."""
    document = project.json("new", *words)
    assert "path" in document, document
    text = Path(document["path"]).read_text()
    return re.search(r'^revision = [\'"](.+)[\'"]$', text, re.M)[1]


def graph(project) -> RevisionGraph:
    return RevisionGraph.load(project.settings)


def test_a_new_revision_has_our_form_and_a_readable_id(project) -> None:
    name = new(project, "Rename users.full_name to users.name")
    assert re.fullmatch(r"[0-9a-f]{6}_rename_users_full_name\w*", name)
    found = graph(project)[name]
    assert found.migration == Migration()
    assert found.message.startswith("Rename users.full_name to users.name")


def test_each_builds_on_the_one_before(project) -> None:
    first, second = new(project, "First"), new(project, "Second")
    assert graph(project)[second].down_revisions == (first,)


def test_text_output_names_the_file_and_the_next_command(project) -> None:
    found = project.cli("new", "First")
    assert found.returncode == 0
    assert "migrations/versions/" in found.stdout
    assert "migrator plan" in found.stdout


@pytest.mark.parametrize(
    "message",
    ['say "hi"', "C:\\new\\users", '"""', "100% ${done} <%", "Zeile mit Ümläuten", "名前", "ends with \\", "a\nb"],
)
def test_any_message_makes_a_file_that_imports(project, message: str) -> None:
    name = new(project, message)
    assert graph(project)[name].migration == Migration()


def test_an_empty_message_is_wrong_usage(project) -> None:
    assert project.cli("new", "  ").returncode == 2


@pytest.mark.parametrize("message", ["x" * 200, "word " * 50, "名前", "a-b_c"])
def test_ids_fit_alembics_version_table(message: str) -> None:
    assert len(revision_id(message)) <= VERSION_LENGTH
    assert re.fullmatch(r"[0-9a-f]{6}(_[a-z0-9]+)*", revision_id(message))


def test_branches_need_a_head_and_take_labels_and_dependencies(project) -> None:
    first = new(project, "First")
    label = new(project, "Billing", "--head", "base", "--branch-label", "billing")
    assert project.cli("new", "Which").returncode == 2
    third = new(project, "More", "--head", "billing@head", "--depends-on", first)
    found = graph(project)
    assert found[third].down_revisions == (label, first)
    assert found.ancestors(third) == {first, label, third}


def test_building_on_an_old_revision_must_be_said(project) -> None:
    first = new(project, "First")
    new(project, "Second")
    assert project.cli("new", "Aside", "--head", first).returncode == 2
    aside = new(project, "Aside", "--head", first, "--splice")
    assert graph(project)[aside].down_revisions == (first,)


def test_an_unknown_head_is_named(project) -> None:
    found = project.cli("new", "x", "--head", "nope")
    assert found.returncode == 2
    assert "nope" in found.stderr
    assert list((project.folder / "migrations" / "versions").glob("*.py")) == []


def test_an_adopted_project_keeps_its_template_and_gets_our_form(project) -> None:
    mako = project.folder / "migrations" / "script.py.mako"
    theirs = (
        '"""${message}"""\nrevision = ${repr(up_revision)}\ndown_revision = ${repr(down_revision)}\n'
        "branch_labels = None\ndepends_on = None\ndef upgrade(): pass\ndef downgrade(): pass\n"
    )
    mako.write_text(theirs)
    name = new(project, "First")
    assert graph(project)[name].migration == Migration()
    assert mako.read_text() == theirs
