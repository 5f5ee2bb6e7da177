"""Rows on PostgreSQL: how they are filled, compared and named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from phases.catalog import Column, Table
from phases.dialects.base import Changes
from phases.model import Fill, TableName, Verify
from phases.sql import identifier, qualified

INTEGER_TYPES = frozenset({"smallint", "integer", "bigint"})


class PostgreSQLRows:
    """The part of the PostgreSQL dialect that sees rows."""

    __slots__ = ()

    def as_text(self, expression: str) -> str:
        return f"{expression}::text"

    def row_address(self) -> str:
        return "ctid"

    def stand_in(self, column: Column) -> str | None:
        return None  # triggers come before constraints

    def exchange_columns(
        self, table: TableName, first: str, second: str, indexes: Sequence[tuple[str, str]]
    ) -> Changes:
        return ()  # NOT NULL is proved by a CHECK, and writes no row

    def distinct(self, left: str, right: str) -> str:
        return f"{left} IS DISTINCT FROM {right}"

    def fill(self, table: Table, assignments: Mapping[str, str], pending: str, *, target: str) -> Fill:
        sets = ", ".join(f"{identifier(column)} = {value}" for column, value in assignments.items())
        key = table.row_key()
        stripe = next((c for c in key if table.column(c).type in INTEGER_TYPES), None)
        return Fill(
            name=f"backfill {target}",
            table=table.name,
            target=target,
            assignments=sets,
            pending=pending,
            stripe=identifier(stripe) if stripe else None,
            key=tuple(identifier(column) for column in key),
            single_statement=f"UPDATE {qualified(table.name)} SET {sets} WHERE {pending}",
        )

    def verify(
        self, table: Table, mismatch: str, *, target: str, fault: str = "", twin: tuple[str, ...] = ()
    ) -> Verify:
        key = tuple(identifier(column) for column in table.row_key())
        name = f"verify {target}"
        return Verify(name=name, table=table.name, target=target, mismatch=mismatch, key=key, fault=fault, twin=twin)

    def differs(self, column: Column, left: str, right: str) -> str:
        if column.equality_is_identity:
            return f"{left} IS DISTINCT FROM {right}"
        # `=` of numeric, float, citext, jsonb and others calls different bytes equal, and json has
        # none at all; record image comparison is exact for every type (manual, "Composite Type Comparison").
        # Without the casts two row constructors are compared field by field, with the fields' operators.
        return f"ROW({left})::record OPERATOR(pg_catalog.*<>) ROW({right})::record"
