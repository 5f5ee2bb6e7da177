"""Add a mood."""

from migrator import AddEnumValue, Migration

revision, down_revision = "add_enum_value", None
migration = Migration(
    AddEnumValue("mood", "glad", after="sad"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE users (id bigint PRIMARY KEY, mood mood);
INSERT INTO users VALUES (1, 'sad'), (2, 'happy');
"""
STATEMENTS = (
    ("new", "UPDATE users SET mood = 'glad' WHERE id = 1"),
    ("old", "SELECT mood FROM users ORDER BY mood"),
    ("old", "UPDATE users SET mood = 'happy' WHERE id = 1"),
)
