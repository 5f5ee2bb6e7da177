"""Give users.country a default."""

from migrator import Migration, SetDefault

revision, down_revision = "set_default", None
migration = Migration(
    SetDefault("users", "country", "'unknown'"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  country text
);
INSERT INTO users VALUES (1, 'NZ'), (2, NULL);
"""
STATEMENTS = (
    ("old", "INSERT INTO users (id) VALUES (3) RETURNING country"),
    ("new", "SELECT country FROM users WHERE id = 2"),
)
