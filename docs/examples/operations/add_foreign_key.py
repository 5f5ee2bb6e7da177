"""Orders reference users."""

from migrator import AddForeignKey, Migration

revision, down_revision = "add_foreign_key", None
migration = Migration(
    AddForeignKey("orders", "user_id", "users", "id", on_delete="CASCADE"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);
INSERT INTO users VALUES (1), (2);
INSERT INTO orders VALUES (1, 1), (2, 2);
"""
STATEMENTS = (
    ("old", "INSERT INTO orders VALUES (3, 1)"),
    ("old", "INSERT INTO orders VALUES (4, 99)"),
    ("new", "DELETE FROM users WHERE id = 2"),
    ("new", "SELECT id FROM orders ORDER BY id"),
)
