"""The models of version 2.0."""

from django.db import models


class User(models.Model):
    name = models.CharField(max_length=80)

    class Meta:
        db_table = "users"
