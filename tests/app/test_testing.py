"""`migrator.testing`: what harms a version of the application is found, named, and said how to mend."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table

from migrator.errors import UsageError
from migrator.testing import (
    Database,
    Incompatible,
    Statement,
    assert_compatible,
    assert_lint_clean,
    assert_two_ways_one_schema,
)
from migrator.testing.advice import CODES, advice
from migrator.testing.databases import Databases, fresh_database
from migrator.testing.journal import Journal
from migrator.testing.schemas import DifferentSchemas
from migrator.testing.servers import VARIABLES, ServerMissing, Servers
from migrator.testing.statements import Failure, statements
from tests.plugins.families import MYSQL, named, servers
from tests.plugins.projects import ROOT

EXAMPLES = ROOT / "docs" / "examples" / "app"
TABLE = 'CreateTable("users", Column("id", "bigint", primary_key=True), Column("full_name", "varchar(80)"))'
OLD = ["INSERT INTO users (id, full_name) VALUES (:n, 'Ann')", ("SELECT full_name FROM users WHERE id = :n", "Ann")]
NEW = ["INSERT INTO users (id, name) VALUES (:n, 'Bob')", ("SELECT name FROM users WHERE id = :n", "Bob")]
OTHERS = [pytest.param((MYSQL, name), id=named(MYSQL, name)) for name in servers(MYSQL)]
"""Beside PostgreSQL, which the example project is on."""


@pytest.fixture
def here(server_database, monkeypatch):
    """The name of the server of a test; databases are made on the one that runs already."""
    databases = Databases(Servers({}))
    databases.servers.running[server_database.family] = server_database.url
    monkeypatch.setattr("migrator.testing.databases.shared", lambda: databases)
    yield server_database.family
    databases.close()


@pytest.fixture
def shop(tmp_path, database):
    """The example project, and pytest run in it as by somebody who has installed us."""
    shutil.copytree(EXAMPLES / "testing", tmp_path / "shop")
    installed = tmp_path / "installed"
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["pytest11"]
    about = installed / "shop_migrator-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-migrator\nVersion: 1\n")
    lines = [f"{name} = {module}" for name, module in points.items()]
    (about / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines]))
    given = {VARIABLES["postgresql"]: database.plain_url, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}

    def run(*words, **extra):
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rs", *words]
        env = {**os.environ, "PYTEST_ADDOPTS": "", **given, **extra}
        return subprocess.run(command, cwd=run.folder, env=env, capture_output=True, text=True, timeout=120)

    run.folder = tmp_path / "shop"
    return run


def test_the_example_project_passes(shop):
    done = shop()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "5 passed" in done.stdout


def test_databases_are_on_every_server_that_the_project_names(shop):
    done = shop("--collect-only", "-k", "user_is_found", "-o", "migrator_servers=postgresql-16 mariadb")
    assert re.findall(r"::test_a_user_is_found\[(.*)\]", done.stdout) == ["postgresql-16", "mariadb"]


def test_a_migration_that_breaks_the_old_version_is_caught_as_the_page_shows_it(shop):
    broken = EXAMPLES / "testing_broken"
    shutil.copy(broken / "3_email_required.py", shop.folder / "migrations" / "versions")
    shutil.copy(broken / "test_email_required.py", shop.folder / "tests")
    done = shop("tests/test_email_required.py", "--tb=short")
    assert done.returncode == 1, done.stdout + done.stderr
    said = " ".join(re.sub(r"^E {3}", "", line) for line in done.stdout.splitlines())
    for line in (broken / "message.txt").read_text().splitlines():
        # Whether a statement fails in a step already, or is run after it, is a matter of chance.
        words = re.escape(" ".join(line.split())).replace("after", "(after|during)").replace("during", "(after|during)")
        assert line.lstrip().startswith(("worked", "until")) or re.search(words, " ".join(said.split())), (
            line,
            done.stdout,
        )


def test_the_assertions_work_without_the_plugin(shop):
    done = shop("-p", "no:migrator", "-k", "no_script")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_missing_server_skips_with_its_reason_and_fails_in_ci(monkeypatch):
    monkeypatch.setattr("migrator.testing.databases.shared", lambda: Databases(Servers({})))
    monkeypatch.setattr("migrator.testing.servers.docker_answers", lambda: False)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no PostgreSQL 9 on this machine"), fresh_database("postgresql-9"):
        pass
    monkeypatch.setenv("CI", "true")
    with pytest.raises(ServerMissing), fresh_database("postgresql-9"):
        pass


@pytest.mark.parametrize("server_database", OTHERS, indirect=True)
def test_a_rename_harms_neither_version_and_every_step_is_tried(here, project):
    project.revision("users", TABLE)
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    given = "INSERT INTO users (id, full_name) VALUES (1, 'Zoe'), (2, 'Yan')"
    done = assert_compatible("rename", old=OLD, new=NEW, given=given, project=project.folder, server=here)
    tried = " ".join(done.moments)
    for part in ("before the revision", "expand: ", "migrate: ", "abort: ", "contract: ", "restore: ", "purge: "):
        assert part in tried, part


@pytest.mark.parametrize("server_database", OTHERS[-1:], indirect=True)
def test_a_new_version_that_still_uses_the_old_name_fails_with_the_contract(server_database, here, project):
    project.revision("users", TABLE)
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    new = [*NEW, "SELECT full_name FROM users"]
    given = Database(server_database.url, server_database.name, here)
    with pytest.raises(Incompatible) as caught:
        assert_compatible("rename", old=OLD, new=new, project=project.folder, database=given, back=False)
    with pytest.raises(UsageError, match="rename is in the database already"):
        assert_compatible("rename", old=OLD, new=new, project=project.folder, database=given)
    said = str(caught.value)
    assert "rename breaks the new version" in said
    assert "new version, statement 3 of 3: SELECT full_name FROM users" in said
    assert re.search(r"fails +(during|after) contract: [^\n]*\n +and from there on", said)
    assert "may use nothing that the contract takes away" in said


def test_a_statement_that_waits_longer_than_it_may_is_named(database, monkeypatch, project):
    databases = Databases(Servers({VARIABLES["postgresql"]: database.url}))
    monkeypatch.setattr("migrator.testing.databases.shared", lambda: databases)
    project.revision("users", TABLE)
    slow = "DO $$ BEGIN LOCK TABLE users; PERFORM pg_sleep(1.3); END $$"
    project.revision("slow", f"RunSQL(expand={slow!r}, undo='SELECT 1', accept=['lock-table'], reason='a test')")
    with pytest.raises(Incompatible, match="waited longer for a lock than it may") as caught:
        assert_compatible("slow", old=OLD, new=OLD, project=project.folder, back=False)
    assert "works again after expand: " in str(caught.value)


def test_statements_that_do_not_work_before_the_revision_are_the_tests_fault(database, monkeypatch, project):
    databases = Databases(Servers({VARIABLES["postgresql"]: database.url}))
    monkeypatch.setattr("migrator.testing.databases.shared", lambda: databases)
    project.revision("users", TABLE)
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    with pytest.raises(Incompatible, match="the old version does not work before rename"):
        assert_compatible("rename", old=NEW, new=NEW, project=project.folder)
    with pytest.raises(UsageError, match=r"given: .* fails"):
        assert_compatible("rename", old=OLD, new=NEW, given="INSERT INTO user VALUES (1)", project=project.folder)


def test_the_difference_between_models_and_migrations_is_shown(database, monkeypatch, project):
    databases = Databases(Servers({VARIABLES["postgresql"]: database.url}))
    monkeypatch.setattr("migrator.testing.databases.shared", lambda: databases)
    project.revision("users", TABLE)
    models = MetaData()
    Table("users", models, Column("id", Integer, primary_key=True, autoincrement=False), Column("name", String(80)))
    Table("orders", models, Column("id", Integer, primary_key=True))
    with pytest.raises(DifferentSchemas) as caught:
        assert_two_ways_one_schema(models, project=project.folder)
    assert caught.value.differences == (
        ("table orders", "(id)", ""),
        ("table users: column full_name", "", "character varying(80)"),
        ("table users: column id", "integer NOT NULL", "bigint NOT NULL"),
        ("table users: column name", "character varying(80)", ""),
    )
    assert "only the models have it: migrator new --autogenerate" in str(caught.value)
    with pytest.raises(DifferentSchemas, match="1 differences"):
        assert_two_ways_one_schema(models, project=project.folder, ignore=["orders", "users.*name"])


def test_a_script_with_findings_is_shown_as_the_command_shows_it(tmp_path):
    (tmp_path / "drop.sql").write_text("ALTER TABLE users DROP COLUMN fax;\n")
    with pytest.raises(AssertionError, match="drop-column") as caught:
        assert_lint_clean("drop.sql", project=tmp_path, dialect="postgresql")
    assert "to do: write each the safer way" in str(caught.value)
    assert_lint_clean("drop.sql", project=tmp_path, dialect="postgresql", phase="contract")


def test_statements_are_written_as_sql_functions_and_pairs():
    def sign_up(session):
        return session

    found = statements(["SELECT 1", ("SELECT 2", 2), sign_up, Statement("SELECT 3", name="three")])
    assert [str(each) for each in found] == ["SELECT 1", "SELECT 2", "sign_up()", "three"]
    assert [each.gives for each in found][1] == 2
    assert statements("SELECT 1") == (Statement("SELECT 1"),)
    for wrong in (3, [3], [("SELECT 1", 2, 3)]):
        with pytest.raises(UsageError, match="is no statement"):
            statements(wrong)


@pytest.mark.parametrize(
    ("failed_in", "said"),
    [
        ([1], "fails after one works again after two"),
        ([1, 2], "fails after one until after two works again after three"),
        ([1, 3], "fails after one works again after two and fails once more later"),
        ([2, 3], "fails after two and from there on"),
        ([3], "fails after three"),
    ],
)
def test_a_report_says_from_when_to_when_a_statement_fails(failed_in, said):
    journal = Journal("rename", {"old": statements("SELECT 1"), "new": ()})
    for number, moment in enumerate(("before", "after one", "after two", "after three")):
        journal.begin(moment)
        failed = Failure(0, "42703", "no such column") if number in failed_in else None
        journal.round("old", lambda failed=failed: failed)
    assert f"{said} with no such column" in " ".join(journal.report().split())


def test_a_round_that_began_before_a_failure_ended_is_of_the_moment_it_began_in():
    journal, wrong = (
        Journal("rename", {"old": statements("SELECT 1"), "new": ()}),
        Failure(0, "42703", "no such column"),
    )

    def late():
        journal.begin("after two")
        return wrong

    journal.begin("after one")
    journal.round("old", lambda: wrong)
    journal.round("old", late)
    journal.round("old", lambda: None)
    assert "fails after one works again after two with" in " ".join(journal.report().split())


def test_there_is_advice_for_every_kind_of_error_and_for_those_of_no_kind():
    for version in ("old", "new"):
        assert all(advice(version, code) for codes in CODES.values() for code in codes)
        assert advice(version, "XX000")
