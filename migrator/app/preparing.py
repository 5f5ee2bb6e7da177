"""Connections that hold no prepared statements, and say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import Engine
    from sqlalchemy.ext.asyncio import AsyncEngine

MARKED = (
    "SELECT pg_catalog.set_config('application_name',"
    " pg_catalog.btrim(pg_catalog.left(pg_catalog.current_setting('application_name'), 52) || ' unprepared'), false)"
)


def unprepared(engine: Engine | AsyncEngine) -> None:
    """Make an engine's connections hold no server-side prepared statements, and say so in their application name.

    Sessions that prepare statements do not survive a change of type under a
    name (`ChangeType` without `to`), so such a change waits for them. Call it before the engine is
    first used, in a build that is live when the change is applied.

    Args:
        engine: an SQLAlchemy engine on psycopg, sync or async.

    Raises:
        ValueError: another driver; the message says how it is told.
    """
    from sqlalchemy import event

    sync_engine = getattr(engine, "sync_engine", engine)
    if sync_engine.dialect.driver not in ("psycopg", "psycopg_async"):
        raise ValueError(
            f"{sync_engine.dialect.driver} cannot be told after the engine is made; for asyncpg use"
            ' connect_args={"statement_cache_size": 0, "prepared_statement_cache_size": 0,'
            ' "server_settings": {"application_name": "<name> unprepared"}}'
        )

    @event.listens_for(sync_engine, "connect")
    def forget(dbapi_connection: Any, record: Any) -> None:
        record.driver_connection.prepare_threshold = None
        cursor = dbapi_connection.cursor()
        cursor.execute(MARKED)
        cursor.close()
        # Set in a transaction that is rolled back, the name would be gone.
        dbapi_connection.commit()
