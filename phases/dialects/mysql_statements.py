"""Statements of MySQL and MariaDB, each with the question whether it is done, and the locks it takes.

Every ALTER names its algorithm: one that the server cannot use fails, and nothing is ever copied
behind a lock. Names and texts are written as in standard SQL, under `SQL_MODE`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from phases.dialects.base import Change
from phases.model import REPEATABLE, Lock, LockMode, TableName
from phases.sql import identifier, qualified

SQL_MODE = (
    "ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,"
    "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO"
)
"""What every session of ours sets: a revision means the same on every server. Invalid dates are copied as they are, and
so is a key of 0.

Not NO_BACKSLASH_ESCAPES: MySQL keeps expressions with backslashes in them, and could not open such a table.
"""

INSTANT = "ALGORITHM=INSTANT, LOCK=DEFAULT"
ONLINE = "ALGORITHM=INPLACE, LOCK=NONE"
BUILT = re.compile(r"CREATE (?:UNIQUE )?INDEX .*? ON [^(]*\((.*)\)", re.S)
CHEAP = (" DROP INDEX ", " RENAME INDEX ", " DROP FOREIGN KEY ", " DROP CONSTRAINT ")
"""What `ONLINE` does without a look at any row."""

SCHEMA_DIGEST = """
SELECT SHA2(GROUP_CONCAT(part ORDER BY part SEPARATOR '|'), 256) FROM (
  SELECT CONCAT_WS(',', 'column', table_name, ordinal_position, column_name, column_type, is_nullable,
    COALESCE(column_default, 'NULL'), extra, COALESCE(collation_name, ''), column_comment) AS part
  FROM information_schema.columns WHERE table_schema = DATABASE()
  UNION ALL SELECT CONCAT_WS(',', 'index', table_name, index_name, seq_in_index, column_name, non_unique,
    COALESCE(sub_part, ''), index_type) FROM information_schema.statistics WHERE table_schema = DATABASE()
  UNION ALL SELECT CONCAT_WS(',', 'constraint', table_name, constraint_name, constraint_type)
  FROM information_schema.table_constraints WHERE table_schema = DATABASE()
  UNION ALL SELECT CONCAT_WS(',', 'table', table_name, table_type, engine, row_format, table_collation,
    create_options, table_comment) FROM information_schema.tables WHERE table_schema = DATABASE()
  UNION ALL SELECT CONCAT_WS(',', 'view', table_name, view_definition)
  FROM information_schema.views WHERE table_schema = DATABASE()
  UNION ALL SELECT CONCAT_WS(',', 'trigger', trigger_name, event_object_table, event_manipulation, action_statement)
  FROM information_schema.triggers WHERE trigger_schema = DATABASE()
  UNION ALL SELECT CONCAT_WS(',', 'routine', routine_name, routine_type, routine_definition)
  FROM information_schema.routines WHERE routine_schema = DATABASE()
) AS parts
"""
"""One text that changes with the schema."""


def literal(text: str) -> str:
    """Quote a string constant."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def works(statement: str) -> bool:
    """Whether a statement of ours reads or writes rows: all others demand to be instant, or drop and rename."""
    return bool(BUILT.match(statement)) or (statement.endswith(ONLINE) and not any(word in statement for word in CHEAP))


def lock(table: TableName) -> tuple[Lock, ...]:
    return (Lock(table, LockMode.METADATA),)


def there(table: str, **equal: str) -> str:
    """Question whether a row of `information_schema` is there."""
    return f"SELECT 1 FROM information_schema.{table} WHERE {conditions(equal)} LIMIT 1"


def gone(table: str, **equal: str) -> str:
    """Question whether it is not."""
    return f"SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM information_schema.{table} WHERE {conditions(equal)})"


def renamed(table: str, key: str, old: str, new: str, **equal: str) -> str:
    """Question whether something has one name, and nothing has the other."""
    before, after = conditions({**equal, key: old}), conditions({**equal, key: new})
    return (
        f"SELECT 1 WHERE EXISTS (SELECT 1 FROM information_schema.{table} WHERE {after})"
        f" AND NOT EXISTS (SELECT 1 FROM information_schema.{table} WHERE {before})"
    )


def conditions(equal: dict[str, str]) -> str:
    return " AND ".join(f"{column} = {literal(value)}" for column, value in equal.items())


def of(table: TableName) -> dict[str, str]:
    return {"table_schema": table.schema, "table_name": table.name}


def alter(table: TableName, action: str, done: str = "", *, instant: bool = True) -> Change:
    """One ALTER TABLE.

    Args:
        done: question whether it is done; it may be repeated where there is none.
        instant: changes definitions alone, where the server can; else the table or an index is built
            again while it is written to.
    """
    text = f"ALTER TABLE {qualified(table)} {action}"
    if instant:
        return Change(f"{text}, {INSTANT}", lock(table), done, f"{text}, {ONLINE}")
    return Change(f"{text}, {ONLINE}", lock(table), done)


def add_column(table: TableName, name: str, definition: str) -> Change:
    return alter(table, f"ADD COLUMN {definition}", there("columns", **of(table), column_name=name))


def drop_column(table: TableName, name: str) -> Change:
    return alter(table, f"DROP COLUMN {identifier(name)}", gone("columns", **of(table), column_name=name))


def rename_column(table: TableName, old: str, new: str) -> Change:
    done = renamed("columns", "column_name", old, new, **of(table))
    return alter(table, f"RENAME COLUMN {identifier(old)} TO {identifier(new)}", done)


def exchange_columns(table: TableName, first: str, second: str, indexes: Sequence[tuple[str, str]]) -> Change:
    """Exchange the names of two columns and of their indexes; it is done when the second name comes first."""
    pairs = [("COLUMN", first, second), *(("INDEX", *pair) for pair in indexes)]
    actions = ", ".join(
        f"RENAME {kind} {identifier(a)} TO {identifier(b)}, RENAME {kind} {identifier(b)} TO {identifier(a)}"
        for kind, a, b in pairs
    )
    ordered = " AND ".join(
        f"{column}.{name} = {literal(value)}" for column in "ab" for name, value in of(table).items()
    )
    done = (
        "SELECT 1 FROM information_schema.columns a JOIN information_schema.columns b"
        f" ON a.ordinal_position > b.ordinal_position WHERE {ordered}"
        f" AND a.column_name = {literal(first)} AND b.column_name = {literal(second)}"
    )
    return replace(
        alter(table, actions, done), unless=built_over(table, second, [name for pair in indexes for name in pair])
    )


def built_over(table: TableName, column: str, known: Sequence[str]) -> str:
    """Question for indexes and foreign keys over a column, apart from those that are known."""
    listed = ", ".join(map(literal, ("", *known)))
    mine = f"{conditions(of(table))} AND column_name = {literal(column)}"
    theirs = (
        f"referenced_table_schema = {literal(table.schema)} AND referenced_table_name = {literal(table.name)}"
        f" AND referenced_column_name = {literal(column)}"
    )
    return (
        f"SELECT CONCAT('index \"', index_name, '\"') FROM information_schema.statistics WHERE {mine}"
        f" AND index_name NOT IN ({listed}) UNION SELECT CONCAT('foreign key \"', constraint_name, '\"')"
        f" FROM information_schema.key_column_usage WHERE ({mine} AND referenced_table_name IS NOT NULL) OR ({theirs})"
    )


def modify(table: TableName, name: str, definition: str, *, not_null: bool) -> Change:
    """Give a column NOT NULL, or take it: rows are written again, while others write them."""
    done = there("columns", **of(table), column_name=name, is_nullable="NO" if not_null else "YES")
    return alter(table, f"MODIFY COLUMN {definition}", done, instant=False)


def retype(table: TableName, name: str, definition: str, type_: str) -> Change:
    """Give a column a type that needs no row to be written again."""
    return alter(
        table, f"MODIFY COLUMN {definition}", there("columns", **of(table), column_name=name, column_type=type_)
    )


def create_index(table: TableName, name: str, statement: str) -> Change:
    done = there("statistics", **of(table), index_name=name)
    return Change(f"{statement} {ONLINE.replace(',', '')}", lock(table), done)


def drop_index(table: TableName, name: str) -> Change:
    done = gone("statistics", **of(table), index_name=name)
    return alter(table, f"DROP INDEX {identifier(name)}", done, instant=False)


def rename_index(table: TableName, old: str, new: str) -> Change:
    done = renamed("statistics", "index_name", old, new, **of(table))
    return alter(table, f"RENAME INDEX {identifier(old)} TO {identifier(new)}", done, instant=False)


def create_trigger(table: TableName, name: str, event: str, body: str, *, timing: str = "BEFORE") -> Change:
    full = qualified(TableName(table.schema, name))
    done = there("triggers", trigger_schema=table.schema, trigger_name=name)
    text = f"CREATE TRIGGER {full} {timing} {event} ON {qualified(table)} FOR EACH ROW {body}"
    return Change(text, lock(table), done)


def drop_trigger(table: TableName, name: str) -> Change:
    full = qualified(TableName(table.schema, name))
    done = gone("triggers", trigger_schema=table.schema, trigger_name=name)
    return Change(f"DROP TRIGGER IF EXISTS {full}", lock(table), done)


def foreign_key(table: TableName, name: str) -> dict[str, str]:
    return {**of(table), "constraint_name": name, "constraint_type": "FOREIGN KEY"}


def both(table: TableName, other: TableName | None) -> tuple[Lock, ...]:
    return (*lock(table), *(lock(other) if other is not None and other != table else ()))


def add_foreign_key(table: TableName, name: str, definition: str, other: TableName | None) -> Change:
    text = f"ALTER TABLE {qualified(table)} ADD CONSTRAINT {identifier(name)} {definition}, {ONLINE}"
    return Change(text, both(table, other), there("table_constraints", **foreign_key(table, name)))


def drop_foreign_key(table: TableName, name: str, other: TableName | None) -> Change:
    done = gone("table_constraints", **foreign_key(table, name))
    change = alter(table, f"DROP FOREIGN KEY {identifier(name)}", done, instant=False)
    return replace(change, locks=both(table, other))


def drop_check(table: TableName, name: str) -> Change:
    done = gone("table_constraints", **of(table), constraint_name=name, constraint_type="CHECK")
    return alter(table, f"DROP CONSTRAINT {identifier(name)}", done)


def create_table(table: TableName, parts: str, comment: str | None) -> Change:
    said = f" COMMENT={literal(comment)}" if comment is not None else ""
    return Change(f"CREATE TABLE {qualified(table)} ({parts}) ENGINE=InnoDB{said}", (), there("tables", **of(table)))


def drop_table(table: TableName) -> Change:
    return Change(f"DROP TABLE {qualified(table)}", lock(table), gone("tables", **of(table)))


def rename_table(table: TableName, new: str) -> Change:
    done = renamed("tables", "table_name", table.name, new, table_schema=table.schema)
    target = qualified(TableName(table.schema, new))
    return Change(f"RENAME TABLE {qualified(table)} TO {target}", lock(table), done)


def create_view(
    view: TableName, table: TableName, columns: str, *, rights: str = "INVOKER", anew: bool = False
) -> Change:
    """A view that takes no other privileges than the table does.

    Args:
        rights: whose are asked for when it reads its table: the INVOKER's, or the DEFINER's.
        anew: in the place of one that may be there.
    """
    begin = "CREATE OR REPLACE" if anew else "CREATE"
    text = f"{begin} SQL SECURITY {rights} VIEW {qualified(view)} AS SELECT {columns} FROM {qualified(table)}"
    return Change(text, lock(view) if anew else (), REPEATABLE if anew else there("tables", **of(view)))


def drop_view(view: TableName) -> Change:
    return Change(f"DROP VIEW {qualified(view)}", lock(view), gone("tables", **of(view)))


def exchange(*pairs: tuple[TableName, TableName], table: TableName) -> Change:
    """Rename tables and views at once; it is done when `table` is a table."""
    text = ", ".join(f"{qualified(old)} TO {qualified(new)}" for old, new in pairs)
    locks = tuple(each for old, _ in pairs for each in lock(old))
    return Change(f"RENAME TABLE {text}", locks, there("tables", **of(table), table_type="BASE TABLE"))
