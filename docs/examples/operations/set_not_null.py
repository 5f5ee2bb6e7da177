"""With a value that stands in for NULL."""

from migrator import Migration, SetNotNull

revision, down_revision = "set_not_null", None
migration = Migration(
    SetNotNull("users", "country", fill="'unknown'"),
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
    ("old", "UPDATE users SET country = NULL WHERE id = 1 RETURNING country"),
    ("new", "SELECT id, country FROM users ORDER BY id"),
)
