"""Demand a sensible age."""

from migrator import AddCheck, Migration

revision, down_revision = "add_check", None
migration = Migration(
    AddCheck("users", "age >= 0"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  age integer
);
INSERT INTO users VALUES (1, 30), (2, NULL);
"""
STATEMENTS = (
    ("old", "UPDATE users SET age = -1 WHERE id = 1"),
    ("new", "UPDATE users SET age = 31 WHERE id = 2"),
)
