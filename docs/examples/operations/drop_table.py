"""Drop settings."""

from migrator import DropTable, Migration

revision, down_revision = "drop_table", None
migration = Migration(
    DropTable("settings"),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (id bigint PRIMARY KEY);
CREATE TABLE settings (
  user_id bigint PRIMARY KEY REFERENCES users ON DELETE CASCADE,
  colour text
);
INSERT INTO users VALUES (1), (2);
INSERT INTO settings VALUES (1, 'red'), (2, 'blue');
"""
STATEMENTS = (
    ("new", "DELETE FROM users WHERE id = 2"),
    ("old", "SELECT colour FROM settings"),
)
