"""Two tables that become one on PostgreSQL: what is needed beside the triggers that keep them in step.

Until it is filled, a row of the first table has NULL where the second has values. Whoever
writes to such a row fills it first, or what he does not write would be lost in both.
"""

from __future__ import annotations

from phases.dialects.base import Changes
from phases.dialects.postgresql_repairs import PostgreSQLRepairs
from phases.dialects.postgresql_splits import (
    drop_function,
    dropped,
    empty,
    function,
    trigger,
    trigger_name,
)
from phases.dual_write import SplitWrite
from phases.sql import identifier, listed

# Whoever writes to a row of the second table has locked that of the first, which this one has.
DRAW_BODY = """
DECLARE
  theirs {other}%ROWTYPE;
BEGIN
  SELECT there.* INTO theirs FROM {other} AS there WHERE {there_is_old};
  IF FOUND THEN
    {drawn}
  END IF;
  RETURN NEW;
END
"""

PRUNE_BODY = """
BEGIN
  DELETE FROM {other} AS there
  WHERE {there_is_there_new} AND NOT EXISTS (SELECT FROM {table} AS here WHERE {here_is_there_new});
  RETURN NULL;
END
"""

# While the second table was not written to, a row of the first was deleted, and another has its key.
CLEAR_BODY = """
BEGIN
  DELETE FROM {other} AS there WHERE {there_is_new} AND (TG_OP = 'INSERT' OR NOT ({there_is_old}));
  RETURN NULL;
END
"""


class PostgreSQLMerges(PostgreSQLRepairs):
    """The part of the PostgreSQL dialect that fills one of two tables, or brings the other up to date."""

    __slots__ = ()

    def draw_second(self, link: SplitWrite) -> Changes:
        columns = (identifier(column.name) for column in link.columns)
        drawn = "\n    ".join(
            f"IF NEW.{name} IS NOT DISTINCT FROM NULL THEN NEW.{name} := theirs.{name}; END IF;" for name in columns
        )
        # What a trigger of the user's writes is no first write: by then the second table may be the older one.
        pending = f"pg_catalog.pg_trigger_depth() OPERATOR(pg_catalog.=) 0 AND {empty(link, 'OLD.')}"
        return (
            *function(link, "draw", DRAW_BODY, drawn=drawn),
            trigger(link, "draw", "draw", link.table, "BEFORE UPDATE", pending),
        )

    def drop_draw_second(self, link: SplitWrite) -> Changes:
        return dropped(link.table, trigger_name(link, "draw")), drop_function(link, "draw")

    def push_second(self, link: SplitWrite) -> Changes:
        columns, key = listed(column.name for column in link.columns), listed(old for old, _ in link.key)
        return (
            trigger(link, "push", "old", link.table, f"AFTER UPDATE OF {columns}"),
            *function(link, "clear", CLEAR_BODY),
            # Triggers fire in the order of their names: this one before those that write the row.
            trigger(link, "clear", "clear", link.table, f"AFTER INSERT OR UPDATE OF {key}"),
        )

    def drop_push_second(self, link: SplitWrite) -> Changes:
        triggers = (dropped(link.table, trigger_name(link, part)) for part in ("push", "clear"))
        return (*triggers, drop_function(link, "clear"))

    def prune_second(self, link: SplitWrite) -> Changes:
        columns = listed(new for _, new in link.key)
        return (
            *function(link, "prune", PRUNE_BODY),
            trigger(link, "prune", "prune", link.other, f"AFTER UPDATE OF {columns}"),
        )

    def drop_prune_second(self, link: SplitWrite) -> Changes:
        return dropped(link.other, trigger_name(link, "prune")), drop_function(link, "prune")
