"""Drop an index."""

from migrator import DropIndex, Migration

revision, down_revision = "drop_index", None
migration = Migration(
    DropIndex("users_full_name_idx"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (id bigint PRIMARY KEY, full_name text);
CREATE INDEX users_full_name_idx ON users (full_name);
INSERT INTO users VALUES (1, 'Ann Smith');
"""
STATEMENTS = (
    ("old", "SELECT id FROM users WHERE full_name = 'Ann Smith'"),
    ("new", "SELECT full_name FROM users WHERE id = 1"),
)
