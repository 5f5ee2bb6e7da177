"""The models of a project become operations, and those bring the database to the models."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.in_turn

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
        users(NAME, EMAIL, end=', sa.CheckConstraint("email LIKE \'%@%\'", name="has_at")'),
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


INDEXED = "CREATE INDEX ix_users_email ON users (email)", "CREATE INDEX two ON users (email, full_name)"
CONSTRAINED = (
    "ALTER TABLE users ADD CONSTRAINT one_each UNIQUE (email)",
    "ALTER TABLE users ADD CONSTRAINT has_at CHECK (email LIKE '%@%')",
    "ALTER TABLE users ADD boss_id bigint REFERENCES users (id)",
)

GONE = {
    "indexes": (INDEXED, users(NAME, EMAIL), 'DropIndex("two"), DropIndex("ix_users_email")'),
    "indexes and their column": (
        INDEXED,
        users(NAME),
        'DropIndex("two"), DropIndex("ix_users_email"), DropColumn("users", "email")',
    ),
    "constraints": (
        CONSTRAINED,
        users(NAME, EMAIL, 'sa.Column("boss_id", sa.BigInteger)'),
        'DropConstraint("users", "one_each"), DropConstraint("users", "has_at"),'
        ' DropConstraint("users", "users_boss_id_fkey")',
    ),
    "constraints and their columns": (
        CONSTRAINED,
        users(NAME),
        'DropConstraint("users", "one_each"), DropConstraint("users", "has_at"),'
        ' DropConstraint("users", "users_boss_id_fkey"), DropColumn("users", "boss_id"), DropColumn("users", "email")',
    ),
    "a default": (
        ("ALTER TABLE users ALTER email SET DEFAULT 'none'",),
        users(NAME, EMAIL),
        'DropDefault("users", "email")',
    ),
}


@pytest.mark.parametrize("name", GONE)
def test_what_the_database_has_and_the_models_have_not(name, shop, any_database) -> None:
    statements, tables, wanted = GONE[name]
    any_database.run(*statements)
    models(shop, tables)
    path, text = generate(shop)
    assert sorted(re.findall(r"\w+\(.*?\)", operations(text))) == sorted(re.findall(r"\w+\(.*?\)", wanted))
    formatted(path)
    finish(shop)


def test_a_checks_name_alone_is_compared_and_one_without_a_name_is_no_difference(shop, any_database) -> None:
    any_database.run("ALTER TABLE users ADD CHECK (email LIKE '%@%')")
    models(shop, users(NAME, EMAIL, end=", sa.CheckConstraint(\"email LIKE '%@%'\")"))
    assert shop.json("check")["clean"]


TABLES = (
    'sa.Table("teams", metadata, sa.Column("id", sa.Integer, primary_key=True),'
    ' sa.Column("name", sa.String(30), nullable=False, unique=True),'
    ' sa.Column("lead_id", sa.ForeignKey("members.id", name="lead", ondelete="SET NULL", use_alter=True)),'
    ' sa.CheckConstraint("length(name) > 1", name="not_short"), comment="groups")\n'
    'sa.Table("members", metadata, sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True),'
    ' sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),'
    ' sa.Column("team_id", sa.ForeignKey("teams.id", ondelete="CASCADE"), nullable=False, index=True),'
    ' sa.Column("role", sa.Enum("lead", "other", name="role"), server_default="other"),'
    ' sa.Column("at", sa.DateTime(timezone=True), server_default=sa.func.now()),'
    ' sa.UniqueConstraint("user_id", "team_id", name="once"))\n'
)


def test_tables_come_before_what_references_them(shop, any_database) -> None:
    models(shop, users(NAME, EMAIL), TABLES)
    path, text = generate(shop)
    formatted(path)
    kinds = re.findall(r"^    (\w+)\(", text, re.M)
    assert kinds == ["RunSQL", "CreateTable", "CreateTable", "CreateIndex", "AddForeignKey", "AddForeignKey"]
    assert "SERIAL" not in text
    finish(shop)
    any_database.run("INSERT INTO teams (name) VALUES ('us')", "INSERT INTO members (user_id, team_id) VALUES (1, 1)")
    assert any_database.rows("SELECT id, role::text FROM members") == [(1, "other")]


def test_the_table_made_is_the_one_sqlalchemy_would_make(shop, any_database) -> None:
    models(shop, users(NAME, EMAIL), TABLES)
    generate(shop)
    finish(shop)
    made = any_database.dump()
    any_database.run("DROP TABLE members, teams, users CASCADE", "DROP TYPE role", USERS)
    program = "import sqlalchemy as sa, models, sys; models.metadata.create_all(sa.create_engine(sys.argv[1]))"
    command = [sys.executable, "-c", program, any_database.url]
    subprocess.run(command, cwd=shop.folder, check=True, timeout=60)
    assert sorted(made.splitlines()) == sorted(any_database.dump().splitlines())


CONVENTION = """
metadata = sa.MetaData(naming_convention={
    "ix": "ix_%(column_0_label)s", "uq": "uq_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s", "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
})
"""


def test_names_follow_the_convention_of_the_models(shop, any_database) -> None:
    any_database.run("ALTER TABLE users RENAME CONSTRAINT users_pkey TO pk_users")
    new = (
        'sa.Table("teams", metadata, sa.Column("id", sa.Integer, primary_key=True),'
        ' sa.Column("of", sa.Text, unique=True))\n'
        'sa.Table("seats", metadata, sa.Column("id", sa.Integer, primary_key=True),'
        ' sa.Column("team_id", sa.ForeignKey("teams.id")), sa.Column("user_id", sa.ForeignKey("users.id"), index=True),'
        ' sa.CheckConstraint("id > 0", name="positive"))\n'
    )
    models(shop, CONVENTION, users(NAME, EMAIL), new)
    path, text = generate(shop)
    formatted(path)
    for name in ("pk_teams", "uq_teams_of", "fk_seats_team_id_teams", "fk_seats_user_id_users", "ck_seats_positive"):
        assert name in text
    finish(shop)


def test_other_schemas_are_named(shop, any_database) -> None:
    any_database.run("CREATE SCHEMA sales", "CREATE TABLE sales.orders (id bigserial PRIMARY KEY, note text, old int)")
    env = shop.folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace("**options()", "include_schemas=True, **options()"))
    orders = (
        f'sa.Table("orders", metadata, {KEY}, sa.Column("remark", sa.Text),'
        ' sa.Column("user_id", sa.ForeignKey("users.id"), index=True), schema="sales")\n'
        f'sa.Table("bills", metadata, {KEY}, sa.Column("order_id", sa.ForeignKey("sales.orders.id")), schema="sales")\n'
    )
    models(shop, users(NAME, EMAIL), orders)
    path, text = generate(shop, "--rename", "sales.orders.note=remark")
    formatted(path)
    assert 'RenameColumn("orders", "note", "remark", schema="sales")' in text
    assert 'to_schema="public"' in operations(text)
    finish(shop)


DECIDE = {
    "a column without a value": (
        users(NAME, EMAIL, 'sa.Column("age", sa.Integer, nullable=False, default=7)'),
        "add users.age",
        'AddColumn("users", "age", "integer", nullable=False, fill="7")',
    ),
    "a column that old writers must give": (users(EMAIL), "drop users.full_name", 'fill="NULL"'),
    "another type": (
        users(NAME, 'sa.Column("email", sa.Text)'),
        "change the type of users.email from character varying(60) to text",
        'ChangeType("users", "email", "text")',
    ),
    "a table that goes": ("", "drop the table users", 'DropTable("users")'),
    "a table with the same columns": (
        users(NAME, EMAIL).replace('"users"', '"people"'),
        "renamed to people",
        'RenameTable("users", "people")',
    ),
    "a generated column": (
        users(NAME, EMAIL, 'sa.Column("size", sa.Integer, sa.Computed("length(full_name)", persisted=True))'),
        "add users.size",
        "GENERATED ALWAYS AS (length(full_name)) STORED",
    ),
    "a generated column of a new table": (
        users(NAME, EMAIL) + f'sa.Table("boxes", metadata, {KEY}, sa.Column("x", sa.Integer, sa.Computed("1 + 1")))\n',
        "generated column x",
        "CREATE TABLE boxes",
    ),
    "an index in an order": (
        users(NAME, EMAIL, end=', sa.Index("by_name", sa.text("full_name DESC"), sa.desc("email"))'),
        "create the index by_name",
        "CREATE INDEX by_name ON users (full_name DESC, email DESC)",
    ),
    "a reference that is checked late": (
        users(NAME, EMAIL, 'sa.Column("boss_id", sa.ForeignKey("users.id", deferrable=True, name="boss"))'),
        "add to users",
        "DEFERRABLE",
    ),
    "an identity": (
        users(NAME, EMAIL, key='sa.Column("id", sa.BigInteger, sa.Identity(), primary_key=True)'),
        "change what feeds users.id",
        "RunSQL",
    ),
}


@pytest.mark.parametrize("name", DECIDE)
def test_where_intent_is_needed_it_is_left_to_the_user_and_plan_says_where(name, shop, any_database) -> None:
    tables, said, candidate = DECIDE[name]
    before = any_database.dump()
    models(shop, tables)
    path, text = generate(shop)
    formatted(path)
    comments = "\n".join(line for line in text.splitlines() if line.strip().startswith("#"))
    assert candidate in comments
    line = next(number for number, row in enumerate(text.splitlines(), 1) if row.startswith("    Todo("))
    for verb in ("plan", "apply"):
        refused = shop.cli(verb)
        assert refused.returncode == 2
        assert f"{path}:{line}: still to be decided: " in refused.stderr
        assert said in refused.stderr
    assert any_database.dump() == before


def test_a_decision_is_made_by_one_of_the_candidates(shop) -> None:
    models(shop, users(EMAIL, 'sa.Column("age", sa.Integer, nullable=False, default=7)'))
    path, text = generate(shop)
    todo = r'    Todo\(\n        ".*",\n    \),\n|    Todo\(".*"\),\n'
    assert len(re.findall(todo, text)) == 2
    text = re.sub(todo, "", text)
    for chosen in ('AddColumn("users", "age", "integer", nullable=False, fill="7"),', 'fill="NULL"),'):
        text = re.sub(rf"    #   (.*{re.escape(chosen)})", r"    \1", text)
    path.write_text(text.replace("import Migration, Todo", "import AddColumn, DropColumn, Migration"))
    finish(shop)


def test_an_index_that_changes_under_its_name_is_left_to_the_user(shop, any_database) -> None:
    any_database.run("CREATE INDEX by_name ON users (email)")
    models(shop, users(NAME, EMAIL, end=', sa.Index("by_name", "full_name")'))
    _, text = generate(shop)
    assert "by_name is defined otherwise" in text
    assert '#   CreateIndex("users", "full_name", name="by_name_2"),' in text
    assert '#   DropIndex("by_name"),' in text
    assert shop.cli("plan").returncode == 2


RENAMED = 'sa.Column("name", sa.Text, nullable=False)'


def test_a_rename_that_is_given_takes_index_and_constraint_along(shop, any_database) -> None:
    any_database.run(
        "CREATE INDEX ix_users_full_name ON users (full_name)",
        "ALTER TABLE users ADD CONSTRAINT uq_users_full_name UNIQUE (full_name)",
    )
    models(
        shop,
        users(
            'sa.Column("name", sa.Text, nullable=False, index=True)',
            EMAIL,
            end=', sa.UniqueConstraint("name", name="uq_users_name")',
        ),
    )
    path, text = generate(shop, "--rename", "users.full_name=name")
    assert operations(text) == 'RenameColumn("users", "full_name", "name")'
    formatted(path)
    finish(shop)
    assert any_database.rows("SELECT count(name) FROM users") == [(50,)]


def test_an_index_that_leaves_with_the_former_name_leaves_first(shop, any_database) -> None:
    any_database.run("CREATE INDEX ix_users_full_name ON users (full_name)")
    models(shop, users(RENAMED, EMAIL))
    _, text = generate(shop, "--rename", "public.users.full_name=name")
    assert operations(text) == 'DropIndex("ix_users_full_name"), RenameColumn("users", "full_name", "name")'
    finish(shop)


def test_without_a_rename_nothing_is_guessed_and_the_rename_is_offered(shop) -> None:
    models(shop, users(NAME, 'sa.Column("mail", sa.String(60))'))
    path, text = generate(shop)
    formatted(path)
    assert operations(text) == 'AddColumn("users", "mail", "character varying(60)"), DropColumn("users", "email")'
    assert '#   RenameColumn("users", "email", "mail"),' in text


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("users.ful_name=name", 'did you mean "full_name"?'),
        ("users.full_name=nam", 'did you mean "name"?'),
        ("user.full_name=name", 'did you mean "users.full_name"?'),
        ("users.email=name", "no column users.email disappears"),
        ("full_name=name", "is not a rename"),
        ("users.full_name", "is not a rename"),
        ("users.full_name=age", "a rename keeps the type"),
    ],
)
def test_a_rename_of_what_is_not_there_is_refused_with_the_near_miss(shop, given, said) -> None:
    models(shop, users(RENAMED, EMAIL, 'sa.Column("age", sa.Integer)'))
    done = shop.cli("new", "Name", "--autogenerate", "--rename", given)
    assert done.returncode == 2
    assert said in done.stderr
    assert list((shop.folder / "migrations" / "versions").glob("*.py")) == []


@pytest.mark.parametrize(("answer", "operation"), [("y", "RenameColumn"), ("n", "Todo")])
def test_at_a_terminal_a_rename_is_asked_for(shop, answer, operation) -> None:
    models(shop, users(RENAMED, EMAIL))
    terminal, theirs = pty.openpty()
    command = [sys.executable, "-m", "migrator", "new", "Name", "--autogenerate"]
    with subprocess.Popen(
        command, cwd=shop.folder, env=shop.environment(), stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as running:
        os.write(terminal, f"{answer}\n".encode())
        out, asked = (text.decode() for text in running.communicate(timeout=60))
    os.close(theirs)
    os.close(terminal)
    assert running.returncode == 0, asked
    assert "Is users.name the full_name of before, renamed?" in asked
    assert f"    {operation}(" in Path(re.search(r"wrote (\S+)", out)[1]).read_text()


def test_nothing_to_do_writes_no_file(shop) -> None:
    models(shop, users(NAME, EMAIL))
    done = shop.cli("new", "Nothing", "--autogenerate")
    assert done.returncode == 0
    assert "no file was written" in done.stdout
    assert shop.json("new", "Nothing", "--autogenerate")["path"] is None
    assert list((shop.folder / "migrations" / "versions").glob("*.py")) == []


def test_defaults_are_compared_without_side_effects(shop, any_database) -> None:
    any_database.run(
        "CREATE SEQUENCE numbers",
        "ALTER TABLE users ADD number bigint DEFAULT nextval('numbers'), ADD data json DEFAULT '{}',"
        " ADD code uuid DEFAULT md5(random()::text)::uuid, ADD price numeric DEFAULT 1.0, ADD on_ boolean DEFAULT true",
    )
    same = (
        'sa.Column("number", sa.BigInteger, server_default=sa.text("NEXTVAL(\'numbers\')"))',
        'sa.Column("data", sa.JSON, server_default="{ }")',
        'sa.Column("code", sa.Uuid, server_default=sa.text("md5(random()::text)::uuid"))',
        'sa.Column("price", sa.Numeric, server_default="1.0")',
        'sa.Column("on_", sa.Boolean, server_default=sa.true())',
    )
    models(shop, users(NAME, EMAIL, *same))
    found = shop.json("check")
    assert [item["code"] for item in found["operations"]] == ["""SetDefault("users", "data", "'{ }'")"""]
    assert any_database.rows("SELECT last_value FROM numbers") == [(50,)]


CYCLE = (
    'sa.Table("teams", metadata, sa.Column("id", sa.Integer), sa.Column("lead_id", sa.ForeignKey("members.id")),'
    ' sa.PrimaryKeyConstraint("id", name="teams_key"))\n'
    'sa.Table("members", metadata, sa.Column("id", sa.BigInteger), sa.Column("team_id", sa.ForeignKey("teams.id"{})),'
    ' sa.PrimaryKeyConstraint("id", name="members_key"))\n'
)


@pytest.mark.parametrize(("options", "last"), [("", "AddForeignKey"), (', initially="DEFERRED"', "RunSQL")])
def test_of_tables_that_reference_each_other_one_reference_comes_last(options, last, shop, any_database) -> None:
    models(shop, users(NAME, EMAIL), CYCLE.format(options))
    path, text = generate(shop)
    formatted(path)
    assert re.findall(r"^    (\w+)\(", text, re.M) == ["CreateTable", "CreateTable", last]
    finish(shop)
    found = (
        "SELECT conrelid::regclass::text, condeferred FROM pg_constraint"
        " WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY 1"
    )
    assert any_database.rows(found) == [("members", bool(options)), ("teams", False)]
