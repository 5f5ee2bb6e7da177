"""On MySQL and MariaDB, too, the models of a project become operations, and those bring the database to the models."""

from __future__ import annotations

import pytest

from tests.migrator.test_autogenerate import finish, generate, models, operations

pytestmark = pytest.mark.usefixtures("mysql_database")

KEY = 'sa.Column("id", sa.Integer, primary_key=True)'
BASE = (
    "CREATE TABLE users (id int PRIMARY KEY AUTO_INCREMENT, full_name varchar(60) NOT NULL, email varchar(60),"
    " note text, amount decimal(10, 2) NOT NULL DEFAULT 0, seen datetime DEFAULT CURRENT_TIMESTAMP,"
    " active tinyint(1) NOT NULL DEFAULT 1, KEY users_email (email))",
    "INSERT INTO users (full_name, email) VALUES ('a', 'a@example.org'), ('b', 'b@example.org')",
)
NAME, EMAIL = 'sa.Column("full_name", sa.String(60), nullable=False)', 'sa.Column("email", sa.String(60))'
REST = (
    'sa.Column("amount", sa.Numeric(10, 2), nullable=False, server_default="0")',
    'sa.Column("seen", sa.DateTime, server_default=sa.func.now())',
    'sa.Column("active", sa.Boolean, nullable=False, server_default=sa.true())',
)
NOTE, INDEX = 'sa.Column("note", sa.Text)', 'sa.Index("users_email", "email")'


def users(*items: str) -> str:
    return f'sa.Table("users", metadata, {", ".join((KEY, *items))})\n'


@pytest.fixture
def shop(project, mysql_database):
    project.url = mysql_database.url
    mysql_database.run(*BASE)
    env = project.folder / "migrations" / "env.py"
    env.write_text(env.read_text().replace("target_metadata = None", "from models import metadata as target_metadata"))
    return project


ORDERS = """
sa.Table("orders", metadata, sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("user_id", sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
    sa.Column("code", sa.String(20), unique=True, comment="it's"), sa.Column("mood", sa.Enum("Sad", "glad")),
    sa.Index("orders_mood", "mood"), mysql_engine="InnoDB", comment="what they want")
"""


def test_the_operations_bring_the_database_to_the_models(shop, mysql_database):
    models(shop, users(NAME, EMAIL, NOTE, *REST, INDEX))
    done = shop.cli("check")
    assert done.returncode == 0, done.stdout + done.stderr
    added = [
        'sa.Column("age", sa.Integer)',
        'sa.Column("size", sa.Integer, nullable=False, server_default="7")',
        'sa.Column("nick", sa.String(20), server_default="it\'s")',
    ]
    required = 'sa.Column("email", sa.String(60), nullable=False)'
    unique = 'sa.Index("users_age", "age"), sa.UniqueConstraint("nick", "id", name="nicks")'
    models(shop, users(NAME.replace("full_name", "name"), required, *REST, *added, unique), ORDERS)
    assert shop.cli("check").returncode == 3
    path, text = generate(shop, "--rename", "users.full_name=name")
    written = operations(text)
    for part in (
        'CreateTable("orders",',
        'Column("id", "bigint", primary_key=True, identity="BY DEFAULT")',
        "Column(\"mood\", \"enum('Sad','glad')\")",
        "FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE",
        'RenameColumn("users", "full_name", "name")',
        'AddColumn("users", "age", "integer")',
        'AddColumn("users", "size", "integer", nullable=False, default="\'7\'")',
        'AddColumn("users", "nick", "varchar(20)", default="\'it\'\'s\'")',
        'CreateIndex("users", "age", name="users_age")',
        'CreateIndex("users", ["nick", "id"], name="nicks", unique=True)',
        'SetNotNull("users", "email")',
        'DropIndex("users_email")',
        'DropColumn("users", "note")',
    ):
        assert part in written, (part, written)
    shop.apply("expand")
    during = shop.cli("check")
    assert during.returncode == 0, during.stdout + during.stderr
    finish(shop)
    assert mysql_database.rows("SELECT name, nick, size FROM users ORDER BY id") == [("a", "it's", 7), ("b", "it's", 7)]
    assert path.exists()


def test_a_type_without_the_length_it_needs_is_refused_by_name(shop):
    models(shop, users(NAME, EMAIL, NOTE, *REST, INDEX, 'sa.Column("tag", sa.String)'))
    done = shop.cli("check")
    assert done.returncode == 2
    assert "sa.String(255)" in done.stderr
    assert "Traceback" not in done.stderr
