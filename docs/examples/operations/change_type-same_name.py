"""Under the same name."""

from migrator import ChangeType, Migration

revision, down_revision = "change_type_same_name", None
migration = Migration(
    ChangeType("orders", "quantity", "bigint"),
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
    ("old", "UPDATE orders SET quantity = 6 WHERE id = 1"),
    ("new", "SELECT quantity FROM orders WHERE id = 1"),
    ("new", "INSERT INTO orders (id) VALUES (3) RETURNING quantity"),
    ("new", "UPDATE orders SET quantity = 3000000000 WHERE id = 1"),
)
