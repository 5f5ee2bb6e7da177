"""Drop a UNIQUE."""

from migrator import DropConstraint, Migration

revision, down_revision = "drop_constraint", None
migration = Migration(
    DropConstraint("users", "users_code_key"),
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
    ("old", "INSERT INTO users VALUES (3, 'a') ON CONFLICT (code) DO NOTHING"),
    ("new", "INSERT INTO users VALUES (4, 'a')"),
)
