"""Rename the mood sad to blue."""

from migrator import Migration, RenameEnumValue

revision, down_revision = "rename_enum_value", None
migration = Migration(
    RenameEnumValue("mood", "sad", "blue", reads_both=True),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE users (id bigint PRIMARY KEY, mood mood NOT NULL DEFAULT 'sad');
INSERT INTO users VALUES (1, 'sad'), (2, 'happy');
"""
STATEMENTS = (
    ("new", "UPDATE users SET mood = 'blue' WHERE id = 2"),
    ("new", "SELECT id, mood FROM users WHERE mood IN ('sad', 'blue') ORDER BY id"),
    ("old", "INSERT INTO users (id) VALUES (3)"),
    ("old", "SELECT id, mood FROM users WHERE mood = 'sad' ORDER BY id"),
)
