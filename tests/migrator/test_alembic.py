"""Plain Alembic, run as its users run it, in a project of ours; and its version table, moved by us."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import sqlalchemy as sa

from migrator import Migration
from migrator.alembic_support import stamp, stamped
from migrator.ledger import schema
from migrator.revisions import RevisionGraph
from tests.plugins.projects import ROOT

USERS = 'CreateTable("users", Column("id", "bigint", primary_key=True), Column("full_name", "text"))'
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass('users') AND attnum > 0 AND NOT attisdropped"


def alembic(project, *words: str) -> subprocess.CompletedProcess[str]:
    return project.alembic(*words)


def done(project, *words: str) -> str:
    found = alembic(project, *words)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture
def shop(project, database):
    """A project whose revisions create a table and rename a column of it."""
    project.url = database.url
    project.revision("one_create", USERS)
    project.revision("two_rename", 'RenameColumn("users", "full_name", "name")')
    return project


def columns(database) -> list[str]:
    return [row[0] for row in database.rows(COLUMNS)]


def test_upgrade_runs_all_phases_and_downgrade_goes_back_to_nothing(shop, database) -> None:
    done(shop, "upgrade", "one_create")
    database.run("INSERT INTO users VALUES (1, 'Ada 100%')")
    done(shop, "upgrade", "head")
    assert columns(database) == ["id", "name"]
    assert database.rows("SELECT name FROM users") == [("Ada 100%",)]
    assert "two_rename (head)" in done(shop, "current")
    done(shop, "downgrade", "-1")
    assert columns(database) == ["id", "full_name"]
    assert database.rows("SELECT full_name FROM users") == [("Ada 100%",)]
    done(shop, "downgrade", "base")
    assert columns(database) == []


def test_upgrade_leaves_nothing_of_ours_behind(shop, database) -> None:
    done(shop, "upgrade", "head")
    assert "migrator" not in database.dump()


def test_history_lists_our_revisions(shop) -> None:
    assert "one_create -> two_rename (head), two_rename" in done(shop, "history")


def test_a_failing_revision_changes_nothing_and_is_said_in_one_line(shop, database) -> None:
    shop.revision("three_bad", 'RenameColumn("users", "nmae", "title")')
    found = alembic(shop, "upgrade", "head")
    assert found.returncode != 0
    assert "FAILED:" in found.stdout + found.stderr
    assert "nmae" in found.stdout + found.stderr
    assert "Traceback" not in found.stdout + found.stderr
    assert columns(database) == []


def test_offline_mode_is_refused_and_says_what_to_type(shop) -> None:
    found = alembic(shop, "upgrade", "head", "--sql")
    assert found.returncode != 0
    assert "migrator plan --sql" in found.stdout + found.stderr


@pytest.mark.parametrize(
    ("words", "command"), [(("upgrade", "head"), "migrator apply"), (("downgrade", "base"), "migrator abort")]
)
def test_a_managed_database_is_refused_and_untouched(shop, database, words: tuple[str, ...], command: str) -> None:
    if words[0] == "downgrade":
        done(shop, "upgrade", "head")
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        schema.install(connection)
    before = database.dump()
    found = alembic(shop, *words)
    assert found.returncode != 0
    assert command in found.stdout + found.stderr
    assert "Traceback" not in found.stdout + found.stderr
    assert database.dump() == before


def test_check_does_not_propose_to_drop_what_was_put_aside(shop, database) -> None:
    done(shop, "upgrade", "head")
    env = shop.folder / "migrations" / "env.py"
    model = (
        "import sqlalchemy as sa\ntarget_metadata = sa.MetaData()\n"
        "sa.Table('users', target_metadata, sa.Column('id', sa.BigInteger, primary_key=True),"
        " sa.Column('name', sa.Text))\n"
    )
    env.write_text(env.read_text().replace("target_metadata = None\n", model))
    done(shop, "check")
    database.run(
        "ALTER TABLE users ADD COLUMN _migrator_quarantine_0a1b2c3d_full_name text",
        "CREATE INDEX _migrator_quarantine_0a1b2c3d_idx ON users (_migrator_quarantine_0a1b2c3d_full_name)",
        "CREATE TABLE _migrator_quarantine_0a1b2c3d_old (id int)",
    )
    done(shop, "check")
    database.run("ALTER TABLE users ADD COLUMN extra text")
    assert alembic(shop, "check").returncode != 0


@pytest.fixture
def forked(project, database):
    """root, two branches from it, and their merge."""
    project.url = database.url
    project.revision("root", "")
    project.revision("left", "", down="root")
    project.revision("right", "", down="root")
    project.revision("merged", "", down=("left", "right"))
    return project


@pytest.mark.usefixtures("forked")
def test_looking_at_the_version_table_does_not_create_it(database) -> None:
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        assert stamped(connection) == ()
    assert database.rows("SELECT to_regclass('alembic_version')") == [(None,)]


def test_stamps_follow_branches_and_merges_and_the_way_back(forked, database) -> None:
    graph = RevisionGraph.load(forked.settings)
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    up = [("root", {"root"}), ("left", {"left"}), ("right", {"left", "right"}), ("merged", {"merged"})]
    back = [("merged", {"left", "right"}), ("right", {"left"}), ("left", {"root"}), ("root", set())]
    for steps, upgrade in ((up, True), (back, False)):
        for name, heads in steps:
            with engine.begin() as connection:
                stamp(connection, graph, name, upgrade=upgrade)
            with engine.begin() as connection:
                assert set(stamped(connection)) == heads


def test_a_stamp_belongs_to_the_callers_transaction(forked, database) -> None:
    graph = RevisionGraph.load(forked.settings)
    engine = sa.create_engine(database.url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        stamp(connection, graph, "root", upgrade=True)
        connection.rollback()
        assert stamped(connection) == ()


def with_models(project, *tables: str) -> None:
    env = project.folder / "migrations" / "env.py"
    template = (ROOT / "migrator/templates/env.py.txt").read_text()
    lines = ["import sqlalchemy as sa", "metadata = target_metadata = sa.MetaData()", *tables]
    env.write_text(template.replace("target_metadata = None", "\n".join(lines)))
    (project.folder / "migrations" / "script.py.mako").write_text(
        (ROOT / "migrator/templates/script.py.mako").read_text()
    )


USERS_MODEL = (
    "sa.Table('users', metadata, sa.Column('id', sa.BigInteger, primary_key=True), sa.Column('{}', sa.Text){})"
)


def body(text: str) -> str:
    """A revision without its id."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(("Revision ID:", "revision = ")))


@pytest.mark.parametrize(
    ("more", "ours", "theirs"),
    [
        (", sa.Column('age', sa.Integer, nullable=False)", (), ()),
        (", sa.Column('at', sa.DateTime, server_default=sa.func.now(), index=True)", (), ()),
        ("", ("--rename", "users.name=title"), ("-x", "rename=users.name=title")),
    ],
    ids=["a decision", "a default", "a rename"],
)
def test_autogenerate_of_alembic_writes_the_same_file(shop, more: str, ours: tuple, theirs: tuple) -> None:
    done(shop, "upgrade", "head")
    with_models(shop, USERS_MODEL.format("title" if ours else "name", more))
    versions = shop.folder / "migrations" / "versions"
    before = set(versions.glob("*.py"))
    made = shop.cli("new", "The same", "--autogenerate", *ours)
    assert made.returncode == 0, made.stderr
    (mine,) = set(versions.glob("*.py")) - before
    text = mine.read_text()
    mine.unlink()
    done(shop, *theirs, "revision", "--autogenerate", "-m", "The same")
    (other,) = set(versions.glob("*.py")) - before
    assert body(other.read_text()) == body(text)
    assert "migration = Migration(\n" in text


def test_a_revision_of_alembic_without_autogenerate_has_our_form(shop) -> None:
    done(shop, "upgrade", "head")
    with_models(shop)
    done(shop, "revision", "-m", "Empty")
    head = RevisionGraph.load(shop.settings)
    assert head[head.heads[0]].migration == Migration()


def test_check_of_alembic_between_expand_and_contract_finds_nothing(shop, database) -> None:
    done(shop, "upgrade", "one_create")
    shop.apply("expand")
    shop.apply("migrate")
    with_models(shop, USERS_MODEL.format("name", ""))
    assert columns(database) == ["id", "full_name", "name"]
    done(shop, "check")
    shop.apply("contract")
    done(shop, "check")
    with_models(shop, USERS_MODEL.format("name", ", sa.Column('age', sa.Integer)"))
    found = alembic(shop, "check")
    assert found.returncode != 0
    assert "add_column" in found.stdout + found.stderr
    assert "full_name" not in found.stdout + found.stderr


def test_a_rename_that_is_not_there_is_said_in_one_line(shop) -> None:
    done(shop, "upgrade", "head")
    with_models(shop, USERS_MODEL.format("title", ""))
    found = alembic(shop, "-x", "rename=users.nmae=title", "revision", "--autogenerate", "-m", "x")
    assert found.returncode != 0
    assert 'did you mean "name"?' in found.stdout + found.stderr
    assert "Traceback" not in found.stdout + found.stderr


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A folder that makes our entry points known, as an installation does."""
    metadata = tmp_path / "site" / "expand_contract_migrator-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["alembic.plugins"]
    lines = [f"{name} = {target}" for name, target in points.items()]
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: expand-contract-migrator\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text("\n".join(["[alembic.plugins]", *lines, ""]))
    return metadata.parent


@pytest.mark.parametrize(
    "first", ["alembic", "migrator.alembic_plugin", "migrator.alembic_support", "migrator.revisions", "migrator.api"]
)
def test_alembic_finds_our_plugin_by_its_entry_point_whoever_is_imported_first(installed, first: str) -> None:
    code = (
        f"import {first}\nimport alembic, logging\nlogging.basicConfig(level='INFO')\n"
        "from alembic.runtime.plugins import Plugin\nfrom alembic.util import PriorityDispatcher\n"
        "from migrator.alembic_plugin import options\n"
        "Plugin.populate_autogenerate_priority_dispatch(PriorityDispatcher(), ['migrator'])\n"
        "Plugin.populate_autogenerate_priority_dispatch(PriorityDispatcher(), options()['autogenerate_plugins'])\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{installed}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-W", "error", "-c", code]
    found = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    assert "setting up autogenerate plugin migrator" in found.stderr


def test_the_plugin_of_the_entry_point_writes_operations(shop, installed) -> None:
    done(shop, "upgrade", "head")
    with_models(shop, USERS_MODEL.format("name", ", sa.Column('age', sa.Integer)"))
    versions = shop.folder / "migrations" / "versions"
    before = set(versions.glob("*.py"))
    environment = shop.environment(PYTHONPATH=f"{installed}{os.pathsep}{ROOT}")
    command = [sys.executable, "-m", "alembic.config", "revision", "--autogenerate", "-m", "Age"]
    subprocess.run(command, cwd=shop.folder, env=environment, check=True, capture_output=True, timeout=120)
    (made,) = set(versions.glob("*.py")) - before
    assert 'AddColumn("users", "age", "integer"),' in made.read_text()


def test_our_own_environment_is_not_run_to_find_the_version_table(database, project):
    database.run("CREATE TABLE users (id int)")
    project.url = database.url
    env = project.folder / "migrations" / "env.py"
    env.write_text("raise RuntimeError\n" + env.read_text())
    project.revision("change", 'AddColumn("users", "age", "integer")')
    project.apply()
    assert database.rows("SELECT age FROM users") == []
