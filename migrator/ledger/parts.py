"""What a revision claims, as the catalog had it at the end of the last phase."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from migrator.ledger import tables

if TYPE_CHECKING:
    from sqlalchemy import Connection

kept = tables.parts


def keep(connection: Connection, revision: str, server: int, parts: Mapping[str, str]) -> None:
    """Record the parts of a revision, of which nothing is recorded.

    Args:
        server: the major version of the server, whose text the descriptions are.
        parts: a description for each part, by its name.
    """
    connection.execute(insert(kept), {"revision": revision, "server": server, "parts": dict(parts)})


def forget(connection: Connection, revision: str) -> None:
    connection.execute(delete(kept).where(kept.c.revision == revision))


def known(connection: Connection, revision: str, server: int) -> Mapping[str, str] | None:
    """What was recorded on a server of this version; None where an older program or another version was there."""
    wanted = select(kept.c.parts).where(kept.c.revision == revision, kept.c.server == server)
    found: Mapping[str, str] | None = connection.execute(wanted).scalar_one_or_none()
    return found
