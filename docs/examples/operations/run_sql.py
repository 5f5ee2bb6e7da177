"""A view that comes, and a function that goes."""

from migrator import Migration, RunSQL

revision, down_revision = "run_sql", None
migration = Migration(
    RunSQL(
        expand="CREATE VIEW active_users AS SELECT id FROM users WHERE active",
        undo="DROP VIEW active_users",
        contract="DROP FUNCTION head_count()",
        restore="CREATE FUNCTION head_count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users'",
    ),
)
upgrade, downgrade = migration.upgrade, migration.downgrade

BEFORE = """
CREATE TABLE users (id bigint PRIMARY KEY, active boolean NOT NULL DEFAULT true);
INSERT INTO users VALUES (1), (2);
CREATE FUNCTION head_count() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users';
"""
STATEMENTS = (
    ("old", "SELECT head_count()"),
    ("new", "SELECT count(*) FROM active_users"),
)
