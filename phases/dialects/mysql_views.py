"""A table under two names on MySQL and MariaDB: a view, and one RENAME TABLE that exchanges it for the table.

A view is a text there that names its table. So it is exchanged together with the table, and one that names a table
that is gone is dropped at once: whoever dumps the database would fail over it. While it is exchanged in several steps
its views read with the rights of the runner's role: nobody else was granted anything under the name it has meanwhile.
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

    def together(self, name: str, changes: Sequence[Change], *, undo: Sequence[Step] = ()) -> Step:
        raise TypeError("the dialect makes steps of changes")

    def create_view(self, view: TableName, table: Table) -> Changes:
        return (self._view(view, table),)

    def drop_view(self, view: TableName) -> Changes:
        return (statements.drop_view(view),)

    def swap_view(self, view: TableName, table: Table) -> tuple[Step, ...]:
        behind = TableName(view.schema, names.behind("table", view.schema, view.name))
        if not locked_before(table.name, view) or locked_before(behind, view):
            return (self._swapped(view, table, table.name),)
        return *self._put_behind(view, table, behind), self._swapped(view, replace(table, name=behind), table.name)

    def _swapped(self, view: TableName, table: Table, old: TableName) -> Step:
        aside, last = self._aside(view, "view"), self._aside(view, "last")
        rights = "INVOKER" if table.name == old else "DEFINER"
        back = (
            statements.drop_view(aside),
            self._view(table.name, replace(table, name=view)),
            self._view(aside, table, rights=rights),
            statements.exchange((table.name, last), (view, table.name), (aside, view), table=table.name),
            statements.drop_view(last),
            # Of a swap that had not come so far.
            statements.drop_view(aside),
        )
        undo = self.together(f"rename table {view.name} to {old.name}, create view {view.name}", back)
        swapped = statements.exchange((view, aside), (table.name, view), table=view)
        name = f"drop view {view.name}, rename table {old.name} to {view.name}"
        return self.together(name, (swapped, unlocked(statements.drop_view(aside))), undo=(undo,))

    def _put_behind(self, view: TableName, table: Table, behind: TableName) -> tuple[Step, ...]:
        """Give a table a name that RENAME TABLE locks after that of its view.

        A statement locks a view before the table under it. RENAME TABLE locks all names in their order, so it may have
        the table and wait for the view: the statement lets go of the view, begins again, and where it meets a table
        by then it fails with 1356 (seen on MySQL 9.7 and MariaDB 10.11).
        """
        old, made, last = table.name, self._aside(view, "over"), self._aside(view, "last")
        shown = f"{view.name} of {old.name}"
        views = (self._view(behind, table), self._view(made, replace(table, name=behind), rights="DEFINER"))
        unmade = self.together(f"drop views for {shown}", (statements.drop_view(made), statements.drop_view(behind)))
        forth = statements.exchange((behind, last), (old, behind), (made, old), table=behind)
        back = statements.exchange((old, last), (behind, old), table=old)
        drop = unlocked(statements.drop_view(last))
        uncovered = self.together(f"give table {old.name} its name back", (drop, back, drop))
        over = (
            self._view(view, replace(table, name=behind), rights="DEFINER", anew=True),
            unlocked(statements.drop_view(old)),
        )
        under = (
            unlocked(self._view(old, replace(table, name=behind), rights="DEFINER")),
            self._view(view, table, anew=True),
        )
        return (
            self.together(f"create views for {shown}", views, undo=(unmade,)),
            self.together(f"put a view before table {old.name}", (forth, drop), undo=(uncovered,)),
            self.together(f"drop view {old.name}", over, undo=(self.together(f"create view {old.name} again", under),)),
        )

    @staticmethod
    def _view(view: TableName, table: Table, *, rights: str = "INVOKER", anew: bool = False) -> Change:
        columns = listed(column.name for column in table.columns)
        return statements.create_view(view, table.name, columns, rights=rights, anew=anew)

    @staticmethod
    def _aside(view: TableName, kind: str) -> TableName:
        return TableName(view.schema, names.behind(kind, view.schema, view.name))

    def granted_apart(self, table: TableName, other: TableName) -> str:
        return PRIVILEGES.format(schema=literal(table.schema), old=literal(table.name), new=literal(other.name))


def locked_before(one: TableName, other: TableName) -> bool:
    """Whether a statement that locks both names locks this one first (`MDL_key::cmp` compares their bytes)."""
    return (one.schema.encode(), one.name.encode()) < (other.schema.encode(), other.name.encode())


def unlocked(change: Change) -> Change:
    """A change of what nobody else uses."""
    return replace(change, locks=())
