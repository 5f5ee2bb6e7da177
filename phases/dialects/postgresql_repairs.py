"""Rows of two tables that no trigger has seen on PostgreSQL: one side is made what the other says.

Whoever writes to one of the two has locked the row of the first table by then. So that row is locked here, too, and
what the other table says of it is read after that, or it would be what it said before.
"""

from __future__ import annotations

from phases.catalog import Table
from phases.dialects.postgresql_splits import PostgreSQLSplits, texts_of
from phases.dual_write import SplitWrite
from phases.model import Fill
from phases.sql import identifier, listed, qualified


class PostgreSQLRepairs(PostgreSQLSplits):
    """The part of the PostgreSQL dialect that brings rows of two tables back in line."""

    __slots__ = ()

    def level_second(self, table: Table, link: SplitWrite) -> Fill:
        texts = texts_of(link, here=qualified(link.table))
        columns = [*(old for old, _ in link.key), *(column.name for column in link.columns)]
        head = f"INSERT INTO {texts['other']} AS there ({texts['other_columns']}) SELECT {listed(columns)}"
        changed = f"{texts['excluded']} WHERE {texts['there_not_excluded']}"
        return Fill(
            name=f"level {link.other}",
            table=link.table,
            target=str(link.other),
            assignments="",
            pending=f"{self.split_differs(link)}{texts['if_given']}",
            key=tuple(map(identifier, table.row_key())),
            repeat=True,
            copy=(head, f"ON CONFLICT ({texts['other_key']}) DO UPDATE SET {changed}"),
        )

    def level_first(self, table: Table, link: SplitWrite) -> Fill:
        texts = texts_of(link, here=qualified(link.table))
        found = f"FROM {texts['other']} AS there WHERE {texts['same_key']}"
        names = [identifier(column.name) for column in link.columns]
        return Fill(
            name=f"level {link.table}",
            table=link.table,
            target=str(link.table),
            assignments=", ".join(f"{name} = (SELECT there.{name} {found})" for name in names),
            pending=self.split_differs(link),
            key=tuple(map(identifier, table.row_key())),
            repeat=True,
            claims=True,
        )
