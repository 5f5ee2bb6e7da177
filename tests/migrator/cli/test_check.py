"""`migrator check`: whether the models ask for something that no revision does."""

from __future__ import annotations

import pytest

from tests.migrator.test_autogenerate import EMAIL, KEY, NAME, models, users

COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'users'::regclass AND attnum > 0 AND NOT attisdropped"


@pytest.fixture
def shop(project, database):
    """A project whose models are in a file of their own, and a table that is in use."""
    project.url = database.url
    database.run("CREATE TABLE users (id bigserial PRIMARY KEY, full_name text NOT NULL, email character varying(60))")
    env = project.folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace("target_metadata = None", "from models import metadata as target_metadata"))
    models(project, users(NAME, EMAIL))
    return project


def test_models_and_database_agree(shop, database) -> None:
    before = database.dump()
    done = shop.cli("check")
    assert (done.returncode, done.stdout) == (0, "Models and database agree.\n")
    assert shop.json("check")["clean"] is True
    assert database.dump() == before
    assert database.rows("SELECT to_regclass('alembic_version'), to_regnamespace('migrator')") == [(None, None)]


def test_pending_changes_are_listed_as_operations_and_exit_is_3(shop, database) -> None:
    models(shop, users(NAME, EMAIL, 'sa.Column("age", sa.Integer)', 'sa.Column("size", sa.Integer, nullable=False)'))
    before = database.dump()
    done = shop.cli("check")
    assert done.returncode == 3
    assert done.stdout.splitlines() == [
        'AddColumn("users", "age", "integer")',
        'Todo("add users.size: which value do rows get that are written without it?")',
    ]
    assert "migrator new --autogenerate" in done.stderr
    found = shop.json("check")
    assert found["clean"] is False
    assert [item["operation"] for item in found["operations"]] == ["AddColumn", "Todo"]
    assert database.dump() == before
    assert database.rows("SELECT to_regclass('alembic_version')") == [(None,)]
    assert list((shop.folder / "migrations" / "versions").glob("*.py")) == []


@pytest.mark.parametrize("words", [("check",), ("new", "More", "--autogenerate")])
def test_revisions_that_are_not_applied_come_first(shop, words) -> None:
    shop.revision("one_age", 'AddColumn("users", "age", "integer")')
    done = shop.cli(*words)
    assert done.returncode == 3
    assert "one_age" in done.stderr
    assert "migrator apply" in done.stderr


IN_FLIGHT = {
    "a rename": (
        'RenameColumn("users", "full_name", "name")',
        users('sa.Column("name", sa.Text, nullable=False, index=True)', EMAIL),
    ),
    "a drop": ('DropColumn("users", "full_name", fill="NULL")', users(EMAIL)),
    "a column that is filled": (
        'AddColumn("users", "age", "integer", nullable=False, fill="7")',
        users(
            'sa.Column("full_name", sa.Text, nullable=False, index=True)',
            EMAIL,
            "sa.Column('age', sa.Integer, nullable=False)",
        ),
    ),
    "a demand": (
        'SetNotNull("users", "email", fill="full_name")',
        users(
            'sa.Column("full_name", sa.Text, nullable=False, index=True)',
            'sa.Column("email", sa.String(60), nullable=False)',
        ),
    ),
    "a check and a unique constraint": (
        'AddCheck("users", "length(email) > 2", name="long"), AddUnique("users", ["email"], name="once")',
        users(
            'sa.Column("full_name", sa.Text, nullable=False, index=True)',
            EMAIL,
            end=', sa.CheckConstraint("length(email) > 2", name="long"), sa.UniqueConstraint("email", name="once")',
        ),
    ),
    "an index that goes": ('DropIndex("ix_users_full_name")', users(NAME, EMAIL)),
}


@pytest.mark.parametrize("name", IN_FLIGHT)
def test_what_a_revision_in_flight_settles_is_not_proposed_in_any_phase(name, shop, database) -> None:
    operations, tables = IN_FLIGHT[name]
    database.run("CREATE INDEX ix_users_full_name ON users (full_name)")
    shop.revision("one", operations)
    models(shop, tables)
    for phase in ("expand", "migrate", "contract", "purge"):
        shop.apply(phase)
        done = shop.cli("check")
        assert done.returncode == 0, (phase, done.stdout, done.stderr)
        if phase == "expand":
            assert "until the contract of one is done" in done.stderr
    assert done.stderr == ""


def test_beside_a_revision_in_flight_other_differences_are_proposed(shop) -> None:
    shop.revision("one", 'RenameColumn("users", "full_name", "name")')
    models(shop, users('sa.Column("name", sa.Text, nullable=False)', EMAIL, 'sa.Column("age", sa.Integer)'))
    shop.apply()
    found = shop.json("check")
    assert [item["code"] for item in found["operations"]] == ['AddColumn("users", "age", "integer")']
    assert {item["revision"] for item in found["in_flight"]} == {"one"}
    done = shop.cli("new", "Age", "--autogenerate")
    assert done.returncode == 0, done.stderr
    assert shop.cli("plan").returncode == 0


def test_a_broken_environment_is_named_with_its_line(shop) -> None:
    env = shop.folder / "migrations" / "env.py"
    text = env.read_text()
    env.write_text(text.replace("from models import", "from modles import"))
    line = env.read_text().splitlines().index("from modles import metadata as target_metadata") + 1
    done = shop.cli("check")
    assert done.returncode == 2
    assert f"{env}:{line}: ModuleNotFoundError: No module named 'modles'" in done.stderr
    env.write_text(text.replace("from models import metadata as target_metadata", "target_metadata = None"))
    done = shop.cli("check")
    assert done.returncode == 2
    assert "target_metadata = Base.metadata" in done.stderr


def test_what_the_environment_prints_is_not_our_output(shop) -> None:
    env = shop.folder / "migrations" / "env.py"
    env.write_text("print('hello')\n" + env.read_text())
    assert shop.json("check")["clean"] is True


def test_the_database_of_the_flag_is_compared(shop) -> None:
    url, shop.url = shop.url, None
    assert shop.cli("check").returncode == 2
    assert shop.cli("check", "--database-url", url).returncode == 0


def test_a_classical_environment_is_compared_on_our_database_and_our_own_things_are_hidden(shop, database) -> None:
    """An `env.py` as `alembic init` writes it, which knows nothing of us."""
    (shop.folder / "migrations" / "env.py").write_text(
        "from alembic import context\nfrom sqlalchemy import engine_from_config, pool\nfrom models import metadata\n"
        "engine = engine_from_config(context.config.get_section(context.config.config_ini_section, {}),"
        " prefix='sqlalchemy.', poolclass=pool.NullPool)\nwith engine.connect() as connection:\n"
        "    context.configure(connection=connection, target_metadata=metadata, include_schemas=True)\n"
        "    with context.begin_transaction():\n        context.run_migrations()\n"
    )
    shop.revision("one", 'RenameColumn("users", "full_name", "name")')
    models(shop, users('sa.Column("name", sa.Text, nullable=False)', EMAIL))
    for phase in ("expand", "migrate", "contract"):
        shop.apply(phase)
        done = shop.cli("check")
        assert done.returncode == 0, (phase, done.stdout, done.stderr)
    database.run("CREATE TABLE _migrator_quarantine_0a1b2c3d_old (id int)")
    assert shop.json("check")["clean"] is True
    models(shop, users('sa.Column("name", sa.Text, nullable=False)'), f'sa.Table("teams", metadata, {KEY})\n')
    assert [item["operation"] for item in shop.json("check")["operations"]] == ["CreateTable", "DropColumn"]
