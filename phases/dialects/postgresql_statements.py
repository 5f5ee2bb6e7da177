"""Statements of PostgreSQL that every part of its dialect has."""

from __future__ import annotations

from phases.dialects.base import Change
from phases.model import Lock, LockMode, TableName
from phases.sql import literal, qualified


def alter(table: TableName, action: str, mode: LockMode = LockMode.ACCESS_EXCLUSIVE) -> Change:
    return Change(f"ALTER TABLE {qualified(table)} {action}", (Lock(table, mode),))


def block(purpose: str, body: str) -> str:
    return f"DO /* {purpose} */ {literal(body)}"
