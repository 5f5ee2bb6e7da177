"""A column that demands a value."""

from migrator import DropColumn, Migration

revision, down_revision = "drop_column_fill", None
migration = Migration(
    DropColumn("users", "country", fill="'unknown'"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  full_name text NOT NULL,
  country text NOT NULL
);
INSERT INTO users VALUES (1, 'Ann Smith', 'NZ');
"""
STATEMENTS = (
    ("old", "SELECT country FROM users WHERE id = 1"),
    ("new", "INSERT INTO users (id, full_name) VALUES (2, 'Bob Jones')"),
    ("old", "SELECT country FROM users WHERE id = 2"),
)
