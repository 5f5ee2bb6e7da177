"""One user per code."""

from migrator import AddUnique, Migration

revision, down_revision = "add_unique", None
migration = Migration(
    AddUnique("users", "code"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  code text
);
INSERT INTO users VALUES (1, 'a'), (2, 'b');
"""
STATEMENTS = (
    ("old", "UPDATE users SET code = 'c' WHERE id = 1"),
    ("old", "INSERT INTO users VALUES (3, 'b')"),
    ("new", "INSERT INTO users VALUES (4, 'b') ON CONFLICT (code) DO NOTHING"),
)
