"""Rename users.full_name to users.name."""

from migrator import Migration, RenameColumn

revision = "0002_rename_full_name"
down_revision = "0001_create_users"

migration = Migration(RenameColumn("users", "full_name", "name"))
upgrade, downgrade = migration.upgrade, migration.downgrade
