"""Clients of a pooler: what the server sees of them are the pooler's own sessions, whoever has one at the moment."""

from __future__ import annotations

from collections.abc import Mapping

from migrator.database import console
from migrator.dialects.statistics import Client

OURS = "migrator "


def clients(url: str, database: str) -> tuple[Client, ...]:
    """Who is connected to PgBouncer for a database of the server.

    Args:
        url: of its admin console, the database `pgbouncer`.

    Raises:
        ConnectionFailed: it does not answer.
        DatabaseError: the user may not ask (`stats_users`, `admin_users`), or it is no console.
    """
    databases, found = console(url, ("SHOW DATABASES", "SHOW CLIENTS"))
    # A pool has a name of its own; `*` gives it that of the database.
    pools = {str(row["name"]) for row in databases if row.get("database") == database}
    return tuple(client_of(row) for row in found if counts(row, pools, database))


def counts(row: Mapping[str, object], pools: set[str], database: str) -> bool:
    ours = str(row.get("application_name") or "").startswith(OURS)
    return not ours and (row.get("database") in pools or row.get("database") == database)


def client_of(row: Mapping[str, object]) -> Client:
    return Client(str(row.get("application_name") or ""), str(row.get("user") or ""))
