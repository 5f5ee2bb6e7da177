"""Exclusion constraints on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence

from phases.catalog import Constraint
from phases.dialects.base import Change, Changes
from phases.model import Lock, LockMode, TableName
from phases.sql import identifier, literal, qualified

WITHOUT_OPERATOR_CLASS = """
SELECT a.attname || ' is ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = pg_catalog.to_regclass({table}) AND a.attname IN ({columns}) AND t.typtype <> 'd'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod
    JOIN pg_catalog.pg_type p ON p.oid = o.opcintype
    WHERE m.amname = {using} AND o.opcdefault AND (p.oid = t.oid
      OR p.typname = CASE t.typtype WHEN 'r' THEN 'anyrange' WHEN 'm' THEN 'anymultirange' WHEN 'e' THEN 'anyenum'
                                    WHEN 'c' THEN 'record' END
      OR p.typname = 'anyarray' AND t.typcategory = 'A'
      OR EXISTS (SELECT FROM pg_catalog.pg_cast c
        WHERE c.castsource = t.oid AND c.casttarget = p.oid AND c.castmethod = 'b' AND c.castcontext = 'i')))
"""


class PostgreSQLExclusions:
    """Answers to questions about exclusion constraints."""

    __slots__ = ()

    def add_exclusion(self, table: TableName, constraint: Constraint) -> Changes:
        name, full = identifier(constraint.name), qualified(table)
        locks = (Lock(table, LockMode.ACCESS_EXCLUSIVE),)
        made = [Change(f"ALTER TABLE {full} ADD CONSTRAINT {name} {constraint.definition}", locks)]
        if constraint.comment is not None:
            made.append(Change(f"COMMENT ON CONSTRAINT {name} ON {full} IS {literal(constraint.comment)}"))
        return tuple(made)

    def without_operator_class(self, table: TableName, columns: Sequence[str], using: str) -> str:
        return WITHOUT_OPERATOR_CLASS.format(
            table=literal(qualified(table)), columns=", ".join(map(literal, columns)), using=literal(using)
        )
