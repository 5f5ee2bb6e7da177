"""A table that takes the place of another on MySQL and MariaDB: it follows by triggers until the two change names.

What is in the copy is in the table, too, at any time. A row that the copy does not take (a value that its types do not
hold, a CHECK, a key that another row has) is not in it: no statement of an application fails because of that, and the
walk and the verification name the row. Triggers travel with their table in a RENAME, and name the other table by the
name that it has afterwards; until then there is no such table, which they put up with.

A trigger that changed or deleted a row that is not copied yet would lock a gap at REPEATABLE READ, into which others
insert. So it inserts the row first, as it was: one that is there is met in the primary key, which locks the row alone.
As it will be, it could be met in another key only, after a place in the primary key had been taken for it: MySQL leaves
the gap there locked when it takes that back, and two sessions that do so wait for each other.
"""

from __future__ import annotations

from collections.abc import Sequence

from phases import names
from phases.catalog import Column, Table
from phases.dialects import mysql_hashes
from phases.dialects import mysql_statements as statements
from phases.dialects.base import Change, Changes
from phases.dialects.mysql_backfill import NUMBERS, PRIMARY, base_type, forcing, marked
from phases.dialects.mysql_limits import COLLATED
from phases.dialects.mysql_statements import conditions
from phases.dual_write import TableCopy
from phases.model import ASKED, Fill, TableName
from phases.sql import Expressions, identifier, listed, qualified

KEY_TAKEN = "1062"
NOT_TAKEN = ", ".join(
    "1048 1264 1265 1292 1364 1365 1366 1406 1411 1416 1425 1441 1525 1526 1582 1690 3140 3141 3143 3156 3819 3854 4025"
    " 4038 4078 4079".split()
)
"""Errors of a row that a table does not take: NULL, values that no type or partition holds, CHECK."""
NOT_THERE = "1146"

INSERT_BODY = """BEGIN
  DECLARE EXIT HANDLER FOR {not_there} BEGIN END;
  DECLARE CONTINUE HANDLER FOR {not_taken} BEGIN END;
  INSERT INTO {other} ({columns}) VALUES ({values});
END"""

UPDATE_BODY = """BEGIN
  DECLARE is_there BOOLEAN DEFAULT TRUE;
  DECLARE EXIT HANDLER FOR {not_there} BEGIN END;
  BEGIN
    DECLARE CONTINUE HANDLER FOR {key_taken} BEGIN END;
    DECLARE CONTINUE HANDLER FOR {not_held} SET is_there = FALSE;
    INSERT INTO {other} ({columns}) VALUES ({old_values});
  END;
  IF is_there THEN
    BEGIN
      DECLARE EXIT HANDLER FOR {not_taken} DELETE FROM {other} WHERE {is_old};
      UPDATE {other} SET {assignments} WHERE {is_old};
      SET is_there = ROW_COUNT() <> 0;
    END;
  END IF;
  IF NOT is_there THEN
    BEGIN
      DECLARE CONTINUE HANDLER FOR {not_taken} BEGIN END;
      INSERT INTO {other} ({columns}) VALUES ({values});
    END;
  END IF;
END"""

DELETE_BODY = """BEGIN
  DECLARE EXIT HANDLER FOR {not_there} BEGIN END;
  BEGIN
    DECLARE CONTINUE HANDLER FOR {not_taken} BEGIN END;
    INSERT INTO {other} ({columns}) VALUES ({old_values});
  END;
  DELETE FROM {other} WHERE {is_old};
END"""

BODIES = {"DELETE": DELETE_BODY, "UPDATE": UPDATE_BODY, "INSERT": INSERT_BODY}
"""In the order in which they are made: a row that one of them copies is changed and deleted by those before."""

LOCKING = {"mysql": "FOR SHARE SKIP LOCKED", "mariadb": "LOCK IN SHARE MODE SKIP LOCKED"}
"""A row that somebody else holds is found by the next walk: who waits for nothing takes part in no deadlock."""

NEXT_NUMBER = "SELECT COALESCE(MAX(auto_increment), 1) FROM information_schema.tables WHERE "


class MySQLCopies:
    """The part of the dialect that puts one table in the place of another."""

    __slots__ = ()

    @property
    def _expressions(self) -> Expressions:
        raise TypeError("the dialect has the reader of expressions")

    @property
    def _family(self) -> str:
        raise TypeError("the dialect has the server")

    def differs(self, column: Column, left: str, right: str) -> str:
        raise TypeError("the dialect says when two values differ")

    def missing_from(self, rows: TableName, other: TableName, copy: TableCopy) -> str:
        """The rows of the table as a whole, those of the copy by their keys: what is in both has been compared by then.

        Counted, because a server may make a table of all that a NOT EXISTS could find.
        """
        row, there = f"{qualified(rows)}.", "there."
        if rows == copy.table:
            found = [same_key(copy.news, copy.olds, copy.key, there, row), self._alike(copy, row, there)]
        else:
            found = [same_key(copy.olds, copy.news, copy.key, there, row)]
        return f"(SELECT COUNT(*) FROM {qualified(other)} AS there WHERE {' AND '.join(found)}) = 0"

    def _alike(self, copy: TableCopy, old: str, new: str) -> str:
        """Condition under which a row of the table and one of the copy say the same."""
        up, down, parts = dict(copy.up), dict(copy.down), []
        for before, after in zip(copy.olds, copy.news, strict=True):
            here, there = f"{old}{identifier(before.name)}", f"{new}{identifier(after.name)}"
            if before.name not in up:
                parts.append(self._same_value(before, after, here, there))
                continue
            made = cast(self._expressions.qualify(up[before.name], old[:-1]), after.type)
            given = cast(self._expressions.qualify(down[before.name], new[:-1]), before.type)
            parts.append(f"(NOT {self.differs(after, there, made)} OR NOT {self.differs(before, here, given)})")
        return " AND ".join(parts)

    def _same_value(self, before: Column, after: Column, here: str, there: str) -> str:
        if charset(before) is None or charset(before) != charset(after):
            return f"NOT {self.differs(after, there, here)}"
        return f"CAST({there} AS BINARY) <=> CAST({here} AS BINARY)"

    def _value(self, copy: TableCopy, name: str, row: str) -> str:
        expression = dict(copy.up).get(name)
        return self._expressions.qualify(expression, row) if expression else f"{row}.{identifier(name)}"

    def _values(self, copy: TableCopy, row: str) -> str:
        return ", ".join(self._value(copy, name, row) for name in copy.columns)

    def copy_twin(self, copy: TableCopy) -> tuple[str, ...]:
        """By what each row of the copy has to be; what only the way back explains is found row by row."""
        own, other, up = [], [], dict(copy.up)
        for before, after in zip(copy.olds, copy.news, strict=True):
            here, there = (identifier(column.name) for column in (before, after))
            if before.name in up:
                here = self._expressions.qualify(up[before.name], qualified(copy.table))
            if before.type != after.type or before.name in up:
                here = cast(here, after.type)
            common = "" if charset(before) == charset(after) else "utf8mb4"
            own.append(mysql_hashes.said(here, after.type, common))
            other.append(mysql_hashes.said(there, after.type, common))
        marks = [mysql_hashes.mark(column.type) for column in keys_of(copy.news, copy.key)]
        if not all((*own, *marks)):
            return ()
        keys = (f"{mark}{identifier(name)}" for mark, name in zip(marks, copy.key, strict=True))
        hashes = [mysql_hashes.hashed(parts) for parts in (own, other)]
        return (copy.other.schema, copy.other.name, hashes[0], "TRUE", hashes[1], "TRUE", *keys)

    def copy_table(self, copy: TableCopy, *, target: str) -> Fill:
        other, columns = qualified(copy.other), listed(copy.columns)
        same = same_key(copy.news, copy.olds, copy.key, "there.", "here.")
        table, join = qualified(copy.table), f"LEFT JOIN {other} AS there ON {same}"
        index = PRIMARY if copy.primary else ""
        head = (
            f"INSERT INTO {other} ({columns}) SELECT {self._values(copy, 'here')} FROM {table} AS here{forcing(index)}"
        )
        absent = f"there.{identifier(copy.key[0])} IS NULL"
        marks = [marked(column, Table(copy.table)) for column in keys_of(copy.olds, copy.key)]
        return Fill(
            name=f"backfill {target}",
            table=copy.table,
            target=target,
            assignments=", ".join(f"{identifier(name)} = {identifier(name)}" for name in copy.columns),
            # What is in the copy is in the table: with as many rows it has all of them.
            pending=f"(SELECT COUNT(*) FROM {table}) > (SELECT COUNT(*) FROM {other})",
            key=tuple(f"{mark[0]}here.{mark[1:]}" for mark in marks),
            index=index,
            repeat=True,
            single_statement=f"{head} {join} WHERE {absent}",
            copy=(head, join, absent, LOCKING[self._family], other),
        )

    def remove_strays(self, rows: TableName, whole: TableName, copy: TableCopy) -> Fill:
        same = same_key(copy.olds, copy.news, copy.key, "there.", "here.")
        alike = f"{same} AND {self._alike(copy, 'there.', 'here.')}"
        stray = f"(SELECT COUNT(*) FROM {qualified(whole)} AS there WHERE {alike}) = 0"
        marks = [marked(column, Table(rows)) for column in keys_of(copy.news, copy.key)]
        return Fill(
            name=f"remove strays of {rows}",
            table=rows,
            target=str(rows),
            assignments="",
            pending=stray,
            key=tuple(f"{mark[0]}here.{mark[1:]}" for mark in marks),
            repeat=True,
            copy=(f"DELETE here FROM {qualified(rows)} AS here", "", stray, "", ""),
        )

    def follow(self, copy: TableCopy) -> Changes:
        return tuple(self._trigger(copy, event) for event in BODIES)

    def _trigger(self, copy: TableCopy, event: str) -> Change:
        body = BODIES[event].format(
            other=qualified(copy.other),
            columns=listed(copy.columns),
            values=self._values(copy, "NEW"),
            old_values=self._values(copy, "OLD"),
            assignments=", ".join(f"{identifier(name)} = {self._value(copy, name, 'NEW')}" for name in copy.columns),
            is_old=same_key(copy.news, copy.olds, copy.key, "", "OLD."),
            not_there=NOT_THERE,
            key_taken=KEY_TAKEN,
            not_taken=f"{KEY_TAKEN}, {NOT_TAKEN}",
            not_held=NOT_TAKEN,
        )
        name = trigger_name(copy, event)
        return statements.create_trigger(copy.table, name, event, body, timing="AFTER")

    def unfollow(self, copy: TableCopy) -> Changes:
        named = [trigger_name(copy, event) for event in reversed(BODIES)]
        return tuple(statements.drop_trigger(copy.table, name) for name in named)

    def exchange(self, table: TableName, aside: TableName, made: TableName) -> Changes:
        pairs = ((table, aside), (made, table))
        text = ", ".join(f"{qualified(one)} TO {qualified(other)}" for one, other in pairs)
        done = statements.renamed("tables", "table_name", made.name, aside.name, table_schema=table.schema)
        return (Change(f"RENAME TABLE {text}", (*statements.lock(table), *statements.lock(made)), done),)

    def level_numbers(self, table: TableName, made: TableName) -> Changes:
        asks = f"{NEXT_NUMBER}{conditions(statements.of(table))}"
        text = f"ALTER TABLE {qualified(made)} AUTO_INCREMENT = {ASKED}, {statements.ONLINE}"
        # It may be run again: who inserts meanwhile moves both numbers on, and neither ever goes back.
        return (Change(text, statements.lock(made), asks=asks),)


def keys_of(columns: Sequence[Column], key: Sequence[str]) -> list[Column]:
    by_name = {column.name: column for column in columns}
    return [by_name[name] for name in key]


def same_key(theirs: Sequence[Column], ours: Sequence[Column], key: Sequence[str], there: str, here: str) -> str:
    """Condition under which two rows have one key, under the collation that the first has it under."""
    parts = []
    for other, own in zip(keys_of(theirs, key), keys_of(ours, key), strict=True):
        value, name = f"{here}{identifier(own.name)}", f"{there}{identifier(other.name)}"
        if base_type(other.type) in COLLATED and other.collation and other.collation != own.collation:
            value = f"CONVERT({value} USING {other.collation.split('_')[0]}) COLLATE {other.collation}"
        parts.append(f"{name} = {value}")
    return " AND ".join(parts)


def charset(column: Column) -> str | None:
    """The character set of a column of text, where its collation says it."""
    text = base_type(column.type) in COLLATED and column.collation
    return column.collation.split("_")[0] if text and column.collation else None


def cast(expression: str, type_: str) -> str:
    """The value of an expression as a column of a type keeps it, where that can be said."""
    kind = base_type(type_)
    if kind in ("decimal", "date", "datetime", "time"):
        return f"CAST({expression} AS {type_.split(' ')[0]})"
    if kind in NUMBERS and kind != "year":
        return f"CAST({expression} AS {'UNSIGNED' if 'unsigned' in type_.lower() else 'SIGNED'})"
    return f"({expression})"


def trigger_name(copy: TableCopy, event: str) -> str:
    """Named after the table that follows: its own gets another name."""
    return names.trigger(f"copy_{event[0].lower()}", copy.other.schema, copy.other.name)
