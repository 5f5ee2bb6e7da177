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
from phases.dialects.sides import Sides, none_of
from phases.dual_write import DualWrite, NullFill, Pairs, shared_default
from phases.model import Lock, LockMode, TableName
from phases.sql import identifier, literal, qualified

DUAL_WRITE_BODY = """
DECLARE
  old_written boolean;
  new_written boolean;
BEGIN
  IF TG_NARGS = 1 THEN
    {to_old}
    RETURN NEW;
  END IF;{complete}
  {settled}
  IF TG_OP = 'INSERT' THEN
    old_written := {old_given};
    new_written := {new_given};
  ELSE
    old_written := {old_changed};
    new_written := {new_changed};
  END IF;
  IF {new_wins}
     AND NOT (old_written AND {signal} = 'old')
  THEN
    {to_old}
  ELSE
    {to_new}
  END IF;
  RETURN NEW;
END
"""

SIGNAL = "coalesce(pg_catalog.current_setting('migrator.writes', true), '')"

COMPLETE = """
  IF TG_OP = 'UPDATE' AND {half_given} AND {signal} <> 'new' THEN
    {assign}
  END IF;"""

# A value that one side cannot hold must not fail the statement that writes the other.
FALLIBLE = """BEGIN
      {assign}
    EXCEPTION WHEN data_exception OR integrity_constraint_violation THEN
      {give_up}
    END;"""

UNTOUCHED = """IF TG_OP = 'UPDATE' AND NOT ({changed}) AND ({filled}) THEN
    RETURN NEW;
  END IF;"""

NULL_FILL_BODY = """
BEGIN
    {assign}
    RETURN NEW;
END
"""

UNLIMITED = ("text", "character varying")

ORDER = {"sync": "1", "fill": "2"}


class PostgreSQLTriggers(Sides):
    """The trigger half of the PostgreSQL dialect."""

    __slots__ = ()

    def dual_write(self, link: DualWrite) -> Changes:
        function, (nulls, main) = self._names(link.table, "sync", link.name)
        made = [self._dual_write_function("CREATE FUNCTION", link)]
        if link.fallible:
            # A condition that raises would fail the statement; the function can catch it.
            made.append(self._trigger(link.table, main, "INSERT OR UPDATE", "true", f"{function}()"))
        else:
            condition = self.disagree(link, "NEW.")
            made.append(self._trigger(link.table, main, "INSERT OR UPDATE", condition, f"{function}()"))
        if link.nullable:
            # Values alone cannot tell NULL written to an unfilled row from a row nobody filled yet:
            # the column list of the statement can.
            unfilled = f"{none_of(link.news, 'NEW.')} AND {none_of(link.news, 'OLD.')}"
            condition = f"{unfilled} AND NOT ({none_of(link.olds, 'NEW.')}) AND NOT ({self._changed(link.olds)})"
            events = f"UPDATE OF {', '.join(identifier(column.name) for column in link.news)}"
            made.append(self._trigger(link.table, nulls, events, condition, f"{function}('null')"))
        return tuple(made)

    def redirect_dual_write(self, link: DualWrite) -> Changes:
        return (self._dual_write_function("CREATE OR REPLACE FUNCTION", link),)

    def _dual_write_function(self, verb: str, link: DualWrite) -> Change:
        function, _ = self._names(link.table, "sync", link.name)
        # Expressions of the user's have to find their functions whatever the search path of the writer is.
        options = "" if link.exact else "SET search_path FROM CURRENT "
        return self._function(verb, function, self._dual_write_body(link), options)

    def drop_dual_write(self, link: DualWrite) -> Changes:
        function, (nulls, main) = self._names(link.table, "sync", link.name)
        triggers = [main, nulls] if link.nullable else [main]
        return self._drop(link.table, triggers, function)

    def null_fill(self, link: NullFill) -> Changes:
        function, (_, main) = self._names(link.table, "fill", link.name)
        column = identifier(link.column.name)
        assign = f"NEW.{column} := {self._expressions.qualify(link.expression, 'NEW')};"
        if not self._expressions.total(link.expression) or link.column.type.lower() not in UNLIMITED:
            assign = FALLIBLE.format(assign=assign, give_up=f"NEW.{column} := NULL;")
        body = NULL_FILL_BODY.format(assign=assign)
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
        old_given, new_given = self._given(link)
        return DUAL_WRITE_BODY.format(
            complete=self._complete(link),
            settled=self._settled(link) if link.fallible else "",
            signal=SIGNAL,
            old_given=old_given,
            new_given=new_given,
            old_changed=self._changed(link.olds),
            new_changed=self._changed(link.news),
            new_wins="(new_written OR NOT old_written)" if link.fills_old else "new_written",
            to_old=self._assign(link, link.down),
            to_new=self._assign(link, link.up),
        )

    def _given(self, link: DualWrite) -> tuple[str, str]:
        """Which sides an INSERT wrote: those that are not what their defaults give."""
        if link.fills_old and link.has_identity:
            # While a contract is restored the identity still feeds the new column.
            return none_of(link.olds, "NEW.", negated=True), none_of(link.olds, "NEW.")
        defaults = link.new_defaults(self._expressions.substitute, self.cast)
        new = " OR ".join(self._written(column, defaults.get(column.name)) for column in link.news)
        if link.unshareable:
            return "true", new
        return " OR ".join(self._written(column, shared_default(column)) for column in link.olds), new

    def _written(self, column: Column, default: str | None) -> str:
        value = f"NEW.{identifier(column.name)}"
        return self.differs(column, value, f"({default})::{column.type}") if default else f"{value} IS NOT NULL"

    def _complete(self, link: DualWrite) -> str:
        if not (half_given := self._half_given(link)):
            return ""
        assign = "\n    ".join(f"NEW.{identifier(name)} := {value};" for name, value in self._completed(link).items())
        if link.fallible:
            assign = FALLIBLE.format(assign=assign, give_up="NULL;")
        else:
            assign = f"{assign}\n    IF NOT ({self.disagree(link, 'NEW.')}) THEN RETURN NEW; END IF;"
        return COMPLETE.format(half_given=half_given, signal=SIGNAL, assign=assign)

    def _settled(self, link: DualWrite) -> str:
        """Leave alone what was not written, and what already says the same: a backfill, above all."""
        changed = f"{self._changed(link.olds)} OR {self._changed(link.news)}"
        filled = f"NOT ({none_of(link.news, 'NEW.')}) OR {none_of(link.olds, 'NEW.')}"
        untouched = "" if link.fills_old else UNTOUCHED.format(changed=changed, filled=filled)
        agree = f"IF NOT ({self.disagree(link, 'NEW.')}) THEN RETURN NEW; END IF;"
        return f"{untouched}\n    {FALLIBLE.format(assign=agree, give_up='NULL;')}"

    def _assign(self, link: DualWrite, pairs: Pairs) -> str:
        values = self._mapped(pairs, "NEW.")
        assign = "\n    ".join(f"NEW.{identifier(name)} := {value};" for name, value in values.items())
        if not link.fallible:
            return assign
        give_up = "\n      ".join(f"NEW.{identifier(name)} := NULL;" for name in values)
        return FALLIBLE.format(assign=assign, give_up=give_up)
