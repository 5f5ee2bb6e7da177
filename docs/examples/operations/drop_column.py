"""A column that may be NULL."""

from migrator import DropColumn, Migration

revision, down_revision = "drop_column", None
migration = Migration(
    DropColumn("users", "fax"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  full_name text NOT NULL,
  fax text
);
INSERT INTO users VALUES (1, 'Ann Smith', '555-0100');
"""
STATEMENTS = (
    ("old", "SELECT fax FROM users WHERE id = 1"),
    ("new", "INSERT INTO users (id, full_name) VALUES (2, 'Bob Jones')"),
    ("old", "SELECT fax FROM users WHERE id = 2"),
)
