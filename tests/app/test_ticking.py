"""What is done beside an engine ends with it, whatever it is in the middle of."""

from __future__ import annotations

import asyncio
import gc

from sqlalchemy.ext.asyncio import create_async_engine

from migrator.app.ticking import ticker_of
from tests.app.places import everywhere
from tests.app.servers import async_url

MOMENTS = [each * 0.00005 for each in range(80)]
"""Seconds after which an engine is disposed of: a job of one statement takes a few thousandths."""


class Look:
    every = 0.001

    def run(self, connection):
        connection.exec_driver_sql("SELECT 1")

    def failed(self, problem):
        raise AssertionError(problem)


async def used_for(seconds, url):
    engine = create_async_engine(url)
    ticker_of(engine.sync_engine).add("look", Look())
    async with engine.connect():
        pass
    await asyncio.sleep(seconds)
    await engine.dispose()


@everywhere
def test_an_engine_that_is_disposed_of_in_the_middle_of_a_job_leaves_no_connection_open(server_database):
    url = async_url(server_database)
    for moment in MOMENTS:
        asyncio.run(used_for(moment, url))
    gc.collect()  # a connection that nobody closed says so, and pytest raises it
