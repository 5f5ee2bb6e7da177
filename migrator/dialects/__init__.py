"""What has to be asked of each server family: sessions, locks, blockers, limits."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from migrator.dialects.base import Family


@cache
def family(name: str) -> Family:
    """The family that a dialect of SQLAlchemy, or a server, belongs to.

    Raises:
        KeyError: there is none of that name.
    """
    from migrator.dialects.mysql import MySQLFamily
    from migrator.dialects.postgresql_family import PostgreSQLFamily

    families: tuple[Family, ...] = (PostgreSQLFamily(), MySQLFamily())
    return {known: each for each in families for known in each.names}[name]
