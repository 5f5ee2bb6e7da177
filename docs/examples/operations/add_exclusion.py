"""Close for any day once."""

from migrator import AddExclusion, Migration

revision, down_revision = "add_exclusion", None
migration = Migration(
    AddExclusion("closures", "closed_once", [("days", "&&")]),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE closures (
  id bigint PRIMARY KEY,
  days int4range
);
INSERT INTO closures VALUES (1, '[1,5)'), (2, '[10,12)');
"""
STATEMENTS = (
    ("old", "UPDATE closures SET days = '[1,7)' WHERE id = 1"),
    ("old", "INSERT INTO closures VALUES (3, '[11,15)')"),
    ("new", "INSERT INTO closures VALUES (4, '[11,15)') ON CONFLICT ON CONSTRAINT closed_once DO NOTHING"),
)
