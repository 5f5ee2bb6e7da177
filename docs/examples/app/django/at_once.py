"""What `makemigrations` writes for the same rename: every statement of version 1.0 fails from then on."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("shop", "0001_users")]
    operations = [migrations.RenameField("User", "full_name", "name")]
