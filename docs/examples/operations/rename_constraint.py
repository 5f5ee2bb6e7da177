"""Rename a constraint."""

from migrator import Migration, RenameConstraint

revision, down_revision = "rename_constraint", None
migration = Migration(
    RenameConstraint("users", "users_code_key", "one_user_per_code"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  code text CONSTRAINT users_code_key UNIQUE
);
INSERT INTO users VALUES (1, 'a'), (2, 'b');
"""
STATEMENTS = (
    ("old", "INSERT INTO users VALUES (3, 'a') ON CONFLICT ON CONSTRAINT users_code_key DO NOTHING"),
    ("new", "INSERT INTO users VALUES (3, 'a') ON CONFLICT (code) DO NOTHING"),
    ("new", "INSERT INTO users VALUES (3, 'a')"),
)
