"""The applications of the framework pages work through a rename, on real servers."""

from __future__ import annotations

import asyncio
import os
import runpy
import shutil
import subprocess
import sys

import httpx
import pytest
from celery.contrib.testing.worker import start_worker

from migrator import api
from migrator.app import phase_of, phase_of_async
from tests.app.servers import EVERY, NAMES, app_url, async_url
from tests.plugins.projects import ROOT

EXAMPLES = ROOT / "docs" / "examples" / "app"
RENAME = "2_rename_full_name"
USERS = (
    "CREATE TABLE users (id bigint PRIMARY KEY, full_name varchar(80))",
    "INSERT INTO users (id, full_name) VALUES (1, 'Zoe')",
)
STRETCHES = (None, "expand", "migrate")
"""What is run before each visit. The build that comes after it, with one column, is the one for the contract."""


@pytest.fixture
def shop(server_database, project, monkeypatch):
    """A project with a rename to do, and builds that are recorded."""
    server_database.run(*USERS)
    project.url = server_database.url
    project.revision("1_first", 'AddColumn("users", "age", "int")')
    project.apply()
    project.revision(RENAME, 'RenameColumn("users", "full_name", "name")')
    api.deploy_record(project.settings, api.Build("shop", "2.0", shape="1_first"))
    monkeypatch.setenv("DATABASE_URL", app_url(server_database).render_as_string(hide_password=False))
    return project


def go_on(project, stretch):
    if stretch is not None:
        project.apply(stretch, RENAME)


@pytest.mark.parametrize("server_database", EVERY[:1], indirect=True, ids=NAMES[:1])
def test_one_build_of_fastapi_works_through_a_rename(server_database, shop, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", async_url(server_database).render_as_string(hide_password=False))
    names = runpy.run_path(str(EXAMPLES / "fastapi" / "shop.py"))
    app, engine = names["app"], names["engine"]

    async def live():
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://shop") as web,
        ):
            for number, stretch in enumerate(STRETCHES, 2):
                await asyncio.to_thread(go_on, shop, stretch)
                await phase_of_async(RENAME, engine, ttl=0)
                assert (await web.post("/users", json={"id": number, "name": f"Ann {number}"})).status_code == 201
                found = (await web.get("/users", params={"like": "Ann%"})).json()
                assert found == [f"Ann {each}" for each in range(2, number + 1)]
                assert (await web.get("/ready")).status_code == 200

    asyncio.run(live())


@pytest.mark.parametrize("server_database", EVERY[1:2], indirect=True, ids=NAMES[1:2])
def test_one_build_of_flask_works_through_a_rename(shop):
    app = runpy.run_path(str(EXAMPLES / "flask" / "shop.py"))["create_app"]()
    web, engine = app.test_client(), app.extensions["engine"]
    try:
        for number, stretch in enumerate(STRETCHES, 2):
            go_on(shop, stretch)
            phase_of(RENAME, engine, ttl=0)
            assert web.post("/users", json={"id": number, "name": f"Ann {number}"}).status_code == 201
            assert web.get("/users?like=Ann%").json == [f"Ann {each}" for each in range(2, number + 1)]
            assert web.get("/ready").status_code == 200
    finally:
        engine.dispose()


@pytest.mark.parametrize("server_database", EVERY[:1], indirect=True, ids=NAMES[:1])
def test_a_worker_of_celery_that_lives_through_a_deployment_keeps_the_gate_shut(shop, monkeypatch):
    monkeypatch.setenv("VERSION", "1.0")
    api.consumer_add(shop.settings, "shop-worker")
    api.deploy_record(shop.settings, api.Build("shop-worker", "1.0", shape="1_first"))
    names = runpy.run_path(str(EXAMPLES / "celery" / "worker.py"))
    shop.apply()
    with start_worker(names["app"], perform_ping_check=False, pool="solo"):
        assert names["rename"].delay(1, "Zoe Lee").get(timeout=60) == "Zoe Lee"
        api.deploy_record(shop.settings, api.Build("shop-worker", "2.0", shape=RENAME))
        assert '"shop-worker/1.0#' in in_the_way(shop)["no session of an old build"]
    names["engine"].dispose()  # as the end of its process would; here it is a thread of ours
    assert "no session of an old build" not in in_the_way(shop)


def in_the_way(project):
    """Conditions of the gate that do not hold, each with what was seen."""
    verdict = api.gate(project.settings, RENAME)[RENAME]
    return {each.name: each.evidence for each in verdict.conditions if not each.holds}


@pytest.fixture
def django(database, tmp_path, monkeypatch):
    """The project of Django, and its commands, of a version of the application."""
    if database.version < (14, 0):
        pytest.skip("Django asks for PostgreSQL 14")
    folder = tmp_path / "django"
    shutil.copytree(EXAMPLES / "django", folder)
    monkeypatch.chdir(folder)

    def run(*words, **extra):
        env = {**os.environ, "DATABASE_URL": database.plain_url, "PYTHONPATH": str(ROOT), **extra}
        command = [sys.executable, *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, input=run.input)

    run.input, run.folder = "", folder
    return run


def test_django_knows_of_a_rename_that_the_migrator_does(django, database):
    assert django("manage.py", "migrate").returncode == 0  # as for a database of the tests
    assert database.rows("SELECT name FROM users") == []
    database.run("DROP TABLE users, django_migrations")
    assert django("manage.py", "migrate", "shop", "0001").returncode == 0
    database.run("INSERT INTO users (full_name) VALUES ('Zoe')")

    shutil.copy(django.folder / "at_once.py", django.folder / "shop/migrations/0002_rename_full_name.py")
    django.input = django("manage.py", "sqlmigrate", "shop", "0002").stdout
    assert "RENAME COLUMN" in django.input
    linted = django("-m", "migrator", "lint", "--dialect", "postgresql", "--select", "compatibility,hazard", "-")
    assert (linted.returncode, "RenameColumn(" in linted.stdout) == (1, True), linted.stdout + linted.stderr

    shutil.copy(EXAMPLES / "django/shop/migrations/0002_rename_full_name.py", django.folder / "shop/migrations")
    django.input = django("manage.py", "sqlmigrate", "shop", "0002").stdout
    assert django("-m", "migrator", "lint", "--dialect", "postgresql", "-").returncode == 0
    assert "first: migrator apply" in django("manage.py", "migrate").stderr

    assert django("-m", "migrator", "apply", "--yes").returncode == 0
    database.run("INSERT INTO users (full_name) VALUES ('Yan')")  # version 1.0 is live
    assert django("manage.py", "migrate").returncode == 0
    code = (
        "from shop.models import User; User.objects.create(name='Xia'); print(list(User.objects.values_list('name')))"
    )
    done = django("manage.py", "shell", "-v", "0", "-c", code)
    assert "[('Zoe',), ('Yan',), ('Xia',)]" in done.stdout, done.stdout + done.stderr
    assert database.rows("SELECT full_name FROM users ORDER BY id") == [("Zoe",), ("Yan",), ("Xia",)]
    assert django("manage.py", "makemigrations", "--check", "--dry-run").returncode == 0
