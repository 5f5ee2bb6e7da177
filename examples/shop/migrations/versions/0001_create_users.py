"""Create users."""

from migrator import Column, CreateTable, Migration

revision = "0001_create_users"
down_revision = None

migration = Migration(
    CreateTable(
        "users",
        Column("id", "bigint", primary_key=True, identity="BY DEFAULT"),
        Column("full_name", "varchar(80)", nullable=False),
        Column("email", "varchar(80)", unique=True),
    ),
)
upgrade, downgrade = migration.upgrade, migration.downgrade
