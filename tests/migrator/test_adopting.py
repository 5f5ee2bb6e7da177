"""An Alembic project that exists already: its history is kept, and what is safe of it runs with us."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.plugins.projects import Project
from tests.plugins.servers import fresh_database

INI = "[alembic]\nscript_location = %(here)s/alembic\n"
ENV = """
import os
from alembic import context
from sqlalchemy import MetaData, create_engine, pool

target_metadata = {metadata}
url = os.environ["MIGRATOR_DATABASE_URL"]

if context.is_offline_mode():
    context.configure(url=url, target_metadata=target_metadata{options})
    with context.begin_transaction():
        context.run_migrations()
else:
    with create_engine(url, poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection, target_metadata=target_metadata{options})
        with context.begin_transaction():
            context.run_migrations()
"""
USERS = """
op.create_table(
    "users",
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("full_name", sa.Text, nullable=False),
)
"""


class Shop(Project):
    """A project as `alembic init` leaves it, with `alembic.ini` and a folder `alembic`."""

    def classical(self, name: str, upgrade: str, *, down: object = ..., downgrade: str = "pass") -> str:
        """Write a revision with `upgrade()` that builds on the last one unless `down` says otherwise."""
        below = self.last if down is ... else down
        bodies = ["\n".join(f"    {line}" for line in text.strip().splitlines()) for text in (upgrade, downgrade)]
        text = (
            f'"""{name}"""\nimport sqlalchemy as sa\nfrom alembic import op\n\nrevision = {name!r}\n'
            f"down_revision = {below!r}\n\n\ndef upgrade():\n{bodies[0]}\n\n\ndef downgrade():\n{bodies[1]}\n"
        )
        (self.folder / "alembic" / "versions" / f"{name}.py").write_text(text)
        self.last = name
        return name

    def revision(self, name: str, operations: str, **options: object) -> str:
        written = super().revision(name, operations, **options)
        file = self.folder / "migrations" / "versions" / f"{name}.py"
        file.rename(self.folder / "alembic" / "versions" / f"{name}.py")
        return written

    def environment_file(self, options: str = "", metadata: str = "None") -> None:
        (self.folder / "alembic" / "env.py").write_text(ENV.format(options=options, metadata=metadata))

    def done(self, *words: str) -> str:
        done = self.alembic(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def adopted(tmp_path_factory) -> Path:
    """A project as `init` leaves it, which knows no database."""
    folder = tmp_path_factory.mktemp("adopted")
    (folder / "alembic" / "versions").mkdir(parents=True)
    (folder / "migrations" / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text(INI)
    (folder / "alembic" / "script.py.mako").write_text("${message}\n")
    shop = Shop(folder)
    shop.environment_file()
    assert shop.cli("init", "--yes").returncode == 0
    return folder


def in_folder(folder: Path, adopted: Path, url: str) -> Shop:
    shutil.copytree(adopted, folder, dirs_exist_ok=True)
    return Shop(folder, url)


@pytest.fixture
def shop(tmp_path, adopted, database) -> Shop:
    return in_folder(tmp_path, adopted, database.plain_url)


@pytest.fixture
def any_shop(tmp_path, adopted, any_database) -> Shop:
    return in_folder(tmp_path, adopted, any_database.plain_url)


def ok(shop: Shop, *words: str) -> str:
    done = shop.cli(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def refused(shop: Shop, *words: str) -> str:
    done = shop.cli(*words)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def write_history(shop: Shop, line: int = 40, branches: int = 20) -> None:
    """Revisions, 100 of them unless told: a line, a fork of two branches from it, their merge, and a line again."""
    shop.classical("r000", USERS)
    for number in range(1, line):
        shop.classical(f"r{number:03}", f'op.add_column("users", sa.Column("c{number}", sa.Integer))')
    fork = shop.last
    for branch in ("a", "b"):
        shop.last = fork
        for number in range(branches):
            shop.classical(f"{branch}{number:03}", f'op.create_table("{branch}{number}", sa.Column("id", sa.Integer))')
    shop.classical("merge", "pass", down=(f"a{branches - 1:03}", f"b{branches - 1:03}"))
    for number in range(81, 100):
        shop.classical(f"r{number:03}", f'op.add_column("users", sa.Column("c{number}", sa.Integer))')


VERSION = "SELECT version_num FROM alembic_version ORDER BY 1"


def test_a_hundred_revisions_that_alembic_ran_are_history(shop, database):
    write_history(shop)
    shop.done("upgrade", "head")
    before = database.dump()
    assert "Nothing to do" in ok(shop, "plan")
    ok(shop, "apply", "--yes")
    assert database.dump() == before
    shop.revision("rename", 'RenameColumn("users", "full_name", "name")')
    ok(shop, "apply", "--yes")
    assert database.rows(VERSION) == [("rename",)]
    assert shop.states()["rename"] == "migrated"


def test_a_history_of_safe_revisions_makes_the_schema_that_alembic_makes(shop, database):
    write_history(shop, line=10, branches=5)
    ok(shop, "apply", "--yes")
    assert database.rows(VERSION) == [("r099",)]
    with fresh_database(database.server) as other:
        shop.url = other.plain_url
        shop.done("upgrade", "head")
        assert other.dump() == database.dump()


SAFE = {
    "table with keys": (
        'op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True),\n'
        '    sa.Column("user_id", sa.BigInteger, sa.ForeignKey("users.id"), index=True),\n'
        '    sa.Column("state", sa.Enum("open", "done", name="state"), server_default="open", nullable=False))\n'
        'op.bulk_insert(sa.table("orders", sa.column("id", sa.Integer)), [{"id": 1}, {"id": 2}])'
    ),
    "columns with constant defaults": (
        "op.execute(\"SET lock_timeout = '1s'\")\n"
        'op.execute("ALTER TABLE users ADD COLUMN boss bigint REFERENCES users (id)")\n'
        'op.add_column("users", sa.Column("age", sa.Integer))\n'
        'op.add_column("users", sa.Column("country", sa.String(2), server_default="ch", nullable=False))\n'
        'op.add_column("users", sa.Column("seen", sa.DateTime, server_default=sa.func.now()))'
    ),
    "percent signs and several statements": (
        "op.execute(\"CREATE TYPE mood AS ENUM ('50%', 'ok'); CREATE SEQUENCE numbers\")\n"
        "op.execute(\"CREATE FUNCTION half(a int, b text) RETURNS text LANGUAGE sql AS $$ SELECT b || '%' || a; $$\")"
    ),
    "view and schema": (
        'op.execute("CREATE SCHEMA more")\nop.execute("CREATE VIEW more.names AS SELECT full_name FROM users")'
    ),
    "index outside a transaction": (
        'op.create_table("other", sa.Column("id", sa.Integer))\n'
        "with op.get_context().autocommit_block():\n"
        '    op.create_index("users_name_idx", "users", ["full_name"], postgresql_concurrently=True)\n'
        'op.create_index("other_idx", "other", ["id"])'
    ),
    "key added to a table of its own": (
        'op.create_table("orders", sa.Column("id", sa.Integer, primary_key=True), sa.Column("u", sa.BigInteger))\n'
        'op.create_foreign_key("orders_u", "orders", "users", ["u"], ["id"])\n'
        'op.create_unique_constraint("orders_u_key", "orders", ["u"])'
    ),
    "two tables at once": (
        'op.create_table("one", sa.Column("id", sa.Integer))\n'
        'op.add_column("users", sa.Column("a", sa.Integer))\n'
        'op.add_column("pets", sa.Column("b", sa.Integer))'
    ),
}


@pytest.mark.in_turn
@pytest.mark.parametrize("name", SAFE)
def test_a_safe_revision_runs_in_expand_and_abort_takes_it_back(name, any_shop, any_database):
    shop, database = any_shop, any_database
    shop.classical("users", USERS + 'op.create_table("pets", sa.Column("id", sa.Integer))')
    shop.done("upgrade", "head")
    database.run("INSERT INTO users VALUES (1, 'Ann'), (2, 'Bob')")
    before = database.dump()
    shop.classical("change", SAFE[name])
    ok(shop, "apply", "--yes")
    assert database.rows(VERSION) == [("change",)]
    changed = database.dump()
    assert changed != before
    discard = ["--discard-data"] if "bulk_insert" in SAFE[name] or "country" in SAFE[name] else []
    ok(shop, "abort", "change", "--yes", *discard)
    assert database.dump() == before
    assert database.rows(VERSION) == [("users",)]
    shop.done("upgrade", "head")
    assert database.dump() == changed


UNSAFE = {
    "drop column": ('op.drop_column("users", "full_name")', 'DropColumn("users", "full_name")'),
    "drop table": ('op.drop_table("users")', 'DropTable("users")'),
    "rename column": (
        'op.alter_column("users", "full_name", new_column_name="name")',
        'RenameColumn("users", "full_name", "name")',
    ),
    "rename table": ('op.rename_table("users", "people")', 'RenameTable("users", "people")'),
    "change type": (
        'op.alter_column("users", "full_name", type_=sa.String(9))',
        'ChangeType("users", "full_name", "varchar(9)")',
    ),
    "set not null": ('op.alter_column("users", "age", nullable=False)', 'SetNotNull("users", "age")'),
    "drop not null": ('op.alter_column("users", "full_name", nullable=True)', 'DropNotNull("users", "full_name")'),
    "default": ('op.alter_column("users", "age", server_default="3")', 'SetDefault("users", "age", "\'3\'")'),
    "index": ('op.create_index("i", "users", ["age"])', 'CreateIndex("users", ["age"], name="i")'),
    "unique": ('op.create_unique_constraint("u", "users", ["age"])', 'AddUnique("users", ["age"], name="u")'),
    "check": ('op.create_check_constraint("k", "users", "age > 0")', 'AddCheck("users", "age > 0", name="k")'),
    "foreign key": (
        'op.create_foreign_key("f", "users", "users", ["age"], ["id"], ondelete="CASCADE")',
        'AddForeignKey("users", ["age"], "users", ["id"], on_delete="CASCADE", name="f")',
    ),
    "drop constraint": ('op.drop_constraint("f", "users")', 'DropConstraint("users", "f")'),
    "drop index": ('op.drop_index("i")', 'DropIndex("i")'),
    "update": (
        'op.execute("UPDATE users SET age = 1 WHERE age IS NULL")',
        'Backfill("users", {"age": "1"}, where="age IS NULL")',
    ),
    "column without a value": (
        'op.add_column("users", sa.Column("size", sa.Integer, nullable=False))',
        'AddColumn("users", "size", "int", nullable=False, fill="…")',
    ),
    "volatile default": (
        'op.add_column("users", sa.Column("key", sa.Uuid, server_default=sa.text("gen_random_uuid()")))',
        'AddColumn("users", "key", "uuid", default="gen_random_uuid()")',
    ),
    "column that references": (
        'op.execute("ALTER TABLE users ADD COLUMN boss bigint DEFAULT 1 REFERENCES users (id)")',
        'AddForeignKey("users", ["boss"], "users", ["id"])',
    ),
    "column of a constrained domain": (
        'op.execute("ALTER TABLE users ADD COLUMN size positive")',
        "writes users again",
    ),
    "serial": ('op.execute("ALTER TABLE users ADD COLUMN n serial")', "writes users again"),
    "rows of a table in use": ("op.execute(\"INSERT INTO users VALUES (1, 'x')\")", "RunSQL(migrate="),
    "view that is there": ('op.execute("CREATE OR REPLACE VIEW v AS SELECT 1")', "another name"),
    "outside any transaction": ('op.execute("VACUUM users")', "by hand"),
    "no way back": ('op.execute("GRANT SELECT ON users TO PUBLIC")', "what takes it back is not known"),
    "needs a connection": (
        'for row in op.get_bind().execute(sa.text("SELECT 1")): pass',
        "alembic upgrade change",
    ),
    "parameters": (
        'op.create_table("o", sa.Column("id", sa.Integer))\n'
        'op.get_bind().execute(sa.text("INSERT INTO o VALUES (:id)"), {"id": 1})',
        "cannot be written offline",
    ),
    "inspects": ("sa.inspect(op.get_bind())", "NoInspectionAvailable"),
    "depends on the mode": (
        'if not op.get_context().as_sql:\n    op.execute("DELETE FROM users")',
        "something else offline",
    ),
    "fails": ("raise RuntimeError('no')", "RuntimeError: no (line 10)"),
}


@pytest.fixture(scope="module")
def untouched(untouched_on):
    return untouched_on(
        "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
        "CREATE TABLE users (id bigint PRIMARY KEY, full_name text NOT NULL, age int)",
        "CREATE VIEW v AS SELECT 1 AS one",
    )


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_revision_is_refused_with_file_statement_and_operation(name, tmp_path, adopted, untouched):
    upgrade, said = UNSAFE[name]
    shop = in_folder(tmp_path, adopted, untouched.database.plain_url)
    shop.classical("change", upgrade)
    error = refused(shop, "apply", "--yes")
    assert said in error
    assert "versions/change.py:5: " in error
    assert "alembic upgrade change" in error
    assert "cannot be planned" in ok(shop, "status")
    untouched.check()


def test_a_comment_with_a_reason_lets_a_statement_run_as_it_is(shop, database):
    shop.classical("users", USERS)
    shop.done("upgrade", "head")
    before = database.dump()
    index = 'op.create_index("i", "users", ["full_name"])  # migrator: disable=index-blocks-writes'
    shop.classical("change", f"pass\n{index}")
    error = refused(shop, "plan")
    assert "versions/change.py:11: CREATE INDEX i" in error
    assert "holds up every write to users" in error
    shop.classical("change", f"pass\n{index} there are few users", down="users")
    assert "(index-blocks-writes), accepted by a comment" in ok(shop, "plan")
    ok(shop, "apply", "--yes")
    assert "CREATE INDEX i" in database.dump()
    ok(shop, "abort", "change", "--yes")
    assert database.dump() == before


def test_a_revision_of_ours_can_build_on_a_classical_one_of_the_same_run(shop, database):
    shop.classical("users", USERS)
    shop.revision("rename", 'RenameColumn("users", "full_name", "name")')
    shop.classical("size", 'op.add_column("users", sa.Column("size", sa.Integer))')
    tree = ok(shop, "plan")
    assert "create table users" in tree
    assert "lock: ACCESS EXCLUSIVE on public.users" in tree
    ok(shop, "apply", "--yes")
    assert database.rows(VERSION) == [("size",)]


def test_an_abort_that_would_lose_rows_says_so(shop, database):
    shop.classical("users", USERS)
    ok(shop, "apply", "--yes")
    database.run("INSERT INTO users VALUES (1, 'Ann')")
    assert "--discard-data" in refused(shop, "abort", "users", "--yes")
    ok(shop, "abort", "users", "--yes", "--discard-data")
    assert "users" not in database.dump()


def test_what_is_there_already_is_refused_with_the_way_to_adopt_it(shop, database):
    database.run("CREATE TABLE users (id int)")
    shop.classical("users", USERS)
    assert "migrator baseline" in refused(shop, "apply", "--yes")


def test_a_merge_alone_is_applied_and_stamped(shop, database):
    shop.classical("root", USERS)
    shop.classical("left", "pass", down="root")
    shop.classical("right", "pass", down="root")
    shop.classical("merge", "pass", down=("left", "right"))
    ok(shop, "apply", "--yes")
    assert database.rows(VERSION) == [("merge",)]


TABLES = {
    "constants": ', version_table="shop_version", version_table_schema="meta"',
    "computed": ', version_table="_".join(["shop", "version"]), version_table_schema="meta"',
    "spread": ', **{"version_table": "shop_version", "version_table_schema": "meta"}',
}


@pytest.mark.parametrize("form", TABLES)
def test_the_version_table_that_env_py_configures_is_honoured(form, shop, database):
    database.run("CREATE SCHEMA meta")
    shop.environment_file(TABLES[form])
    shop.classical("users", USERS)
    shop.done("upgrade", "head")
    shop.revision("rename", 'RenameColumn("users", "full_name", "name")')
    ok(shop, "apply", "--yes")
    assert database.rows("SELECT version_num FROM meta.shop_version") == [("rename",)]
    assert database.rows("SELECT to_regclass('public.alembic_version')") == [(None,)]
    assert "rename (head)" in shop.done("current")
    ok(shop, "abort", "rename", "--yes")
    assert database.rows("SELECT version_num FROM meta.shop_version") == [("users",)]


def test_an_env_py_that_fails_is_named_where_it_matters(shop):
    (shop.folder / "alembic" / "env.py").write_text("import nothing_of_that_name\n")
    shop.classical("users", USERS)
    error = refused(shop, "plan")
    assert "env.py" in error
    assert "nothing_of_that_name" in error


METADATA = (
    "MetaData(); from sqlalchemy import BigInteger, Column, Table, Text; "
    'Table("users", target_metadata, Column("id", BigInteger, primary_key=True), '
    'Column("full_name", Text, nullable=False))'
)
BY_HAND = "CREATE TABLE users (id bigserial PRIMARY KEY, full_name text NOT NULL)"


def test_a_database_made_by_hand_is_taken_over_after_comparing(shop, database):
    shop.environment_file(metadata=METADATA)
    shop.classical("users", USERS)
    database.run(BY_HAND)
    before = database.dump()
    said = ok(shop, "baseline", "--yes")
    assert "Counted as applied, and not run: 1, up to users." in said
    assert "The schema is that of the metadata" in said
    assert database.rows(VERSION) == [("users",)]
    assert database.dump() == before
    assert "Nothing to do" in ok(shop, "baseline", "--yes")
    shop.revision("rename", 'RenameColumn("users", "full_name", "name")')
    ok(shop, "apply", "--yes")
    assert database.rows(VERSION) == [("rename",)]


def test_a_schema_that_differs_is_not_stamped_unless_that_is_accepted(shop, database):
    shop.environment_file(metadata=METADATA)
    shop.classical("users", USERS)
    database.run("CREATE TABLE users (id bigserial PRIMARY KEY, age int)")
    error = refused(shop, "baseline", "--yes")
    assert "add column users.full_name" in error
    assert "remove column users.age" in error
    assert database.rows("SELECT to_regclass('alembic_version')") == [(None,)]
    ok(shop, "baseline", "--yes", "--accept-differences")
    assert database.rows(VERSION) == [("users",)]


def test_a_baseline_stamps_all_heads_or_the_revision_that_is_named(shop, database):
    database.run(BY_HAND)
    write_history(shop)
    shop.classical("other", "pass", down="r099")
    shop.classical("another", "pass", down="r099")
    found = shop.json("baseline", "r009", "--yes")["baseline"]
    assert found["revisions"] == ["r009"]
    assert found["covered"] == 10
    assert database.rows(VERSION) == [("r009",)]
    database.run("DELETE FROM alembic_version")
    assert "not compared" in ok(shop, "baseline", "--yes")
    assert database.rows(VERSION) == [("another",), ("other",)]


def test_a_baseline_is_refused_where_something_else_is_known(shop, database):
    shop.classical("users", USERS)
    assert "no tables" in refused(shop, "baseline", "--yes")
    shop.done("upgrade", "head")
    shop.classical("size", 'op.add_column("users", sa.Column("size", sa.Integer))')
    assert "Alembic has recorded users" in refused(shop, "baseline", "--yes")
    ok(shop, "apply", "--yes")
    database.run("DELETE FROM alembic_version")
    assert "its ledger has revision size" in refused(shop, "baseline", "--yes")


def test_a_baseline_asks_first(shop, database):
    shop.classical("users", USERS)
    database.run(BY_HAND)
    assert shop.cli("baseline").returncode == 1
    assert database.rows("SELECT to_regclass('alembic_version')") == [(None,)]


def test_init_adds_what_an_adopted_project_lacks_and_nothing_else(tmp_path):
    (tmp_path / "alembic.ini").write_text(INI)
    (tmp_path / "alembic").mkdir()
    (tmp_path / "alembic" / "env.py").write_text("# theirs\n")
    made = Project(tmp_path).json("init", "--yes")
    assert made["adopts"]
    assert {Path(path).name for path in made["created"]} == {"pyproject.toml", "script.py.mako", ".gitkeep"}
    assert (tmp_path / "alembic" / "env.py").read_text() == "# theirs\n"
    assert (tmp_path / "alembic.ini").read_text() == INI
