"""Dual writes on PostgreSQL: BEFORE ROW triggers whose conditions keep them idle.

A trigger's WHEN is evaluated without calling PL/pgSQL, so a statement that
leaves both sides equal (every UPDATE of another column, every backfill batch)
pays for one comparison and no function call.
"""

from __future__ import annotations

from collections.abc import Sequence

from phases import names
from phases.catalog import Column
from phases.dialects.base import Change, Changes
from phases.dual_write import DualWrite, NullFill
from phases.model import Lock, LockMode, TableName
from phases.sql import Expressions, identifier, literal, qualified

DUAL_WRITE_BODY = """
DECLARE
  old_written boolean;
  new_written boolean;
BEGIN
  IF TG_NARGS = 1 THEN
    NEW.{old} := NULL;
    RETURN NEW;
  END IF;
  IF TG_OP = 'INSERT' THEN
    old_written := {old_given};
    new_written := {new_given};
  ELSE
    old_written := {old_changed};
    new_written := {new_changed};
  END IF;
  IF {new_wins}
     AND NOT (old_written AND coalesce(pg_catalog.current_setting('migrator.writes', true), '') = 'old')
  THEN
    NEW.{old} := NEW.{new};
  ELSE
    NEW.{new} := NEW.{old};
  END IF;
  RETURN NEW;
END
"""

NULL_FILL_BODY = """
BEGIN
  NEW.{column} := {expression};
  RETURN NEW;
END
"""

ORDER = {"sync": "1", "fill": "2"}


class PostgreSQLTriggers:
    """The trigger half of the PostgreSQL dialect."""

    __slots__ = ()

    @property
    def _expressions(self) -> Expressions:
        raise TypeError("the dialect has the reader of expressions")

    def differs(self, column: Column, left: str, right: str) -> str:
        raise TypeError("the dialect says when two values differ")

    def dual_write(self, link: DualWrite) -> Changes:
        old, new = identifier(link.old.name), identifier(link.new)
        function, (nulls, main) = self._names(link.table, "sync", link.name)
        differ = self.differs(link.old, f"NEW.{old}", f"NEW.{new}")
        made = [
            self._function("CREATE FUNCTION", function, self._dual_write_body(link)),
            self._trigger(link.table, main, "INSERT OR UPDATE", differ, f"{function}()"),
        ]
        if not link.old.not_null:
            # Values alone cannot tell NULL written to an unfilled row from a row nobody filled yet:
            # the column list of the statement can.
            same = self.differs(link.old, f"NEW.{old}", f"OLD.{old}")
            condition = f"NEW.{new} IS NULL AND OLD.{new} IS NULL AND NEW.{old} IS NOT NULL AND NOT ({same})"
            made.append(self._trigger(link.table, nulls, f"UPDATE OF {new}", condition, f"{function}('null')"))
        return tuple(made)

    def redirect_dual_write(self, link: DualWrite) -> Changes:
        function, _ = self._names(link.table, "sync", link.name)
        return (self._function("CREATE OR REPLACE FUNCTION", function, self._dual_write_body(link)),)

    def drop_dual_write(self, link: DualWrite) -> Changes:
        function, (nulls, main) = self._names(link.table, "sync", link.name)
        triggers = [main] if link.old.not_null else [main, nulls]
        return self._drop(link.table, triggers, function)

    def null_fill(self, link: NullFill) -> Changes:
        function, (_, main) = self._names(link.table, "fill", link.name)
        column = identifier(link.column.name)
        expression = self._expressions.qualify(link.expression, "NEW")
        body = NULL_FILL_BODY.format(column=column, expression=expression)
        # The user's expression has to find its functions whatever the search path of the writer is.
        made = self._function("CREATE FUNCTION", function, body, "SET search_path FROM CURRENT ")
        return made, self._trigger(link.table, main, "INSERT OR UPDATE", f"NEW.{column} IS NULL", f"{function}()")

    def drop_null_fill(self, link: NullFill) -> Changes:
        function, (_, main) = self._names(link.table, "fill", link.name)
        return self._drop(link.table, [main], function)

    def _names(self, table: TableName, kind: str, name: str) -> tuple[str, tuple[str, str]]:
        function = TableName(table.schema, names.owned(kind, table.schema, table.name, name))
        # Dual writes fire first, so that what fills a column may read a mirrored one.
        order = ORDER[kind]
        first, second = (names.trigger(f"{order}{part}", table.schema, table.name, name) for part in "ab")
        return qualified(function), (first, second)

    def _function(self, verb: str, function: str, body: str, options: str = "") -> Change:
        return Change(f"{verb} {function}() RETURNS trigger LANGUAGE plpgsql {options}AS {literal(body)}")

    def _trigger(self, table: TableName, name: str, events: str, condition: str, call: str) -> Change:
        sql = (
            f"CREATE TRIGGER {identifier(name)} BEFORE {events} ON {qualified(table)}"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {call}"
        )
        return Change(sql, (Lock(table, LockMode.SHARE_ROW_EXCLUSIVE),))

    def _drop(self, table: TableName, triggers: Sequence[str], function: str) -> Changes:
        lock = (Lock(table, LockMode.ACCESS_EXCLUSIVE),)
        dropped = [Change(f"DROP TRIGGER {identifier(name)} ON {qualified(table)}", lock) for name in triggers]
        return (*dropped, Change(f"DROP FUNCTION {function}()"))

    def _dual_write_body(self, link: DualWrite) -> str:
        old, new = identifier(link.old.name), identifier(link.new)
        default = f"({link.shared_default})::{link.old.type}" if link.shared_default else None

        def given(side: str) -> str:
            return self.differs(link.old, side, default) if default else f"{side} IS NOT NULL"

        old_given, new_given = given(f"NEW.{old}"), given(f"NEW.{new}")
        if link.default_is_unshareable:
            old_given = "true"
        if link.fills_old and link.has_identity:
            # While a contract is restored the identity still feeds the new column.
            old_given, new_given = f"NEW.{old} IS NOT NULL", f"NEW.{old} IS NULL"
        return DUAL_WRITE_BODY.format(
            old=old,
            new=new,
            old_given=old_given,
            new_given=new_given,
            old_changed=self.differs(link.old, f"NEW.{old}", f"OLD.{old}"),
            new_changed=self.differs(link.old, f"NEW.{new}", f"OLD.{new}"),
            new_wins="(new_written OR NOT old_written)" if link.fills_old else "new_written",
        )
