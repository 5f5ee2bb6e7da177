"""What Django knows of the rename. `migrator` does it, while version 1.0 is live."""

from django.db import migrations


def rename_where_nobody_is(apps, schema_editor):
    """Nothing where `migrator` has done it; a plain rename in an empty database, such as one of the tests."""
    with schema_editor.connection.cursor() as cursor:
        table = schema_editor.connection.introspection.get_table_description(cursor, "users")
        if "name" in [column.name for column in table]:
            return
        cursor.execute("SELECT 1 FROM users LIMIT 1")
        if cursor.fetchone():
            raise RuntimeError("users.full_name is in use; first: migrator apply")
    schema_editor.execute("ALTER TABLE users RENAME COLUMN full_name TO name")


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_users")]
    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RenameField("User", "full_name", "name")],
            database_operations=[migrations.RunPython(rename_where_nobody_is, migrations.RunPython.noop)],
        )
    ]
