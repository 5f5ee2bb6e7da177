"""A table under two names on MySQL and MariaDB: a view, and one RENAME TABLE that exchanges it for the table.

A view is a text there that names its table. So it is exchanged together with the table, and one that names a table
that is gone is dropped at once: whoever dumps the database would fail over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phases import names
from phases.catalog import Table
from phases.dialects import mysql_statements as statements
from phases.dialects.base import Change, Changes
from phases.dialects.mysql_statements import literal
from phases.model import Step, TableName
from phases.sql import listed

PRIVILEGES = """
SELECT DISTINCT o.grantee FROM (
  SELECT grantee, privilege_type, table_name, '' AS column_name FROM information_schema.table_privileges
  WHERE table_schema = {schema}
  UNION ALL SELECT grantee, privilege_type, table_name, column_name FROM information_schema.column_privileges
  WHERE table_schema = {schema}) AS o
WHERE o.table_name = {old} AND NOT EXISTS (SELECT 1 FROM information_schema.table_privileges n
  WHERE n.table_schema = {schema} AND n.table_name = {new} AND n.grantee = o.grantee
    AND n.privilege_type = o.privilege_type) LIMIT 5
"""


class MySQLViews:
    """The part of the dialect that gives a table a second name."""

    __slots__ = ()

    def together(self, name: str, changes: Sequence[Change]) -> Step:
        raise TypeError("the dialect makes steps of changes")

    def create_view(self, view: TableName, table: Table) -> Changes:
        return (statements.create_view(view, table.name, listed(column.name for column in table.columns)),)

    def drop_view(self, view: TableName) -> Changes:
        return (statements.drop_view(view),)

    def swap_view(self, name: str, view: TableName, table: TableName) -> Step:
        aside = self._aside(view, "view")
        swapped = statements.exchange((view, aside), (table, view), table=view)
        return self.together(name, (swapped, statements.drop_view(aside)))

    def swap_back(self, view: TableName, table: Table) -> Changes:
        """The old name works at once, by a view of its own; the view of the new name is made over it."""
        old, aside, last = table.name, self._aside(view, "view"), self._aside(view, "last")
        return (
            statements.drop_view(aside),
            *self.create_view(old, replace(table, name=view)),
            *self.create_view(aside, table),
            statements.exchange((old, last), (view, old), (aside, view), table=old),
            statements.drop_view(last),
            # Of a swap that had not come so far.
            statements.drop_view(aside),
        )

    @staticmethod
    def _aside(view: TableName, kind: str) -> TableName:
        return TableName(view.schema, names.owned(kind, view.schema, view.name))

    def granted_apart(self, table: TableName, other: TableName) -> str:
        return PRIVILEGES.format(schema=literal(table.schema), old=literal(table.name), new=literal(other.name))
