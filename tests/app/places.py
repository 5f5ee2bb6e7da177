"""Engines for the tests of what runs in applications, which leave nothing running behind."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager

import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from migrator.app.ticking import ticker_of
from tests.app.servers import EVERY, NAMES, async_url

everywhere = pytest.mark.parametrize("server_database", EVERY, indirect=True, ids=NAMES)


@contextmanager
def engine_of(database):
    """An engine whose background work has ended when it is disposed of."""
    engine = create_engine(database.url)
    yield engine
    ticker = ticker_of(engine)
    ticker.stop()
    if ticker._thread is not None:
        ticker._thread.join()
    engine.dispose()


@asynccontextmanager
async def async_engine_of(database):
    """The same for an event loop."""
    engine = create_async_engine(async_url(database))
    yield engine
    ticker = ticker_of(engine.sync_engine)
    ticker.stop()
    if ticker._task is not None:
        await ticker._task
    await engine.dispose()
