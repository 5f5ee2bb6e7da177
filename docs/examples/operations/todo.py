"""Add users.age."""

from migrator import Migration, Todo

revision, down_revision = "todo", None
migration = Migration(
    Todo("add users.age: which value do rows get that are written without it?"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  country text
);
INSERT INTO users VALUES (1, 'NZ'), (2, NULL);
"""
STATEMENTS = ()
