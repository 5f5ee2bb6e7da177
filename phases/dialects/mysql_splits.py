"""Columns in two tables on MySQL and MariaDB: AFTER triggers on both, which write what the other lacks.

A trigger may not write to a table that the statement which fired it uses (error 1442), not even by way of
another table's trigger. So each tries, and where it may not, looks: if the other table says the same already,
it was the other's trigger that fired this one, and nothing is left to do; else the statement fails. Nothing is
remembered between statements, in a variable or anywhere, that could outlive one that was killed.

What a plain SELECT of a trigger shows may be as old as the transaction, but for what the transaction itself has
written. So nothing is read before it is written, and the first table, where rows are always there, is looked at
as it is by then. The second is not: asking for a row that is missing locks the gap it would be in. Nor need it
be, because nobody writes these columns of the first table in a statement that reads the second: one version
does not know the one, the other not the other.

The second table has its foreign key from the beginning: cascades fire no triggers, so what they would have to do
for a row of the first table that goes, or is given another key, the server does. Only where a session has turned
foreign_key_checks off do triggers do it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from phases import names
from phases.catalog import Column, Table
from phases.dialects import mysql_backfill, mysql_hashes
from phases.dialects import mysql_statements as statements
from phases.dialects.base import Change, Changes
from phases.dialects.mysql_copies import KEY_TAKEN, NOT_TAKEN
from phases.dual_write import SplitWrite
from phases.model import Fill, Step, TableName
from phases.sql import identifier, listed, qualified

UNCHECKED = "NOT @@SESSION.foreign_key_checks"

FIRST_INSERTED = """BEGIN
  IF NOT ({new_empty}) THEN
    {write_there}
  END IF;
END"""

FIRST_UPDATED = """BEGIN
  DECLARE same_ boolean;
  DECLARE CONTINUE HANDLER FOR 1442 BEGIN
    SELECT {same_there} INTO same_ FROM {other} AS there WHERE {there_is_given};
    IF NOT same_ THEN RESIGNAL; END IF;
  END;
  IF {changed} THEN
    IF {key_changed} AND {unchecked} THEN
      DELETE FROM {other} WHERE {there_is_old};
    END IF;
    {bring_there}
  END IF;
END"""

# A cascade that finds no row locks the gap it would be in, which another transaction may have locked as well.
FIRST_DELETING = """BEGIN
  DECLARE CONTINUE HANDLER FOR {not_taken} BEGIN END;
  IF NOT ({old_empty}) THEN
    INSERT INTO {other} ({other_columns}) VALUES ({old_row});
  END IF;
END"""

FIRST_DELETED = """BEGIN
  IF {unchecked} THEN
    DELETE FROM {other} WHERE {there_is_old};
  END IF;
END"""

REQUIRED = """IF {new_empty} THEN
      DELETE FROM {other} WHERE {there_is_new};
    ELSE
      {write_there}
    END IF;"""

# Whoever writes to the first table locks its row before that of the second: here, too. Where the statement uses
# the first table, its row is locked already.
SECOND_INSERTING = """BEGIN
  DECLARE locked_ integer;
  DECLARE CONTINUE HANDLER FOR 1442 BEGIN END;
  SELECT COUNT(*) INTO locked_ FROM {table} AS here WHERE {here_is_given} FOR UPDATE;
END"""

SECOND_WRITTEN = """BEGIN
  DECLARE same_ boolean;
  DECLARE CONTINUE HANDLER FOR 1442 BEGIN
    SELECT {same_here} INTO same_ FROM {table} AS here WHERE {here_is_given} LOCK IN SHARE MODE;
    IF NOT same_ THEN RESIGNAL; END IF;
  END;{left}
  UPDATE {table} AS here SET {from_new} WHERE {here_is_given};
END"""

LEFT = """
  IF {there_key_changed} THEN
    {empty_old}
  END IF;"""

EMPTY_OLD = """BEGIN
  DECLARE empty_ boolean;
  DECLARE CONTINUE HANDLER FOR 1442 BEGIN
    SELECT COALESCE(MIN({here_empty}), TRUE) INTO empty_ FROM {table} AS here WHERE {here_was_given} LOCK IN SHARE MODE;
    IF NOT empty_ THEN RESIGNAL; END IF;
  END;
  UPDATE {table} AS here SET {nothing} WHERE {here_was_given};
END"""

# Where another unique key is in the way, the row that it finds is another one: a key that is NULL is an error.
UPSERT = """INSERT INTO {other} ({other_columns}) VALUES ({new_row}) ON DUPLICATE KEY UPDATE
      {first_key} = IF({there_is_new}, {first_key}, NULL), {from_new};"""

# Each commits by itself. A row that gets its row of the second table is followed there from then on: inserts come last.
FIRST_TRIGGERS = {"old_": "BEFORE DELETE", "old_a": "DELETE", "old_b": "UPDATE", "old_c": "INSERT"}
SECOND_TRIGGERS = {"new_a": "BEFORE INSERT", "new_b": "INSERT", "new_c": "UPDATE", "new_d": "DELETE"}


class MySQLSplits:
    """The part of the dialect that keeps two tables in step."""

    __slots__ = ()

    def differs(self, column: Column, left: str, right: str) -> str:
        raise TypeError("the dialect says when two values differ")

    def fill(self, table: Table, assignments: Mapping[str, str], pending: str, *, target: str) -> Fill:
        raise TypeError("the dialect fills columns")

    def _agreeing(self, link: SplitWrite, row: str, other: str) -> str:
        """Condition under which the columns of two rows are the same bytes."""
        return " AND ".join(
            f"NOT ({self.differs(c, row + identifier(c.name), other + identifier(c.name))})" for c in link.columns
        )

    def split_differs(self, link: SplitWrite) -> str:
        return self._differing(link, f"{qualified(link.table)}.")

    def _differing(self, link: SplitWrite, here: str) -> str:
        found = f"SELECT 1 FROM {qualified(link.other)} AS there WHERE {same_key(link, here)}"
        same = f"EXISTS ({found} AND {self._agreeing(link, here, 'there.')})"
        return f"NOT {same} AND (NOT ({empty(link, here)}) OR EXISTS ({found}))"

    def split_twin(self, link: SplitWrite) -> tuple[str, ...]:
        olds, news = [old for old, _ in link.key], [new for _, new in link.key]
        marks = [mysql_hashes.mark(type_) for type_ in link.types]
        moved = [mysql_hashes.said(identifier(column.name), column.type) for column in link.columns]
        if not all((*marks, *moved)):
            return ()
        sides = []
        for table, key in ((link.table, olds), (link.other, news)):
            keys = [mysql_hashes.said(identifier(name), type_) for name, type_ in zip(key, link.types, strict=True)]
            sides += [mysql_hashes.hashed([*keys, *moved]), f"NOT ({empty(link, f'{qualified(table)}.')})"]
        named = (f"{mark}{identifier(name)}" for mark, name in zip(marks, news, strict=True))
        return (link.other.schema, link.other.name, *sides, *named)

    def without_parent(self, link: SplitWrite) -> str:
        there = f"{qualified(link.other)}."
        return f"NOT EXISTS (SELECT 1 FROM {qualified(link.table)} AS here WHERE {same_key(link, 'here.', there)})"

    def copy_rows(self, table: Table, link: SplitWrite, *, target: str) -> Step:
        moved = [column.name for column in link.columns]
        columns = [*(old for old, _ in link.key), *moved]
        here = "here."
        found = f"SELECT 1 FROM {qualified(link.other)} AS there WHERE {same_key(link, here)}"
        pending = f"NOT ({empty(link, here)}) AND NOT EXISTS ({found})"
        head = f"INSERT INTO {qualified(link.other)} ({into(link)}) SELECT {listed(columns)}"
        index = mysql_backfill.index_of(table)
        head += f" FROM {qualified(link.table)} AS here{mysql_backfill.forcing(index)}"
        return Fill(
            name=f"backfill {target}",
            table=table.name,
            target=target,
            assignments=", ".join(f"{identifier(name)} = {identifier(name)}" for name in moved),
            pending=pending,
            key=mysql_backfill.key_of(table),
            index=index,
            # A row that is given another key moves away from the walk.
            repeat=True,
            single_statement=f"{head} WHERE {pending}",
            # Locked, a row is copied as it is by then; waiting for one, a batch could be waited for in turn.
            copy=(head, "", f"({pending})", "FOR UPDATE NOWAIT", ""),
        )

    def level_second(self, table: Table, link: SplitWrite) -> Fill:
        there, first = f"{qualified(link.other)}.", identifier(link.key[0][1])
        index = mysql_backfill.index_of(table)
        columns = listed([*(old for old, _ in link.key), *(column.name for column in link.columns)])
        head = (
            f"INSERT INTO {qualified(link.other)} ({into(link)}) SELECT {columns}"
            f" FROM {qualified(link.table)} AS here{mysql_backfill.forcing(index)}"
        )
        # Where another unique key is in the way, the row that it finds is another one: a key that is NULL is an error.
        sets = [f"{first} = IF({same_key(link, 'here.', there)}, {there}{first}, NULL)"]
        sets += [f"{identifier(column.name)} = here.{identifier(column.name)}" for column in link.columns]
        given = f" AND NOT ({empty(link, 'here.')})" if link.required else ""
        differs = f"({self._differing(link, 'here.')}{given})"
        return Fill(
            name=f"level {link.other}",
            table=link.table,
            target=str(link.other),
            assignments="",
            pending=differs,
            key=mysql_backfill.key_of(table),
            index=index,
            repeat=True,
            copy=(head, "", differs, f"FOR UPDATE NOWAIT ON DUPLICATE KEY UPDATE {', '.join(sets)}", ""),
        )

    def level_first(self, table: Table, link: SplitWrite) -> Fill:
        filled = self.fill(table, self.fetched(link), self.split_differs(link), target=str(link.table))
        return replace(filled, repeat=True)

    def deadlocks(self, first: TableName, second: TableName, holding: Sequence[str]) -> tuple[str, ...]:
        del holding
        return (
            f'until the contract, UPDATE and DELETE of "{second}", and SELECT … FOR UPDATE of it before writing, can'
            f' deadlock with a transaction that writes the same columns of the same row of "{first}": lock the row of'
            f' "{first}" first, or try again after 1213',
            f'until the contract, a statement that changes these columns in one of "{first}" and "{second}" and names'
            " the other in a join or sub-select fails with 1442: read first, then write",
            f'TRUNCATE fires no triggers: of "{first}" it is refused (1701), of "{second}" it makes them differ until'
            " the contract; DELETE FROM is mirrored",
        )

    def fetched(self, link: SplitWrite) -> Mapping[str, str]:
        here = f"{qualified(link.table)}."
        found = f"FROM {qualified(link.other)} AS there WHERE {same_key(link, here)} FOR UPDATE NOWAIT"
        return {c.name: f"(SELECT there.{identifier(c.name)} {found})" for c in link.columns}

    def fetch_second(self, link: SplitWrite) -> Changes:
        return ()  # what the backfill assigns is fetched by itself

    def drop_fetch_second(self, link: SplitWrite) -> Changes:
        return ()

    def feed_second(self, link: SplitWrite) -> Changes:
        texts = self._texts(link)
        bodies = {"BEFORE DELETE": FIRST_DELETING, "DELETE": FIRST_DELETED}
        bodies |= {"UPDATE": FIRST_UPDATED, "INSERT": FIRST_INSERTED}
        return tuple(
            trigger(link, part, event, bodies[event].format(**texts)) for part, event in FIRST_TRIGGERS.items()
        )

    def drop_feed_second(self, link: SplitWrite) -> Changes:
        return tuple(statements.drop_trigger(link.table, trigger_name(link, part)) for part in FIRST_TRIGGERS)

    def feed_first(self, link: SplitWrite) -> Changes:
        texts = self._texts(link)
        emptied = EMPTY_OLD.format(**texts)
        written = {
            "BEFORE INSERT": SECOND_INSERTING.format(**texts),
            "INSERT": SECOND_WRITTEN.format(**texts, left=""),
            "UPDATE": SECOND_WRITTEN.format(**texts, left=LEFT.format(**texts, empty_old=f"{emptied};")),
            "DELETE": emptied,
        }
        return tuple(trigger(link, part, event, written[event]) for part, event in SECOND_TRIGGERS.items())

    def drop_feed_first(self, link: SplitWrite) -> Changes:
        return tuple(statements.drop_trigger(link.other, trigger_name(link, part)) for part in SECOND_TRIGGERS)

    def _texts(self, link: SplitWrite) -> dict[str, str]:
        """What the triggers are made of; `here` is the first table in them, `there` the second."""
        olds, news = [old for old, _ in link.key], [new for _, new in link.key]
        moved = [column.name for column in link.columns]
        new_empty = empty(link, "NEW.")
        texts = {
            "unchecked": UNCHECKED,
            "table": qualified(link.table),
            "other": qualified(link.other),
            "other_columns": into(link),
            "new_row": ", ".join(f"NEW.{identifier(name)}" for name in (*olds, *moved)),
            "old_row": ", ".join(f"OLD.{identifier(name)}" for name in (*olds, *moved)),
            "old_empty": empty(link, "OLD."),
            "not_taken": f"1442, {KEY_TAKEN}, {NOT_TAKEN}",
            "first_key": identifier(news[0]),
            "from_new": ", ".join(f"{identifier(name)} = NEW.{identifier(name)}" for name in moved),
            "nothing": ", ".join(f"{identifier(name)} = NULL" for name in moved),
            "new_empty": new_empty,
            "changed": f"{differ(olds)} OR NOT ({self._agreeing(link, 'NEW.', 'OLD.')})",
            "key_changed": differ(olds),
            "there_key_changed": differ(news),
            "there_is_new": equal(news, olds, "NEW."),
            "there_is_old": equal(news, olds, "OLD."),
            "here_is_given": equal(olds, news, "NEW.", "here."),
            "here_was_given": equal(olds, news, "OLD.", "here."),
            "there_is_given": equal(news, olds, "NEW.", "there."),
            "here_empty": empty(link, "here."),
            # A row that is not there says the same as one without values, and what has no row needs none.
            "same_there": f"COALESCE(MIN({self._agreeing(link, 'there.', 'NEW.')}), {new_empty})",
            "same_here": f"COALESCE(MIN({self._agreeing(link, 'here.', 'NEW.')}), TRUE)",
        }
        texts["write_there"] = UPSERT.format(**texts)
        texts["bring_there"] = REQUIRED.format(**texts) if link.required else texts["write_there"]
        return texts


def into(link: SplitWrite) -> str:
    return listed([*(new for _, new in link.key), *(column.name for column in link.columns)])


def empty(link: SplitWrite, row: str) -> str:
    return " AND ".join(f"{row}{identifier(column.name)} IS NULL" for column in link.columns)


def differ(key: Sequence[str]) -> str:
    return f"({' OR '.join(f'NEW.{identifier(name)} <> OLD.{identifier(name)}' for name in key)})"


def equal(left: Sequence[str], right: Sequence[str], row: str, own: str = "") -> str:
    """Condition under which a row has the key of a row of a trigger."""
    pairs = zip(left, right, strict=True)
    return " AND ".join(f"{own}{identifier(a)} = {row}{identifier(b)}" for a, b in pairs)


def same_key(link: SplitWrite, here: str, there: str = "there.") -> str:
    return " AND ".join(f"{there}{identifier(new)} = {here}{identifier(old)}" for old, new in link.key)


def trigger_name(link: SplitWrite, part: str) -> str:
    return names.trigger(f"split_{part}", link.table.schema, link.table.name, link.other.name)


def trigger(link: SplitWrite, part: str, event: str, body: str) -> Change:
    table = link.table if part in FIRST_TRIGGERS else link.other
    timing, _, what = event.rpartition(" ")
    return statements.create_trigger(table, trigger_name(link, part), what, body, timing=timing or "AFTER")
