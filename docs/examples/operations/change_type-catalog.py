"""Where only the catalog changes."""

from migrator import ChangeType, Migration

revision, down_revision = "change_type_catalog", None
migration = Migration(
    ChangeType("orders", "code", "varchar(20)"),
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
    ("old", "UPDATE orders SET code = '0018' WHERE id = 1"),
    ("new", "UPDATE orders SET code = '0018-0000-0000' WHERE id = 1"),
    ("old", "SELECT code FROM orders WHERE id = 1"),
)
