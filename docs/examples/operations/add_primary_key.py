"""Give a table a primary key."""

from migrator import AddPrimaryKey, Migration

revision, down_revision = "add_primary_key", None
migration = Migration(
    AddPrimaryKey("visits", "id"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE visits (
  id bigint,
  page text
);
INSERT INTO visits VALUES (1, '/'), (2, '/shop');
"""
STATEMENTS = (
    ("old", "INSERT INTO visits VALUES (3, '/about')"),
    ("new", "INSERT INTO visits VALUES (4, '/about') ON CONFLICT (id) DO NOTHING"),
    ("new", "SELECT page FROM visits WHERE id = 1"),
)
