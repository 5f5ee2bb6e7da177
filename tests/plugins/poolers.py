"""A real PgBouncer in front of a test server, and a real read-only replica."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from migrator.embedded import EmbeddedServer, all_binaries, free_port, other_user
from tests.plugins.servers import Database, missing, versions

PROGRAM = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")


@pytest.fixture
def pooler(database: Database, tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Start a pooler in a mode; returns the URL of the test's database through it."""
    if PROGRAM is None:
        missing("no pgbouncer on this machine")
    running: list[subprocess.Popen] = []
    host, _, port = database.url.rpartition("@")[2].partition("/")[0].partition(":")

    def start(mode: str) -> str:
        own = free_port()
        folder = tmp_path / "pooler"
        folder.mkdir()
        user = other_user()
        if user:
            os.chown(folder, user["user"], user["group"])
            for parent in (tmp_path, *tmp_path.parents[:3]):
                if parent != Path("/tmp"):
                    parent.chmod(0o755)
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={host} port={port} user=postgres\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {own}\n"
            f"auth_type = any\npool_mode = {mode}\nunix_socket_dir =\ndefault_pool_size = 2\n"
            "ignore_startup_parameters = extra_float_digits\n"
        )
        command = [str(PROGRAM), "-q", str(folder / "pgbouncer.ini")]
        running.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **user))
        wait_for_port(own)
        return f"postgresql+psycopg://postgres@127.0.0.1:{own}/{database.name}"

    yield start
    for process in running:
        process.terminate()
        process.wait(10)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the pooler does not answer")


@pytest.fixture
def replica_url() -> Iterator[str]:
    """A server in recovery: it answers questions and takes no writes."""
    if not versions() or 0 in versions():
        missing("no server of our own to make a replica of")
    with EmbeddedServer(all_binaries()[versions()[0]]) as server:
        with psycopg.connect(server.url().replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute("CREATE TABLE users (id int PRIMARY KEY, full_name text)")
        server.stop()
        (server.folder / "data" / "standby.signal").touch()
        server.start()
        yield server.url()
