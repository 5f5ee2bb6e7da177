"""A MariaDB or MySQL server of our own: a child process in a temporary folder, listening on a socket there."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from migrator.errors import ConnectionFailed
from migrator.own_server import START_SECONDS, OwnServer

if TYPE_CHECKING:
    import pymysql

STOP_SECONDS = 30.0

PLACES = "/usr/sbin:/usr/local/sbin:/usr/libexec"
PROGRAMS = {"mariadb": "mariadbd", "mysql": "mysqld"}
PACKAGES = {"mariadb": "mariadb-server", "mysql": "mysql-server-core"}
NAMES = {"mariadb": "MariaDB", "mysql": "MySQL"}
UNPRIVILEGED = ("mysql", "nobody")
INSTALL = ("--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal")
OPTIONS = {"mariadb": (), "mysql": ("--mysqlx=OFF", "--secure-file-priv=")}


@dataclass(frozen=True, slots=True)
class Program:
    """A server program, `mariadb` or `mysql`, and its version as `10.11`."""

    path: Path
    family: str
    version: str

    def __str__(self) -> str:
        return f"{NAMES[self.family]} {self.version}"


def found(family: str) -> Program | None:
    """The program of a family that is on the PATH or where packages put it; None where there is none.

    Some packages of MariaDB call its server `mysqld`, too: it is asked which of the two it is.
    """
    path = shutil.which(PROGRAMS[family], path=f"{os.environ.get('PATH', '')}:{PLACES}")
    if path is None:
        return None
    said = subprocess.run([path, "--no-defaults", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"Ver (\d+\.\d+)", said)
    if version is None or ("mariadb" in said.lower()) != (family == "mariadb"):
        return None
    return Program(Path(path), family, version[1])


def needed(family: str) -> Program:
    """The same.

    Raises:
        ConnectionFailed: there is none.
    """
    program = found(family)
    if program is None:
        raise ConnectionFailed(
            f"there is no {NAMES[family]} server on this machine: no {PROGRAMS[family]} on the PATH",
            next_step=f"apt install {PACKAGES[family]}",
        )
    return program


def other_user(program: Path) -> str | None:
    """Whom the server runs as where we are root: somebody else, if there is anybody who can reach it."""
    if os.geteuid() != 0:
        return None
    if all(folder.stat().st_mode & stat.S_IXOTH for folder in program.resolve().parents):
        known = {entry.pw_name for entry in pwd.getpwall()}
        return next((name for name in UNPRIVILEGED if name in known), "root")
    return "root"


class EmbeddedMySQL(OwnServer):
    """A server in a temporary folder, removed with the folder when it is closed.

    Args:
        program: which server.
        settings: of the server; `log-bin` is off unless it is among them.
        parent: where to make its folder.
    """

    def __init__(self, program: Program, settings: Mapping[str, str] | None = None, parent: Path | None = None) -> None:
        super().__init__(parent)
        self.program = program
        self.settings = dict(settings or {})
        self.data = self.folder / "data"
        self.address = self.data / "s"
        self.user = other_user(program.path)

    @property
    def _own(self) -> list[str]:
        # All servers of a machine share what the kernel has for asynchronous I/O (fs.aio-max-nr).
        user = [f"--user={self.user}"] if self.user else []
        return [f"--datadir={self.data}", *user, "--innodb-use-native-aio=OFF"]

    def _make_data(self) -> None:
        self.folder.chmod(0o755)
        own = self.folder / "tmp"
        for folder in (self.data, own):
            folder.mkdir()
            if self.user:
                shutil.chown(folder, self.user)
        command = [str(self.program.path), "--no-defaults", *self._own, "--initialize-insecure"]
        if self.program.family == "mariadb":
            command = ["mariadb-install-db", "--no-defaults", *self._own, *INSTALL]
        # A server that starts empties the directory for temporary files, and another may be at this, too.
        environment = {**os.environ, "TMPDIR": str(own)}
        made = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        if made.returncode:
            raise ConnectionFailed(f"{command[0]} failed: {reason(made.stderr or made.stdout)}")

    def start(self) -> None:
        command = [str(self.program.path), "--no-defaults", *self._own, *OPTIONS[self.program.family]]
        command += [f"--tmpdir={self.folder / 'tmp'}", f"--socket={self.address}", f"--pid-file={self.data}/pid"]
        command += ["--skip-networking", *(() if "log-bin" in self.settings else ("--skip-log-bin",))]
        command += [f"--{name}={value}" for name, value in self.settings.items()]
        self._launch(command, signal.SIGTERM)
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            with socket.socket(socket.AF_UNIX) as tried:
                if tried.connect_ex(str(self.address)) == 0:
                    return
            time.sleep(0.05)
        raise self._did_not_come_up()

    def connect(self, **options: Any) -> pymysql.Connection:
        """A connection of root that commits by itself."""
        import pymysql

        given = {"user": "root", "autocommit": True, "ssl_disabled": True, "charset": "utf8mb4"}
        return pymysql.connect(unix_socket=str(self.address), **{**given, **options})

    def create(self, database: str) -> str:
        """Create a database; returns its URL."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE `{database}` CHARACTER SET utf8mb4")
        return self.url(database)

    def url(self, database: str) -> str:
        address = quote(str(self.address), safe="")
        return f"{self.program.family}+pymysql://root@localhost/{database}?unix_socket={address}"

    def stop(self) -> None:
        """Stop the server, hard after thirty seconds."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process = None
        self._end_watch()


def reason(said: str) -> str:
    """The line that says why; what follows it in the words of MariaDB's installer is advice for every case."""
    lines = said.strip().splitlines() or [""]
    return next((line for line in lines if "ERROR" in line), lines[-1])
