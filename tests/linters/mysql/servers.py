"""MySQL and MariaDB servers of the tests' own, on a socket, with nothing on disk that lasts."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

import pymysql
import pytest

PLACES = "/usr/sbin:/usr/local/sbin:/usr/libexec"
VARIABLES = {"mysql": "MIGRATOR_TEST_MYSQL_URL", "mariadb": "MIGRATOR_TEST_MARIADB_URL"}
BINARIES = {"mysql": "mysqld", "mariadb": "mariadbd"}
SECONDS = 60
INSTALL = ["--skip-test-db", "--skip-name-resolve", "--auth-root-authentication-method=normal"]


def binary(name):
    """The path of the server's binary; Debian's `mysqld` of MariaDB is no MySQL."""
    found = shutil.which(BINARIES[name], path=f"{os.environ['PATH']}:{PLACES}")
    if found and name == "mysql":
        said = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout
        return None if "mariadb" in said.lower() else found
    return found


@contextlib.contextmanager
def connection_to(name):
    """A connection to the server that a variable names, or to one that is started; skips where there is neither."""
    url = os.environ.get(VARIABLES[name])
    if url:
        given = urlsplit(url)
        with closing_connection(
            host=given.hostname, port=given.port or 3306, user=given.username, password=given.password or ""
        ) as connection:
            yield connection
        return
    found = binary(name)
    if found is None:
        missing = pytest.fail if name == "mariadb" and os.environ.get("CI") == "true" else pytest.skip
        missing(f"no {BINARIES[name]} on the PATH, and {VARIABLES[name]} is not set")
    with started(found, name) as address, closing_connection(unix_socket=address, user="root") as connection:
        yield connection


@contextlib.contextmanager
def closing_connection(**arguments):
    connection = pymysql.connect(autocommit=True, **arguments)
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def started(path, name, *options):
    """A server with a directory of its own; the socket it listens on. `options` beat those it has anyway."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="mg", dir=shared if shared.is_dir() else None) as place:
        data = Path(place, "data")
        own = [f"--user={account()}"] if os.geteuid() == 0 else []
        Path(place).chmod(0o755)
        data.mkdir()
        if own:
            shutil.chown(data, account())
        subprocess.run(prepare(path, name, data, own), check=True, capture_output=True)
        address = Path(data, "s")
        # A server that starts empties the directory for temporary files, whoever else works there.
        arguments = [f"--datadir={data}", f"--tmpdir={data}", f"--socket={address}", "--skip-networking"]
        arguments += ["--skip-log-bin"]
        arguments += ["--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=32M", f"--pid-file={data}/pid"]
        arguments += ["--mysqlx=OFF", "--secure-file-priv="] if name == "mysql" else []
        arguments += options
        with Path(place, "log").open("wb") as log:
            process = subprocess.Popen([path, "--no-defaults", *own, *arguments], stdout=log, stderr=log)
        try:
            wait_for(str(address), process, Path(place, "log"))
            yield str(address)
        finally:
            process.terminate()
            process.wait(SECONDS)


def account():
    """Whom a server runs as where the tests are run by root."""
    try:
        return pwd.getpwnam("mysql").pw_name
    except KeyError:
        return "root"


def prepare(path, name, data, own):
    """The command that makes an empty data directory."""
    if name == "mysql":
        return [path, "--no-defaults", *own, "--initialize-insecure", f"--datadir={data}"]
    return ["mariadb-install-db", "--no-defaults", *own, f"--datadir={data}", *INSTALL]


def wait_for(path, process, log):
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with socket.socket(socket.AF_UNIX) as tried:
            if tried.connect_ex(path) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
