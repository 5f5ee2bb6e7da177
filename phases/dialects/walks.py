"""How the rows of a table are walked and compared on each family of servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from phases.catalog import Server
from phases.dialects import mysql_backfill, postgresql_backfill
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.model import Fill, TableName, Verify

WALKS: Mapping[str, Callable[[Fill, Server, int], PageWalk | KeyWalk]] = {
    "postgresql": postgresql_backfill.walk_for,
    "mysql": mysql_backfill.walk_for,
    "mariadb": mysql_backfill.walk_for,
}
KEY_WALKS: Mapping[str, Callable[[Fill], KeyWalk]] = {
    "postgresql": KeyWalk,
    "mysql": mysql_backfill.MySQLKeyWalk,
    "mariadb": mysql_backfill.MySQLKeyWalk,
}


def walk_for(step: Fill, server: Server, stripes: int) -> PageWalk | KeyWalk:
    """The best walk that a server can do."""
    return WALKS[server.family](step, server, stripes)


def reading_walk(step: Verify, server: Server) -> PageWalk | KeyWalk:
    """The same for rows that are only read."""
    return walk_for(replace(reading(step, step.table, step.key), index=step.index), server, 1)


def key_walk(step: Verify, server: Server, table: TableName, key: tuple[str, ...]) -> KeyWalk:
    """A walk along the key of a table, to read it."""
    return KEY_WALKS[server.family](reading(step, table, key))


def reading(step: Verify, table: TableName, key: tuple[str, ...]) -> Fill:
    return Fill(name=step.name, table=table, target=step.target, assignments="", pending=step.mismatch, key=key)
