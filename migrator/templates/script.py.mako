"""${message}

Revision ID: ${up_revision}
Revises: ${down_revision | comma,n}
"""
from migrator import Migration

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}

# Operations: AddCheck, AddColumn, AddForeignKey, AddUnique, Backfill, CreateIndex,
# CreateTable, DropColumn, DropConstraint, DropDefault, DropIndex, DropNotNull,
# RenameColumn, RunSQL, SetDefault, SetNotNull. For example: RenameColumn("users", "full_name", "name")
migration = Migration()
upgrade, downgrade = migration.upgrade, migration.downgrade
