"""How the rows of a table are walked and compared on each family of servers."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from phases import verification
from phases.catalog import Server
from phases.dialects import mysql_backfill, postgresql_backfill
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.effects import Performance
from phases.model import Fill, Verify

WALKS: Mapping[str, Callable[[Fill, Server, int], PageWalk | KeyWalk]] = {
    "postgresql": postgresql_backfill.walk_for,
    "mysql": mysql_backfill.walk_for,
    "mariadb": mysql_backfill.walk_for,
}
COMPARISONS: Mapping[str, Callable[[Verify, Server], Performance]] = {
    "postgresql": verification.perform_verify,
    "mysql": mysql_backfill.perform_verify,
    "mariadb": mysql_backfill.perform_verify,
}


def walk_for(step: Fill, server: Server, stripes: int) -> PageWalk | KeyWalk:
    """The best walk that a server can do."""
    return WALKS[server.family](step, server, stripes)


def perform_verify(step: Verify, server: Server) -> Performance:
    """Compare all rows.

    Raises:
        Mismatched: some rows differ.
    """
    return COMPARISONS[server.family](step, server)
