"""Dual writes on MySQL and MariaDB: a trigger before INSERT and one before UPDATE.

Triggers of one event fire in the order in which they were created, so ours see what those of the user's
have made of a row. The session signal is a user variable, `SET @migrator_writes = 'old'`.

An INSERT … SELECT that leaves out a NOT NULL column shows triggers '' or 0 for it on MariaDB, as if it had
been written. A column that is to be filled by a trigger is therefore nullable for as long as it is.
"""

from __future__ import annotations

from phases import names
from phases.catalog import Column
from phases.dialects import mysql_statements as statements
from phases.dialects.base import Changes
from phases.dialects.sides import Sides, none_of
from phases.dual_write import DualWrite, NullFill, Pairs, has_identity, shared_default
from phases.errors import Refused
from phases.model import TableName
from phases.sql import identifier

SIGNAL = "@migrator_writes"

DUAL_WRITE_BODY = """BEGIN{complete}
  IF {disagree} THEN
    IF {new_wins} AND NOT (({old_written}) AND COALESCE({signal}, '') = 'old') THEN
      {to_old}
    ELSE
      {to_new}
    END IF;
  END IF;
END"""

MAPPED_BODY = """BEGIN
  DECLARE settled boolean DEFAULT FALSE;{complete}
  {untouched}
  IF NOT settled THEN
    BEGIN
      DECLARE EXIT HANDLER FOR SQLEXCEPTION SET settled = FALSE;
      SET settled = NOT ({disagree});
    END;
  END IF;
  IF NOT settled THEN
    IF {new_wins} AND NOT (({old_written}) AND COALESCE({signal}, '') = 'old') THEN
      {to_old}
    ELSE
      {to_new}
    END IF;
  END IF;
END"""

# A value that one side cannot hold must not fail the statement that writes the other. In the strict mode that a
# trigger keeps from its creation, a text that is no number is an error, too.
FALLIBLE = """BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION SET {give_up};
        {assign}
      END;"""

COMPLETE = """
  IF {half_given} AND COALESCE({signal}, '') <> 'new' THEN
    BEGIN
      DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN END;
      {assign}
    END;
  END IF;"""

NULL_FILL_BODY = """BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION SET NEW.{column} = NULL;
  IF NEW.{column} IS NULL THEN
    SET NEW.{column} = {value};
  END IF;
END"""

EVENTS = {"INSERT": "i", "UPDATE": "u"}


class MySQLTriggers(Sides):
    """The trigger half of the dialect."""

    __slots__ = ()

    def dual_write(self, link: DualWrite) -> Changes:
        return tuple(
            statements.create_trigger(link.table, self._name(link, event), event, self._body(link, event))
            for event in EVENTS
        )

    def drop_dual_write(self, link: DualWrite) -> Changes:
        return tuple(statements.drop_trigger(link.table, self._name(link, event)) for event in EVENTS)

    def redirect_dual_write(self, link: DualWrite) -> Changes:
        """The other ones first: as long as both are there, the second finds that the sides agree."""
        other = DualWrite(link.table, link.name, link.olds, link.news, link.up, link.down, exact=True, fills_old=True)
        return (*self.dual_write(link), *self.drop_dual_write(other))

    def _name(self, link: DualWrite, event: str) -> str:
        kind = "back" if link.fills_old else "sync"
        return trigger_name(link.table, kind, event, link.name)

    def _body(self, link: DualWrite, event: str) -> str:
        old, new = self._given(link) if event == "INSERT" else (self._changed(link.olds), self._changed(link.news))
        if event == "UPDATE":
            # A trigger does not see which columns a statement names: who writes NULL to a row that is not
            # filled yet can say so.
            new = f"{new} OR (NOT ({old}) AND COALESCE({SIGNAL}, '') = 'new')"
        template = MAPPED_BODY if link.fallible else DUAL_WRITE_BODY
        return template.format(
            complete=self._complete(link) if event == "UPDATE" else "",
            untouched=self._untouched(link) if event == "UPDATE" and not link.fills_old else "",
            disagree=self.disagree(link, "NEW."),
            new_wins=f"({new} OR NOT ({old}))" if link.fills_old else f"({new})",
            old_written=old,
            signal=SIGNAL,
            to_old=self._assign(link, link.down),
            to_new=self._assign(link, link.up),
        )

    def _complete(self, link: DualWrite) -> str:
        half_given = self._half_given(link)
        assign = " ".join(f"SET NEW.{identifier(name)} = {value};" for name, value in self._completed(link).items())
        return COMPLETE.format(half_given=half_given, signal=SIGNAL, assign=assign) if half_given else ""

    def _untouched(self, link: DualWrite) -> str:
        """Leave alone what was not written, unless it is not filled yet."""
        filled = f"NOT ({none_of(link.news, 'NEW.')}) OR {none_of(link.olds, 'NEW.')}"
        return f"SET settled = NOT ({self._changed([*link.olds, *link.news])}) AND ({filled});"

    def _assign(self, link: DualWrite, pairs: Pairs) -> str:
        values = self._mapped(pairs, "NEW.")
        assign = " ".join(f"SET NEW.{identifier(name)} = {value};" for name, value in values.items())
        if not link.fallible:
            return assign
        give_up = ", ".join(f"NEW.{identifier(name)} = NULL" for name in values)
        return FALLIBLE.format(assign=assign, give_up=give_up)

    def _given(self, link: DualWrite) -> tuple[str, str]:
        """Which sides an INSERT wrote: those that are not what their defaults give."""
        if link.fills_old and any(map(has_identity, link.olds)):
            raise Refused("a column with AUTO_INCREMENT cannot be written twice", remedy="keep its name")
        defaults = link.new_defaults(self._expressions.substitute, self.cast)
        new = " OR ".join(self._written(column, defaults.get(column.name)) for column in link.news)
        if link.unshareable:
            return "TRUE", new
        return " OR ".join(self._written(column, shared_default(column)) for column in link.olds), new

    def _written(self, column: Column, default: str | None) -> str:
        value = f"NEW.{identifier(column.name)}"
        return self.differs(column, value, f"({default})") if default else f"{value} IS NOT NULL"

    def null_fill(self, link: NullFill) -> Changes:
        value = self._expressions.qualify(link.expression, "NEW")
        body = NULL_FILL_BODY.format(column=identifier(link.column.name), value=value)
        return tuple(
            statements.create_trigger(link.table, trigger_name(link.table, "fill", event, link.name), event, body)
            for event in EVENTS
        )

    def drop_null_fill(self, link: NullFill) -> Changes:
        return tuple(
            statements.drop_trigger(link.table, trigger_name(link.table, "fill", event, link.name)) for event in EVENTS
        )


def trigger_name(table: TableName, kind: str, event: str, name: str) -> str:
    return names.trigger(f"{kind}_{EVENTS[event]}", table.schema, table.name, name)
