"""What is done beside an engine every few seconds: by one thread, or by one task of its event loop.

It begins with the first connection, and with the next one after a fork; it ends when the engine is disposed of or
forgotten. Nothing that fails in it reaches the application.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
import weakref
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from migrator.app.binds import ask, ask_async, is_async

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

LONGEST_REST = 1.0
"""Seconds after which somebody who rests looks whether there is another job."""
PATIENCE = 1.0
"""Seconds that disposing of an engine waits for what is being done."""


class Job(Protocol):
    """Something to be done again and again."""

    @property
    def every(self) -> float:
        """Seconds from one time to the next."""

    def run(self, connection: Connection) -> None:
        """Do it, by a connection on which nothing is begun. What it writes is committed after it."""

    def failed(self, problem: Exception) -> None:
        """Is told why it could not be done."""


class Ticker:
    """Does the jobs of one engine. Made by `ticker_of`."""

    def __init__(self, engine: Engine) -> None:
        from sqlalchemy import event

        self._engine = weakref.ref(engine, lambda _: self.stop())
        self._asynchronous = is_async(engine)
        self._jobs: dict[str, Job] = {}
        self._due: dict[str, float] = {}
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self._task: asyncio.Task[None] | None = None
        self._task_stopped: asyncio.Event | None = None
        event.listen(engine, "connect", self._connected)
        event.listen(engine, "engine_disposed", self._disposed)

    def add(self, name: str, job: Job) -> None:
        """Do a job from here on; one of the same name takes the place of the other. It is done at once first."""
        self._jobs[name], self._due[name] = job, 0.0

    @property
    def running(self) -> bool:
        """Whether it is at work, and goes on."""
        if self._task is not None and self._task_stopped is not None:
            return not self._task.done() and not self._task_stopped.is_set()
        return self._thread is not None and self._thread.is_alive() and not self._stopped.is_set()

    def start(self) -> None:
        """Begin, unless it has begun: in this process, and on this event loop.

        An engine whose pool is one connection for all has nothing done beside it: that would be done in the middle of
        what somebody else has begun.
        """
        from sqlalchemy import StaticPool

        engine = self._engine()
        if engine is None or isinstance(engine.pool, StaticPool):
            return
        with self._starting:
            if self._asynchronous:
                self._start_task()
            elif not self.running:
                self._stopped = threading.Event()
                self._thread = threading.Thread(target=self._work, args=(self._stopped,), daemon=True, name="migrator")
                self._thread.start()

    def stop(self) -> None:
        """End: at once, or with what is being done."""
        self._stopped.set()
        if self._task is None or self._task_stopped is None:
            return
        loop = self._task.get_loop()
        if running_loop() is loop:
            self._task_stopped.set()
        else:
            with suppress(RuntimeError):  # it is closed
                loop.call_soon_threadsafe(self._task_stopped.set)

    def _at_work(self) -> bool:
        # The connection that a job was waiting for when the engine was disposed of must not begin all again.
        own = self._thread is threading.current_thread()
        return own or (self._task is not None and self._task is running_task())

    def _connected(self, connection: Any, record: Any) -> None:
        del connection, record
        if self._jobs and not self._at_work():
            self.start()

    def _disposed(self, _engine: Engine) -> None:
        from sqlalchemy.util import await_only

        self.stop()
        thread, task = self._thread, self._task
        if thread is not None and thread is not threading.current_thread():
            thread.join(PATIENCE)
        if task is not None and task.get_loop() is running_loop() and not task.done():
            with suppress(Exception):  # disposed of without awaiting
                await_only(asyncio.wait({task}, timeout=PATIENCE))

    def _start_task(self) -> None:
        loop = running_loop()
        if loop is None:
            return  # the next connection is opened on one
        if not self.running or self._task is None or self._task.get_loop() is not loop:
            self._task_stopped = asyncio.Event()
            self._task = loop.create_task(self._work_async(self._task_stopped))

    def _work(self, stopped: threading.Event) -> None:
        self._tick(stopped)
        if (engine := self._engine()) is not None:
            engine.pool.dispose()  # what was under way when the engine was disposed of has left a connection there

    def _tick(self, stopped: threading.Event) -> None:
        while not stopped.wait(self._rest()):
            engine, due = self._engine(), self._now_due()
            if engine is None:
                return
            try:
                if due:
                    ask(engine, partial(perform, due))
            except Exception as problem:
                tell(due, problem)
            del engine

    async def _work_async(self, stopped: asyncio.Event) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), self._rest())
            engine, due = self._engine(), self._now_due()
            if engine is None or stopped.is_set():
                return
            try:
                if due:
                    await ask_async(engine, partial(perform, due))
            except Exception as problem:
                tell(due, problem)
            del engine

    def _rest(self) -> float:
        wait = min(self._due.values(), default=LONGEST_REST) - time.monotonic()
        return max(0.0, min(wait, LONGEST_REST))

    def _now_due(self) -> list[Job]:
        # Never after quite the same time, so that instances that were started at once spread.
        now = time.monotonic()
        names = [name for name, at in list(self._due.items()) if at <= now]
        for name in names:
            self._due[name] = now + self._jobs[name].every * random.uniform(0.9, 1.0)
        return [self._jobs[name] for name in names]


def running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def running_task() -> asyncio.Task[Any] | None:
    return asyncio.current_task() if running_loop() is not None else None


def perform(jobs: Sequence[Job], connection: Connection) -> None:
    """Do jobs, each in a transaction of its own."""
    for job in jobs:
        try:
            job.run(connection)
            connection.commit()
        except Exception as problem:
            job.failed(problem)
            connection.rollback()


def tell(jobs: Sequence[Job], problem: Exception) -> None:
    for job in jobs:
        with suppress(Exception):
            job.failed(problem)


_tickers: weakref.WeakKeyDictionary[object, Ticker] = weakref.WeakKeyDictionary()
_making = threading.Lock()


def ticker_of(engine: Engine) -> Ticker:
    """The one ticker of an engine."""
    with _making:
        found = _tickers.get(engine.dialect)
        if found is None:
            found = _tickers[engine.dialect] = Ticker(engine)
        return found
