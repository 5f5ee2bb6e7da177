"""Create users."""

from migrator import Column, CreateTable, Migration

revision = "0001_create_users"
down_revision = None

migration = Migration(
    CreateTable(
        "users",
        Column("id", "bigint", primary_key=True, identity="BY DEFAULT"),
        Column("full_name", "text", nullable=False),
        Column("email", "text", unique=True),
    ),
)
upgrade, downgrade = migration.upgrade, migration.downgrade
