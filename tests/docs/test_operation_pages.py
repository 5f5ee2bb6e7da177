"""Every operation has a page, and what the page says is what running its examples gives."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from docs.generator.operation_pages import page_of_runs, resigned_page
from docs.generator.running import MAJOR, examples_of, run_example, scratch_database
from docs.generator.signatures import FOLDER, NAMES, index_page, page_of
from linters.rules import RULES
from migrator.embedded import EmbeddedServer, all_binaries
from phases import operations
from tests.plugins.projects import ROOT
from tests.plugins.servers import missing, versions

STALE = "run: python docs/generate.py"
EXPORTED = {
    name
    for name, value in vars(operations).items()
    if isinstance(value, type) and issubclass(value, operations.Operation) and value is not operations.Operation
}


def test_every_operation_is_listed_once_and_has_a_page():
    assert sorted(NAMES) == sorted(EXPORTED)
    pages = {page_of(name) for name in NAMES} | {FOLDER / "index.md"}
    assert set(FOLDER.iterdir()) == pages
    navigation = (ROOT / "mkdocs.yml").read_text()
    for page in pages:
        assert f"- {page.relative_to(ROOT / 'docs').as_posix()}\n" in navigation


def test_signatures_on_the_pages_are_those_of_the_code():
    assert (FOLDER / "index.md").read_text() == index_page(), STALE
    for name in NAMES:
        assert page_of(name).read_text() == resigned_page(name), STALE


@pytest.fixture(scope="module")
def scratch_url(fleet):
    """A database on a server like the one the pages are written from: its version and its superuser are on them."""
    with ExitStack() as stack:
        if MAJOR in versions():
            found = fleet.server(MAJOR).url
        elif MAJOR in all_binaries():
            found = stack.enter_context(EmbeddedServer(all_binaries()[MAJOR])).url()
        else:
            missing(f"PostgreSQL {MAJOR} is not installed here")
        yield stack.enter_context(scratch_database(found.replace("+psycopg", "")))


@pytest.mark.parametrize("name", NAMES)
def test_running_the_examples_gives_the_page(name, scratch_url):
    runs = [run_example(example, scratch_url) for example in examples_of(name)]
    assert page_of(name).read_text() == page_of_runs(name, runs), STALE
    # Planning lints every step in its phase: it has nothing to say of ours.
    warnings = [warning for run in runs if run.plan for warning in run.plan.warnings]
    assert [warning for warning in warnings if warning.endswith(tuple(f"({rule})" for rule in RULES))] == []
