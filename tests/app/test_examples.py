"""The examples of the pages about applications run, on servers of both kinds."""

from __future__ import annotations

import runpy

import pytest

from migrator import api
from migrator.app import set_observer
from tests.app.servers import EVERY, NAMES, app_url, async_url
from tests.plugins.projects import ROOT

EXAMPLES = ROOT / "docs" / "examples" / "app"
PAGES = ROOT / "docs" / "app"


@pytest.fixture
def shop(server_database, project, monkeypatch):
    server_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(80) NOT NULL)", "INSERT INTO users VALUES (1, 'Ada')"
    )
    project.url = server_database.url
    project.revision("0002_rename", 'RenameColumn("users", "full_name", "name")')
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("DATABASE_URL", app_url(server_database).render_as_string(hide_password=False))
    yield project
    set_observer()


@pytest.mark.parametrize("server_database", EVERY[:2], indirect=True, ids=NAMES[:2])
def test_examples_of_the_application_run(server_database, shop, monkeypatch, capsys):
    runpy.run_path(str(EXAMPLES / "measuring.py"))
    said = capsys.readouterr()
    assert 'migrator_backfill_rows_total{migration="0002_rename"} 1.0' in said.out
    assert 'migrator_phase_info{migration="0002_rename",phase="migrated"} 1.0' in said.out
    assert '"name": "migrator migrate"' in said.out
    api.deploy_record(shop.settings, api.Build("shop", "2.0", shape="0002_rename"))
    runpy.run_path(str(EXAMPLES / "register.py"))
    assert "connections are named shop/2.0" in capsys.readouterr().out
    runpy.run_path(str(EXAMPLES / "phase_of.py"))
    assert "['Ada']" in capsys.readouterr().out
    monkeypatch.setenv("DATABASE_URL", async_url(server_database).render_as_string(hide_password=False))
    runpy.run_path(str(EXAMPLES / "register_async.py"))
    assert "Readiness(ok=True" in capsys.readouterr().out


def test_every_example_is_on_a_page():
    pages = "".join(page.read_text() for page in PAGES.glob("*.md"))
    for example in EXAMPLES.iterdir():
        if example.suffix in (".py", ".sql"):
            assert f'--8<-- "docs/examples/app/{example.name}"' in pages, example.name
