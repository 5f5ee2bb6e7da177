"""Rename an index."""

from migrator import Migration, RenameIndex

revision, down_revision = "rename_index", None
migration = Migration(
    RenameIndex("users_full_name_idx", "users_by_name"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (id bigint PRIMARY KEY, full_name text);
CREATE INDEX users_full_name_idx ON users (full_name);
INSERT INTO users VALUES (1, 'Ann Smith');
"""
STATEMENTS = (
    ("old", "SELECT id FROM users WHERE full_name = 'Ann Smith'"),
    ("new", "SELECT id FROM users WHERE full_name = 'Ann Smith'"),
)
