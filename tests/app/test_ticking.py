"""What is done beside an engine ends with it, whatever it is in the middle of."""

from __future__ import annotations

import asyncio
import gc
import threading

from sqlalchemy import create_engine, event
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.util import await_only

from migrator.app.ticking import ticker_of
from tests.app.places import everywhere
from tests.app.servers import app_url, async_url

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


@everywhere
def test_a_job_that_is_connecting_when_its_engine_is_disposed_of_does_not_begin_again(server_database):
    engine, connecting, disposing = create_engine(app_url(server_database)), threading.Event(), threading.Event()
    ticker = ticker_of(engine)

    @event.listens_for(engine, "do_connect")
    def hold(*_):
        if threading.current_thread() is not threading.main_thread():
            connecting.set()
            disposing.wait()

    with engine.connect():
        ticker.add("look", Look())
        ticker.start()
        connecting.wait()
    threading.Timer(0.05, disposing.set).start()
    engine.dispose()
    assert not ticker.running


@everywhere
def test_a_task_that_is_connecting_when_its_engine_is_disposed_of_does_not_begin_again(server_database):
    assert not asyncio.run(running_after_disposal_while_connecting(async_url(server_database)))


async def running_after_disposal_while_connecting(url):
    engine, connecting = create_async_engine(url), asyncio.Event()
    ticker, main = ticker_of(engine.sync_engine), asyncio.current_task()

    @event.listens_for(engine.sync_engine, "do_connect")
    def hold(*_):
        if asyncio.current_task() is not main:
            connecting.set()
            await_only(asyncio.sleep(0.05))

    async with engine.connect():
        ticker.add("look", Look())
        ticker.start()
        await connecting.wait()
    await engine.dispose()
    return ticker.running
