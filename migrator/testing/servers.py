"""Database servers for tests, found or started: always in the same order.

The URL in a variable of the environment; a container, where Docker answers; a server program of this machine,
started in a temporary folder, for PostgreSQL also that of the embedded wheel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from migrator.errors import ConnectionFailed, UsageError
from migrator.own_server import fast_folder
from migrator.setting_values import nearest, normalise_url

QUICK = {"innodb-flush-log-at-trx-commit": "0", "innodb-buffer-pool-size": "32M"}
"""Settings of servers whose data nobody keeps."""


class ServerMissing(ConnectionFailed):
    """There is no server for a test: no URL, no container, no program."""


def in_ci() -> bool:
    """Whether what is missing is an error: `CI=true`, as CI systems set it."""
    return os.environ.get("CI") == "true"


@cache
def docker_answers() -> bool:
    """Whether containers can be started here."""
    if not os.environ.get("DOCKER_HOST") and not Path("/var/run/docker.sock").exists():
        return False
    try:
        import docker

        client = docker.from_env(timeout=2)
        try:
            client.ping()
        finally:
            client.close()
    except Exception:  # whatever is wrong with it, it does not answer
        return False
    return True


@contextmanager
def postgresql_container(version: str) -> Iterator[str]:
    from testcontainers.community.postgres import PostgresContainer

    with PostgresContainer(f"postgres:{version or 18}", driver="psycopg") as container:
        yield container.get_connection_url()


@contextmanager
def mysql_container(version: str) -> Iterator[str]:
    from testcontainers.community.mysql import MySqlContainer

    with MySqlContainer(f"mysql:{version or '8.4'}", dialect="pymysql", username="root") as container:
        yield str(container.get_connection_url())


@contextmanager
def mariadb_container(version: str) -> Iterator[str]:
    from testcontainers.community.mysql import MySqlContainer

    with MySqlContainer(f"mariadb:{version or '11.8'}", dialect="pymysql", username="root") as container:
        yield str(container.get_connection_url()).replace("mysql+", "mariadb+", 1)


@contextmanager
def postgresql_program(version: str) -> Iterator[str]:
    from migrator.embedded import EmbeddedServer, all_binaries

    found = all_binaries()
    major = int(version) if version.isdecimal() else max(found, default=0)
    if major not in found:
        here = f"; here are {', '.join(map(str, sorted(found)))}" if found else ""
        raise ServerMissing(f"no PostgreSQL {version}".rstrip() + f" on this machine{here}")
    with EmbeddedServer(found[major], parent=fast_folder()) as server:
        yield server.url()


@contextmanager
def mysql_program(version: str, family: str = "mysql") -> Iterator[str]:
    from migrator.embedded_mysql import NAMES, PROGRAMS, EmbeddedMySQL, found

    program = found(family)
    if program is None or (version and program.version != version):
        here = f"; here is {program}" if program else f": no {PROGRAMS[family]} on the PATH"
        raise ServerMissing(f"no {NAMES[family]} {version}".rstrip() + f" on this machine{here}")
    with EmbeddedMySQL(program, QUICK, fast_folder()) as server:
        yield server.url("")


def mariadb_program(version: str) -> AbstractContextManager[str]:
    return mysql_program(version, "mariadb")


Start = Callable[[str], AbstractContextManager[str]]
"""Starts a server of a version, any where none is named; gives the URL of somebody who may create databases."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How servers of one kind are had.

    Args:
        variable: of the environment, which has the URL of one.
        container, program: start one.
        remedy: how to get one.
    """

    variable: str
    container: Start
    program: Start
    remedy: str


KINDS: Mapping[str, Kind] = {
    "postgresql": Kind(
        "MIGRATOR_TEST_URL",
        postgresql_container,
        postgresql_program,
        'pip install "expand-contract-migrator[demo]", or start Docker, or export MIGRATOR_TEST_URL=postgresql://…',
    ),
    "mysql": Kind(
        "MIGRATOR_TEST_MYSQL_URL",
        mysql_container,
        mysql_program,
        "put mysqld on the PATH, or start Docker, or export MIGRATOR_TEST_MYSQL_URL=mysql://…",
    ),
    "mariadb": Kind(
        "MIGRATOR_TEST_MARIADB_URL",
        mariadb_container,
        mariadb_program,
        "apt install mariadb-server, or start Docker, or export MIGRATOR_TEST_MARIADB_URL=mariadb://…",
    ),
}
VARIABLES = {name: kind.variable for name, kind in KINDS.items()}


def kind_of(name: str) -> tuple[str, str]:
    """The kind of server that a name asks for, and the version: `postgresql-16` is `postgresql` and `16`.

    Raises:
        UsageError: there is no such kind.
    """
    kind, _, version = name.partition("-")
    if kind not in KINDS:
        near = nearest(kind, KINDS)
        known = "postgresql, mysql, mariadb, each perhaps with a version: postgresql-16"
        raise UsageError(
            f'there is no server "{name}"', next_step=f'did you mean "{near}"?' if near else f"known are {known}"
        )
    return kind, version


class Servers:
    """Servers of one process, each started when it is first asked for.

    Args:
        environ: the environment as the process was started with.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = dict(os.environ if environ is None else environ)
        self.stack = ExitStack()
        self.running: dict[str, str] = {}

    def url(self, name: str) -> str:
        """The URL of a server, as somebody who may create databases.

        Raises:
            ServerMissing: there is none to be had; says how to get one.
        """
        if name not in self.running:
            self.running[name] = normalise_url(self._found(name))
        return self.running[name]

    def _found(self, name: str) -> str:
        kind, version = kind_of(name)
        given = self.environ.get(VARIABLES[kind])
        if given:
            return given
        start = KINDS[kind].container if docker_answers() else KINDS[kind].program
        try:
            return self.stack.enter_context(start(version))
        except ServerMissing as missing:
            raise ServerMissing(missing.message, next_step=KINDS[kind].remedy) from None

    def close(self) -> None:
        """Stop what was started."""
        self.running.clear()
        self.stack.close()
