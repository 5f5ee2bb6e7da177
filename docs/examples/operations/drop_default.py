"""Take the default of users.country away."""

from migrator import DropDefault, Migration

revision, down_revision = "drop_default", None
migration = Migration(
    DropDefault("users", "country"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  country text DEFAULT 'unknown'
);
"""
STATEMENTS = (
    ("old", "INSERT INTO users (id) VALUES (1) RETURNING country"),
    ("new", "INSERT INTO users (id, country) VALUES (2, 'NZ') RETURNING country"),
)
