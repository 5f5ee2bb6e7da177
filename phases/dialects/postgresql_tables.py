"""Whole tables, and types, on PostgreSQL."""

from __future__ import annotations

from phases.dialects.base import Change, Changes
from phases.model import TableName
from phases.sql import literal, qualified


class PostgreSQLTables:
    """The part of the PostgreSQL dialect that sees no columns."""

    __slots__ = ()

    def add_enum_value(self, enum: TableName, value: str, before: str | None, after: str | None) -> Changes:
        # The lock it takes is on the type, and keeps out nothing but another ALTER TYPE of it.
        place = f" BEFORE {literal(before)}" if before is not None else ""
        place = f" AFTER {literal(after)}" if after is not None else place
        return (Change(f"ALTER TYPE {qualified(enum)} ADD VALUE IF NOT EXISTS {literal(value)}{place}"),)
