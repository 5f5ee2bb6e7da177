"""A proxy in front of the database, whose connections can be slow, silent, cut or reset."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from migrator.chaos.addresses import Address
from migrator.errors import UsageError

CHUNK = 64 * 1024
AT_ONCE = 64
"""Chunks that are under way in one direction of a connection before no more is read."""
ANSWER_WITHIN = 10.0
NO_LINGER = struct.pack("ii", 1, 0)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Link:
    """What connections are like.

    Args:
        latency: seconds that everything takes longer, each way.
        jitter: seconds that this is more or less, at random; what was sent first arrives first.
        passing: False: nothing arrives, and connections stay open.
        accepting: False: connections are closed, and those that are opened, at once.
    """

    latency: float = 0.0
    jitter: float = 0.0
    passing: bool = True
    accepting: bool = True


CLEAR = Link()


class Proxy:
    """Passes connections on to one server, from a thread of its own.

    Args:
        listen: host and port; port 0: any that is free.

    Raises:
        UsageError: when it is entered: the address is taken.
    """

    def __init__(self, upstream: Address, listen: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.upstream = upstream
        self.listen = listen
        self.link = CLEAR
        self.port = 0
        self.connections = 0
        self.felt = 0
        """Connections that were open when the link became worse, or were opened meanwhile."""
        self._open: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._problem: OSError | None = None

    def __enter__(self) -> Proxy:
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),), name="proxy", daemon=True)
        self._thread.start()
        self._ready.wait(ANSWER_WITHIN)
        if self._problem is not None:
            said = f"{self.listen[0]}:{self.listen[1]}: {self._problem.strerror}"
            raise UsageError(f"the proxy cannot listen on {said}", next_step="another listen = …, or port 0")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(ANSWER_WITHIN)

    def become(self, link: Link) -> None:
        """Change what connections are like, those that are open included."""
        self._ask(self._become(link))

    def reset(self) -> int:
        """End all connections at once, without the end that TCP has for them; how many."""
        return self._ask(self._end_all(reset=True))

    def _ask(self, what: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(what, self._loop).result(ANSWER_WITHIN)

    async def _serve(self) -> None:
        self._loop, self._over, self._passing = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        self._passing.set()
        try:
            server = await asyncio.start_server(self._accept, *self.listen)
        except OSError as problem:
            self._problem = problem
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        await self._end_all(reset=False)

    async def _become(self, link: Link) -> None:
        self.link = link
        if link != CLEAR:
            self.felt += len(self._open) // 2
        if link.passing:
            self._passing.set()
        else:
            self._passing.clear()
        if not link.accepting:
            await self._end_all(reset=False)

    async def _end_all(self, *, reset: bool) -> int:
        ended = list(self._open)
        for writer in ended:
            end(writer, reset=reset)
        if reset:
            self.felt += len(ended) // 2
        await asyncio.sleep(0)
        return len(ended) // 2

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.felt += self.link != CLEAR
        if not self.link.accepting:
            end(writer, reset=False)
            return
        try:
            there, back = await self._reach()
        except OSError:
            end(writer, reset=False)
            return
        self.connections += 1
        both = {writer, back}
        self._open |= both
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                await asyncio.gather(self._pump(reader, back), self._pump(there, writer))
        finally:
            self._open -= both
            for one in both:
                end(one, reset=False)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.upstream.path:
            return await asyncio.open_unix_connection(self.upstream.path)
        return await asyncio.open_connection(self.upstream.host, self.upstream.port)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass on what comes from one side, each chunk at its time; ends both sides when one fails."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(AT_ONCE)
        sending = asyncio.create_task(self._send(under_way, writer))
        try:
            while not sending.done():
                data = await reader.read(CHUNK)
                link = self.link
                late = link.latency + random.uniform(-link.jitter, link.jitter)
                await under_way.put((self._loop.time() + late, data))
                if not data:
                    break
            await sending
        finally:
            sending.cancel()

    async def _send(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(due - self._loop.time())
            await self._passing.wait()
            if not data:
                break
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def end(writer: asyncio.StreamWriter, *, reset: bool) -> None:
    """End a connection without waiting; `reset`: so that the other side is told that it broke."""
    if reset:
        own: socket.socket | None = writer.get_extra_info("socket")
        with suppress(OSError):
            if own is not None and own.family != socket.AF_UNIX:
                own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NO_LINGER)
    writer.transport.abort()
