"""How far replicas of MySQL and MariaDB are: a source knows who is connected, and nothing of how far they are.

So each replica is asked itself, for the newest trace of our own work: the cursors of backfills, which every batch
writes, and the last event of the ledger. Both were written by the source with its clock.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

from migrator.database import connect
from migrator.errors import Cancelled, DatabaseError, MigratorError
from migrator.setting_values import normalise_url
from phases.replication import Reading, Replica

if TYPE_CHECKING:
    from migrator.database import Session

NOW = "SELECT CAST(1000000 * UNIX_TIMESTAMP(NOW(6)) AS SIGNED)"
TRACE = """
SELECT CAST(1000000 * UNIX_TIMESTAMP(GREATEST(
  COALESCE((SELECT MAX(updated_at) FROM migrator_backfills), '1970-01-02'),
  COALESCE((SELECT at FROM migrator_events ORDER BY id DESC LIMIT 1), '1970-01-02'))) AS SIGNED)
"""
"""Microseconds of the newest trace."""
STATUS = {"mysql": "SHOW REPLICA STATUS", "mariadb": "SHOW ALL SLAVES STATUS"}
BEHIND = ("Seconds_Behind_Source", "Seconds_Behind_Master")
SECONDS = 5.0
"""How long a replica may take to answer."""


CONNECTED = """
SELECT CONCAT(user, '@', SUBSTRING_INDEX(host, ':', 1)) FROM information_schema.processlist
WHERE command LIKE 'Binlog Dump%' ORDER BY 1
"""


def read(session: Session, urls: Sequence[str] | None, clock: Callable[[], float]) -> Reading:
    """How far some replicas are.

    Args:
        urls: of the replicas; None: none was named.
        clock: seconds, of any beginning.

    Raises:
        MigratorError: the source does not answer.
    """
    if urls is None:
        names = [row[0] for row in session.query(CONNECTED)]
        said = f"connected are {', '.join(names)}" if names else ""
        return Reading(clock(), problem=said)
    at, written = clock(), traced(session) if urls else 0
    # What was written last and is not there is missing since then at least.
    since = (session.query(NOW)[0][0] - written) / 1e6 if written else 0.0
    return Reading(at, written, tuple(replica(url, since) for url in urls))


def mark(session: Session, doing: str) -> int:
    """Leave a trace behind everything that was written before, and say where it is."""
    from migrator.ledger import store

    with session.transaction() as connection:
        store.record_event(connection, "waiting for replicas", detail={"before": doing})
    return traced(session)


def traced(session: Session) -> int:
    """The newest trace on a server; 0 where the ledger is not there (yet)."""
    try:
        return int(session.query(TRACE, seconds=SECONDS)[0][0])
    except DatabaseError as problem:
        if session.family.absent(problem.facts.get("sqlstate") or ""):
            return 0
        raise


def replica(url: str, since: float) -> Replica:
    """One replica, as it says of itself. `since`: seconds since the newest trace was written."""
    name = named(url)
    try:
        with connect(url, "replica") as session:
            return Replica(name, replayed=traced(session), lag=since, asked=True, own_lag=own_lag(session))
    except MigratorError as problem:
        return Replica(name, asked=True, unreadable=problem.message)


def named(url: str) -> str:
    target = make_url(normalise_url(url))
    return f"{target.host or 'localhost'}:{target.port}" if target.port else str(target.host or "localhost")


def own_lag(session: Session) -> float | None:
    """Seconds a replica says that it is behind; None where it does not say, or its role may not ask."""
    try:
        with session.transaction() as connection:
            result = connection.exec_driver_sql(STATUS[session.server.family])
            rows: list[Any] = list(result.mappings())
    except Cancelled:
        raise
    except DatabaseError:
        return None
    found = [row[name] for row in rows for name in BEHIND if row.get(name) is not None]
    return max(map(float, found), default=None)
