<%!
from migrator.autogenerate.rendering import literal, revises
%>\
"""${message}

Revision ID: ${up_revision}
Revises:${revises(down_revision)}
"""

from migrator import ${context.get("names", "Migration")}

revision = ${literal(up_revision)}
down_revision = ${literal(down_revision)}
branch_labels = ${literal(branch_labels)}
depends_on = ${literal(depends_on)}

% if not context.get("migration"):
# Operations: AddCheck, AddColumn, AddForeignKey, AddUnique, Backfill, CreateIndex,
# CreateTable, DropColumn, DropConstraint, DropDefault, DropIndex, DropNotNull,
# RenameColumn, RunSQL, SetDefault, SetNotNull. For example: RenameColumn("users", "full_name", "name")
% endif
migration = ${context.get("migration", "Migration()")}
upgrade, downgrade = migration.upgrade, migration.downgrade
