"""Classical Alembic revisions on MySQL and MariaDB: what is safe runs statement by statement, the rest is refused."""

from __future__ import annotations

import pytest

from tests.migrator import test_adopting
from tests.migrator.test_adopting import in_folder, ok, refused

adopted = test_adopting.adopted

ORDERS = """
op.create_table(
    "orders",
    sa.Column("id", sa.BigInteger, primary_key=True),
    sa.Column("user_id", sa.Integer, sa.ForeignKey("users.id"), nullable=False),
    sa.Column("note", sa.String(20), server_default="it's"),
)
op.create_index("orders_note", "orders", ["note"])
op.bulk_insert(sa.table("orders", sa.column("id", sa.Integer), sa.column("user_id", sa.Integer)),
               [{"id": 1, "user_id": 1}])
op.add_column("users", sa.Column("age", sa.Integer(), server_default="7", nullable=False))
op.create_index("users_age", "users", ["age"])
"""

UNSAFE = {
    'op.alter_column("users", "name", type_=sa.Text(), existing_type=sa.String(9))': "name_2",
    'op.drop_column("users", "name")': """DropColumn("users", "name")""",
    'op.execute("UPDATE users SET name = id")': "Backfill",
    "op.execute('INSERT INTO users (id, name) VALUES (2, \"x\")')": "texts in single quotes",
    'op.execute("CREATE TEMPORARY TABLE t (id int PRIMARY KEY)")': "an ordinary table",
    'op.execute("CALL tidy()")': "write the statements out",
}


@pytest.fixture
def shop(mysql_database, tmp_path, adopted):
    mysql_database.run("CREATE TABLE users (id int PRIMARY KEY, name varchar(9))", "INSERT INTO users VALUES (1, 'x')")
    return in_folder(tmp_path, adopted, mysql_database.url)


def test_what_is_safe_goes_out_back_and_out_again_and_later_revisions_build_on_it(shop, mysql_database):
    before = mysql_database.dump()
    shop.classical("orders", ORDERS)
    shop.revision("next", 'AddColumn("orders", "size", "int"), RenameColumn("orders", "note", "remark")')
    said = ok(shop, "plan")
    assert "ALGORITHM=INSTANT" in said
    assert "ALGORITHM=INPLACE LOCK=NONE" in said
    ok(shop, "apply", "--yes")
    assert mysql_database.rows("SELECT id, user_id, remark, size FROM orders") == [(1, 1, "it's", None)]
    assert mysql_database.rows("SELECT age FROM users") == [(7,)]
    done = mysql_database.dump()
    shop.abort("next", discard=True)
    shop.abort("orders", discard=True)
    assert mysql_database.dump() == before
    ok(shop, "apply", "--yes")
    assert mysql_database.dump() == done
    assert mysql_database.rows("SELECT version_num FROM alembic_version") == [("next",)]


def test_what_is_not_safe_is_refused_where_it_stands_with_what_to_write_instead(shop):
    other = []
    for number, (statement, instead) in enumerate(UNSAFE.items()):
        shop.classical(f"r{number}", f"pass\n{statement}", down=None)
        said = refused(shop, "plan")
        if f"r{number}.py:11: " not in said or instead not in said:
            other.append((statement, said))
        (shop.folder / "alembic" / "versions" / f"r{number}.py").unlink()
    assert other == [], "\n".join(said for _, said in other)


def test_what_is_there_already_is_recorded_as_applied(shop, mysql_database):
    shop.classical("first", 'op.create_table("users", sa.Column("id", sa.Integer, primary_key=True))')
    ok(shop, "baseline", "--yes")
    assert mysql_database.rows("SELECT version_num FROM alembic_version") == [("first",)]
    shop.classical("next", 'op.add_column("users", sa.Column("age", sa.Integer))')
    ok(shop, "apply", "--yes")
    assert mysql_database.rows("SELECT age FROM users") == [(None,)]
