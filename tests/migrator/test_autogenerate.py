"""The models of a project become operations, and those bring the database to the models."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

HEAD = "import sqlalchemy as sa\nfrom sqlalchemy.dialects import postgresql\n\nmetadata = sa.MetaData()\n"
KEY = 'sa.Column("id", sa.BigInteger, primary_key=True)'
USERS = "CREATE TABLE users (id bigserial PRIMARY KEY, full_name text NOT NULL, email character varying(60))"
ROWS = "INSERT INTO users (full_name, email) SELECT 'user ' || i, i || '@example.org' FROM generate_series(1, 50) i"
NAME, EMAIL = 'sa.Column("full_name", sa.Text, nullable=False)', 'sa.Column("email", sa.String(60))'


def users(*items: str, key: str = KEY, end: str = "") -> str:
    return f'sa.Table("users", metadata, {", ".join((key, *items))}{end})\n'


@pytest.fixture
def shop(project, any_database):
    """A project whose models can be written, and a database with a table that is in use."""
    project.url = any_database.url
    any_database.run(USERS, ROWS)
    env = project.folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace("target_metadata = None", "from models import metadata as target_metadata"))
    return project


def models(project, *tables: str) -> None:
    (project.folder / "models.py").write_text(HEAD + "".join(tables))


def generate(project, *words: str) -> tuple[Path, str]:
    """Let a revision be written; return its path and its text."""
    done = project.cli("new", "What the models say", "--autogenerate", *words)
    assert done.returncode == 0, done.stderr
    found = re.search(r"wrote (\S+)", done.stdout)
    assert found, done.stdout
    return Path(found[1]), Path(found[1]).read_text()


def operations(text: str) -> str:
    """What is between the brackets of the migration, on one line and without comments."""
    inner = text.partition("migration = Migration(")[2].partition("\n)\n")[0]
    lines = [line.strip() for line in inner.splitlines() if not line.strip().startswith("#")]
    return re.sub(r",\s*([)\]])", r"\1", " ".join(lines)).replace("( ", "(").replace("[ ", "[").strip().rstrip(",")


def finish(project) -> None:
    """From expand to purge, and then nothing is left to do."""
    project.apply()
    project.apply("contract")
    project.apply("purge")
    done = project.cli("check")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    assert "agree" in done.stdout


def formatted(path: Path) -> None:
    for line_length in ("88", "120"):
        command = [sys.executable, "-m", "ruff", "format", "--isolated", "--diff", f"--line-length={line_length}"]
        done = subprocess.run([*command, str(path)], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr


CASES = {
    "a column": (users(NAME, EMAIL, 'sa.Column("age", sa.Integer)'), 'AddColumn("users", "age", "integer")'),
    "a column with a default": (
        users(NAME, EMAIL, 'sa.Column("age", sa.Integer, nullable=False, server_default="0")'),
        """AddColumn("users", "age", "integer", nullable=False, default="'0'")""",
    ),
    "a column whose default changes from call to call": (
        users(NAME, EMAIL, 'sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"))'),
        'AddColumn("users", "at", "timestamp with time zone", default="clock_timestamp()")',
    ),
    "a column and the index on it": (
        users(NAME, EMAIL, 'sa.Column("age", sa.Numeric(10, 2), index=True)'),
        'AddColumn("users", "age", "numeric(10,2)"), CreateIndex("users", "age", name="ix_users_age")',
    ),
    "a column of a type that is not there yet": (
        users(NAME, EMAIL, 'sa.Column("mood", sa.Enum("good", "it\'s bad", name="Mood"))'),
        """RunSQL(expand="CREATE TYPE \\"Mood\\" AS ENUM ('good', 'it''s bad')", undo='DROP TYPE "Mood"'), """
        """AddColumn("users", "mood", '"Mood"')""",
    ),
    "an array, json and a comment": (
        users(
            NAME,
            EMAIL,
            'sa.Column("tags", postgresql.ARRAY(sa.String(5)), comment="what it\'s about")',
            'sa.Column("data", postgresql.JSON, server_default="{}")',
        ),
        """AddColumn("users", "tags", "character varying(5)[]", comment="what it's about"), """
        """AddColumn("users", "data", "json", default="'{}'")""",
    ),
    "a column that goes": (users(NAME), 'DropColumn("users", "email")'),
    "NULL allowed": (
        users('sa.Column("full_name", sa.Text)', EMAIL),
        'DropNotNull("users", "full_name")',
    ),
    "a value demanded": (
        users(NAME, 'sa.Column("email", sa.String(60), nullable=False)'),
        'SetNotNull("users", "email")',
    ),
    "a default": (
        users(NAME, 'sa.Column("email", sa.String(60), server_default="none")'),
        """SetDefault("users", "email", "'none'")""",
    ),
    "a comment": (
        users(NAME, 'sa.Column("email", sa.String(60), comment="100% secret")', end=', comment="people"'),
        """RunSQL(expand='COMMENT ON COLUMN "users"."email" IS \\'100% secret\\'', """
        """undo='COMMENT ON COLUMN "users"."email" IS NULL'), """
        """RunSQL(expand="COMMENT ON TABLE \\"users\\" IS 'people'", undo='COMMENT ON TABLE "users" IS NULL')""",
    ),
    "an index over an expression": (
        users(NAME, EMAIL, end=', sa.Index("by_mail", sa.text("lower(email)"), unique=True)'),
        'CreateIndex("users", "(lower(email))", name="by_mail", unique=True)',
    ),
    "a partial index": (
        users(
            NAME,
            EMAIL,
            end=', sa.Index("by_name", "full_name", "email", postgresql_where=sa.text("email IS NOT NULL"),'
            ' postgresql_include=["id"])',
        ),
        'CreateIndex("users", ["full_name", "email"], name="by_name", where="email IS NOT NULL", include=["id"])',
    ),
    "a unique constraint": (
        users(NAME, 'sa.Column("email", sa.String(60), unique=True)'),
        'AddUnique("users", "email")',
    ),
    "a unique constraint with a name": (
        users(NAME, EMAIL, end=', sa.UniqueConstraint("email", "full_name", name="one_each")'),
        'AddUnique("users", ["email", "full_name"], name="one_each")',
    ),
    "a check": (
        users(NAME, EMAIL, end=", sa.CheckConstraint(\"email LIKE '%@%'\", name=\"has_at\")"),
        """AddCheck("users", "email LIKE '%@%'", name="has_at")""",
    ),
    "a reference to itself": (
        users(NAME, EMAIL, 'sa.Column("boss_id", sa.ForeignKey("users.id", ondelete="SET NULL"))'),
        'AddColumn("users", "boss_id", "bigint"), '
        'AddForeignKey("users", "boss_id", "users", "id", on_delete="SET NULL")',
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_models_have_and_the_database_has_not(name, shop) -> None:
    tables, wanted = CASES[name]
    models(shop, tables)
    path, text = generate(shop)
    assert operations(text) == wanted
    formatted(path)
    finish(shop)
