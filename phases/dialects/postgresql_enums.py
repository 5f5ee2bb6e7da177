"""Values of PostgreSQL enum types: a row holds the number of a value, its label is looked up when it is read.

So a label can change in milliseconds, and everything that was compiled before follows: rows,
indexes, defaults, CHECK constraints, bounds of partitions, views, WHEN of triggers, prepared statements.
What is text until it runs (literals of clients, bodies of functions) does not.
"""

from __future__ import annotations

from collections.abc import Sequence

from phases import names
from phases.dialects.base import Change, Changes
from phases.dialects.postgresql_statements import block
from phases.dual_write import ValueMap
from phases.model import Lock, LockMode, TableName
from phases.names import PREFIX
from phases.sql import identifier, literal, qualified

ENUM_USES = f"""
SELECT n.nspname::text, t.typname::text, CASE WHEN p.oid IS NOT NULL THEN 'function'
         WHEN c.relkind <> 'c' AND d.refobjid = t.oid THEN 'column' ELSE 'inside' END,
       cn.nspname::text, c.relname::text, a.attname::text,
       pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass
  AND d.refobjid IN (t.oid, t.typarray) AND d.deptype = 'n'
LEFT JOIN pg_catalog.pg_class c ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid
LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.objsubid AND a.attnum > 0
LEFT JOIN pg_catalog.pg_proc p ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
  AND p.provolatile = 'i' AND (t.oid = ANY (p.proargtypes) OR t.typarray = ANY (p.proargtypes))
WHERE t.typtype = 'e' AND (p.oid IS NOT NULL OR d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
  OR (a.attname IS NOT NULL AND c.relkind IN ('r', 'p', 'f', 'c') AND c.relpersistence <> 't'
    AND pg_catalog.left(c.relname::text, {len(PREFIX)}) <> '{PREFIX}'
    AND pg_catalog.left(a.attname::text, {len(PREFIX)}) <> '{PREFIX}'))
ORDER BY 1, 2, 7
"""
"""What uses an enum type, by kind: a column of it, something it is inside of (arrays, domains, composites, ranges),
or an immutable function that takes it. What waits to be purged is left out."""

USES_BODY = """
DECLARE
  late text;
BEGIN
  SELECT string_agg(u.used, ', ') INTO late FROM ({uses}) u(schema, type, kind, home, relation, attribute, used)
  WHERE u.schema = {schema} AND u.type = {type} AND u.kind <> 'function'
    AND (u.kind = 'column' AND (u.home, u.relation, u.attribute) IN (VALUES {known})) IS NOT TRUE;
  IF late IS NOT NULL THEN
    RAISE EXCEPTION '% came after the revision began, and may have the value', late
      USING HINT = 'drop it, and create it again after the contract; or restore and abort the revision,'
        ' and apply it again';
  END IF;
END
"""

# Compared with what the row has, a label needs no name of its type, which the writer might not be allowed to look up.
STORE_BODY = """
BEGIN
  SELECT v INTO NEW.{column} FROM pg_catalog.unnest(ARRAY[NEW.{column}, {labels}]) v WHERE v <> NEW.{column} LIMIT 1;
  RETURN NEW;
END
"""

REFUSE_BODY = """
BEGIN
  RAISE EXCEPTION {said} USING ERRCODE = 'invalid_text_representation';
END
"""


class PostgreSQLEnums:
    """The part of the PostgreSQL dialect that changes values of enum types."""

    __slots__ = ()

    def add_enum_value(self, enum: TableName, value: str, before: str | None, after: str | None) -> Changes:
        # The lock it takes is on the type, and keeps out nothing but another ALTER TYPE of it.
        place = f" BEFORE {literal(before)}" if before is not None else ""
        place = f" AFTER {literal(after)}" if after is not None else place
        return (Change(f"ALTER TYPE {qualified(enum)} ADD VALUE IF NOT EXISTS {literal(value)}{place}"),)

    def rename_enum_value(self, enum: TableName, old: str, new: str) -> Changes:
        return (Change(f"ALTER TYPE {qualified(enum)} RENAME VALUE {literal(old)} TO {literal(new)}"),)

    def enum_value(self, enum: TableName, value: str) -> str:
        return f"{literal(value)}::{qualified(enum)}"

    def check_enum_uses(self, enum: TableName, columns: Sequence[tuple[TableName, str]]) -> Changes:
        rows = [(table.schema, table.name, column) for table, column in columns] or [("", "", "")]
        known = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
        body = USES_BODY.format(
            uses=ENUM_USES.strip(), schema=literal(enum.schema), type=literal(enum.name), known=known
        )
        return (Change(block("refuse where a column of the type is not seen to", body)),)

    def functions_quoting(self, value: str, known: Sequence[str]) -> str:
        return (
            "SELECT DISTINCT n.nspname || '.' || p.proname"
            " FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace"
            " WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'migrator')"
            f" AND pg_catalog.left(p.proname::text, {len(PREFIX)}) <> {literal(PREFIX)}"
            f" AND pg_catalog.strpos(p.prosrc, {literal(literal(value))}) > 0"
            " AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d"
            " WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e')"
            f" AND n.nspname || '.' || p.proname <> ALL (ARRAY[{', '.join(map(literal, known))}]::text[])"
            " ORDER BY 1 LIMIT 5"
        )

    def map_value(self, link: ValueMap) -> Changes:
        function, trigger = value_names(link)
        column, table = identifier(link.column), qualified(link.table)
        if link.stored:
            body = STORE_BODY.format(column=column, labels=", ".join(map(literal, link.stored)))
        else:
            said = f'"{link.value}" is no value of {link.enum.name} any more'.replace("%", "%%")
            body = REFUSE_BODY.format(said=literal(said))
        made = f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {literal(body)}"
        # The condition holds the value itself, whatever it is called by then.
        condition = f"NEW.{column} = {self.enum_value(link.enum, link.value)}"
        fires = (
            f"CREATE TRIGGER {identifier(trigger)} BEFORE INSERT OR UPDATE ON {table}"
            f" FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {function}()"
        )
        return Change(made), Change(fires, (Lock(link.table, LockMode.SHARE_ROW_EXCLUSIVE),))

    def drop_value_map(self, link: ValueMap) -> Changes:
        function, trigger = value_names(link)
        lock = (Lock(link.table, LockMode.ACCESS_EXCLUSIVE),)
        dropped = Change(f"DROP TRIGGER {identifier(trigger)} ON {qualified(link.table)}", lock)
        return dropped, Change(f"DROP FUNCTION {function}()")


def value_names(link: ValueMap) -> tuple[str, str]:
    """The function, qualified, and the trigger: it fires before dual writes and fills, which may read the column."""
    parts = (link.table.schema, link.table.name, link.column, link.value)
    function = TableName(link.table.schema, names.owned("value", *parts))
    return qualified(function), names.trigger("0", *parts)
