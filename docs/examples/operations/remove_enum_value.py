"""Remove the mood glum."""

from migrator import Migration, RemoveEnumValue

revision, down_revision = "remove_enum_value", None
migration = Migration(
    RemoveEnumValue("mood", "glum", replaced_by="sad"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TYPE mood AS ENUM ('sad', 'glum', 'happy');
CREATE TABLE users (id bigint PRIMARY KEY, mood mood);
INSERT INTO users VALUES (1, 'glum'), (2, 'happy');
"""
STATEMENTS = (
    ("new", "SELECT id, mood FROM users ORDER BY id"),
    ("old", "UPDATE users SET mood = 'glum' WHERE id = 2"),
)
