"""Under a second name."""

from migrator import ChangeType, Migration

revision, down_revision = "change_type", None
migration = Migration(
    ChangeType("orders", "code", "integer", to="number", up="code::integer", down="lpad(number::text, 4, '0')"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE orders (
  id bigint PRIMARY KEY,
  quantity integer NOT NULL DEFAULT 1,
  code varchar(10)
);
INSERT INTO orders VALUES (1, 5, '0017'), (2, 7, NULL);
"""
STATEMENTS = (
    ("new", "SELECT number FROM orders WHERE id = 1"),
    ("old", "UPDATE orders SET code = '0042' WHERE id = 1"),
    ("new", "SELECT number FROM orders WHERE id = 1"),
    ("new", "UPDATE orders SET number = 18 WHERE id = 2"),
    ("old", "SELECT code FROM orders WHERE id = 2"),
)
