"""The engine behind what applications have at hand, and connections of it that know the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from migrator.dialects import family
from migrator.errors import UsageError
from migrator.teaching import teach

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
    from sqlalchemy.orm import Session, scoped_session

    Bind = Engine | AsyncEngine | Connection | AsyncConnection | Session | AsyncSession | scoped_session[Any]

T = TypeVar("T")


def engine_of(bind: Bind) -> Engine:
    """The engine behind an engine, a connection or a session, of either kind; of an async one, the sync engine in it.

    Raises:
        UsageError: there is none behind it.
    """
    from sqlalchemy import Engine

    found: Any = getattr(bind, "sync_session", bind)
    if hasattr(found, "get_bind"):
        found = found.get_bind()
    found = getattr(found, "engine", found)
    found = getattr(found, "sync_engine", found)
    if not isinstance(found, Engine):
        raise UsageError(f"{type(bind).__name__} is no engine, connection or session of SQLAlchemy")
    return found


def is_async(engine: Engine) -> bool:
    return bool(engine.dialect.is_async)


def known_to(connection: Connection) -> Connection:
    """The connection, which finds the ledger's tables, and whose statements are not taken for the application's."""
    teach(connection, family(connection.dialect.name))
    return connection


def ask(engine: Engine, question: Callable[[Connection], T]) -> T:
    """Ask by a connection of its own beside those of the application. Commits nothing that the question does not."""
    pool = engine.pool
    try:
        with engine.connect() as connection:
            return question(known_to(connection))
    finally:
        if engine.pool is not pool:
            pool.dispose()  # nobody else closes what went back to a pool that was disposed of


async def ask_async(engine: Engine, question: Callable[[Connection], T]) -> T:
    """The same on an event loop; given is the sync engine in an async one."""
    from sqlalchemy.ext.asyncio import AsyncEngine
    from sqlalchemy.util import greenlet_spawn

    pool = engine.pool
    try:
        async with AsyncEngine(engine).connect() as connection:
            return await connection.run_sync(lambda known: question(known_to(known)))
    finally:
        if engine.pool is not pool:
            await greenlet_spawn(pool.dispose)
