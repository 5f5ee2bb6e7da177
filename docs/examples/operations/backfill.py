"""Bring countries to one spelling."""

from migrator import Backfill, Migration

revision, down_revision = "backfill", None
migration = Migration(
    Backfill("users", {"country": "upper(country)"}, where="country <> upper(country)"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (
  id bigint PRIMARY KEY,
  country text
);
INSERT INTO users VALUES (1, 'nz'), (2, 'NZ'), (3, NULL);
"""
STATEMENTS = (
    ("old", "SELECT id, country FROM users ORDER BY id"),
    ("old", "INSERT INTO users VALUES (4, 'de') RETURNING country"),
    ("new", "INSERT INTO users VALUES (5, 'DE') RETURNING country"),
)
