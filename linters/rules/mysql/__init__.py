"""The rules of MySQL and MariaDB. One that holds for PostgreSQL too has the same id there."""

from linters.rules.mysql.base import RULES

__all__ = ["RULES"]

from linters.rules.mysql import cautions, columns, compatibility, data, sessions, tables  # noqa: F401
