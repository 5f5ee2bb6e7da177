"""Where every row has a value."""

from migrator import Migration, SetNotNull

revision, down_revision = "set_not_null_bare", None
migration = Migration(
    SetNotNull("users", "country"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  country text
);
INSERT INTO users VALUES (1, 'NZ'), (2, 'DE');
"""
STATEMENTS = (
    ("old", "INSERT INTO users (id) VALUES (3) RETURNING country"),
    ("new", "INSERT INTO users (id, country) VALUES (4, 'FR') RETURNING country"),
)
