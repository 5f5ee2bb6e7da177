"""Servers of a name each, in one process: upstreams.py b1=8001 b2=8002.

`/held` takes until somebody asks for `/release`, `/stream` goes on until the client leaves, `/count` says which
requests a server has had. A request for an upgrade gets an echo of what it sends.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter

ACCEPTED = b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
"""Of a key of sixteen zeros, which is what the tests send."""


async def read(reader):
    line = (await reader.readline()).decode().split()
    headers = {}
    while (row := (await reader.readline()).decode().strip()) or not line:
        if not line:
            return None
        name, _, value = row.partition(":")
        headers[name.lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    while headers.get("transfer-encoding") == "chunked" and (size := int(await reader.readline(), 16)):
        body += (await reader.readexactly(size + 2))[:-2]
    if "transfer-encoding" in headers:
        await reader.readline()
    return line[0], line[1], {**headers, "body": body.decode()}


async def echo(reader, writer):
    writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + ACCEPTED)
    while received := await reader.read(4096):
        writer.write(received)
        await writer.drain()


async def stream(writer):
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(600):
        writer.write(b"1\r\n.\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


def served(name, seen):
    released = asyncio.Event()

    async def handle(reader, writer):
        try:
            while request := await read(reader):
                method, path, headers = request
                if path not in ("/ready", "/count", "/release"):
                    seen[f"{method} copy" if "x-migrator-mirror" in headers else method] += 1
                    seen[path] += 1
                    if headers["body"]:
                        seen[headers["body"]] += 1
                if "upgrade" in headers:
                    await echo(reader, writer)
                    break
                if path == "/stream":
                    await stream(writer)
                    break
                if path == "/held":
                    released.clear()
                    await released.wait()
                if path == "/release":
                    released.set()
                body = json.dumps(seen).encode() if path == "/count" else name.encode()
                length = f"HTTP/1.1 200 OK\r\nX-Server: {name}\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(length.encode() + (b"" if method == "HEAD" else body))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    return handle


async def main(words):
    for word in words:
        name, _, port = word.partition("=")
        await asyncio.start_server(served(name, Counter()), "127.0.0.1", int(port), backlog=256)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
