"""Demand users.email."""

from migrator import Migration, RunSQL

revision = "3_email_required"
down_revision = "2_rename_full_name"

migration = Migration(
    RunSQL(
        expand="ALTER TABLE users ADD CONSTRAINT users_email_given CHECK (email IS NOT NULL) NOT VALID",
        undo="ALTER TABLE users DROP CONSTRAINT users_email_given",
    ),
)
upgrade, downgrade = migration.upgrade, migration.downgrade
