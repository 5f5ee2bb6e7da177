"""Dual writes on MySQL and MariaDB: a trigger before INSERT and one before UPDATE.

Triggers of one event fire in the order in which they were created, so ours see what those of the user's
have made of a row. The session signal is a user variable, `SET @migrator_writes = 'old'`.

An INSERT … SELECT that leaves out a NOT NULL column shows triggers '' or 0 for it on MariaDB, as if it had
been written. A column that is to be filled by a trigger is therefore nullable for as long as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from phases import names
from phases.catalog import Column
from phases.dialects import mysql_statements as statements
from phases.dialects.base import Changes
from phases.dual_write import DualWrite, NullFill, has_identity, shared_default
from phases.errors import Refused
from phases.model import TableName
from phases.sql import Expressions, identifier

SIGNAL = "@migrator_writes"

DUAL_WRITE_BODY = """BEGIN
  IF {disagree} THEN
    IF {new_wins} AND NOT (({old_written}) AND COALESCE({signal}, '') = 'old') THEN
      {to_old}
    ELSE
      {to_new}
    END IF;
  END IF;
END"""

NULL_FILL_BODY = """BEGIN
  DECLARE EXIT HANDLER FOR SQLEXCEPTION SET NEW.{column} = NULL;
  IF NEW.{column} IS NULL THEN
    SET NEW.{column} = {value};
  END IF;
END"""

EVENTS = {"INSERT": "i", "UPDATE": "u"}


class MySQLTriggers:
    """The trigger half of the dialect."""

    __slots__ = ()

    @property
    def _expressions(self) -> Expressions:
        raise TypeError("the dialect has the reader of expressions")

    def differs(self, column: Column, left: str, right: str) -> str:
        raise TypeError("the dialect says when two values differ")

    def disagree(self, link: DualWrite, row: str = "") -> str:
        """Condition under which the two sides of a row do not say the same."""
        if not link.exact or not link.plain:
            raise Refused(
                "two columns that are made of each other by expressions are kept in step on PostgreSQL alone",
                remedy="write both columns in the application, and fill the rows with Backfill",
            )
        pairs = zip(link.olds, link.news, strict=True)
        return " OR ".join(
            self.differs(new, row + identifier(new.name), row + identifier(old.name)) for old, new in pairs
        )

    def _changed(self, columns: Sequence[Column]) -> str:
        return " OR ".join(self.differs(c, f"NEW.{identifier(c.name)}", f"OLD.{identifier(c.name)}") for c in columns)

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
        pairs = [(identifier(o.name), identifier(n.name)) for o, n in zip(link.olds, link.news, strict=True)]
        return DUAL_WRITE_BODY.format(
            disagree=self.disagree(link, "NEW."),
            new_wins=f"({new} OR NOT ({old}))" if link.fills_old else f"({new})",
            old_written=old,
            signal=SIGNAL,
            to_old=" ".join(f"SET NEW.{o} = NEW.{n};" for o, n in pairs),
            to_new=" ".join(f"SET NEW.{n} = NEW.{o};" for o, n in pairs),
        )

    def _given(self, link: DualWrite) -> tuple[str, str]:
        """Which sides an INSERT wrote: those that are not what their defaults give."""
        if link.fills_old and any(map(has_identity, link.olds)):
            raise Refused("a column with AUTO_INCREMENT cannot be written twice", remedy="keep its name")
        defaults = link.new_defaults(self._expressions.substitute)
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
