"""Find PostgreSQL servers for the tests.

In this order: `MIGRATOR_TEST_URL`; a container, where Docker answers; servers
installed on this machine and the one in the embedded wheel, each started in a
temporary folder on a free port. `MIGRATOR_TEST_VERSIONS` (`15,18`) picks majors, and runs everything on all of
them; without it the servers take turns at what is alike on all.
Each xdist worker has servers of its own, each test a database of its own.
"""

from __future__ import annotations

import os
import subprocess
import uuid
import zlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from migrator.embedded import EmbeddedServer, all_binaries
from migrator.own_server import fast_folder
from migrator.testing.servers import KINDS, VARIABLES, docker_answers, in_ci

URL = os.environ.get(VARIABLES["postgresql"])
WANTED = os.environ.get("MIGRATOR_TEST_VERSIONS")
GIVEN = 0
"""Stands for the server of a URL or a container, whose version is its own affair."""


@dataclass(frozen=True)
class Server:
    """A server with a superuser. `binaries`: where its own `pg_dump` is."""

    url: str
    binaries: Path | None
    embedded: EmbeddedServer | None = None


@dataclass(frozen=True)
class Database:
    """A database that exists for one test."""

    url: str
    name: str
    server: Server
    version: tuple[int, int]

    @property
    def plain_url(self) -> str:
        """The URL as libpq and psycopg take it."""
        return self.url.replace("+psycopg", "")

    def connect(self, **options: object) -> psycopg.Connection:
        return psycopg.connect(self.plain_url, autocommit=True, **options)

    def run(self, *statements: str) -> None:
        with self.connect() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def rows(self, statement: str) -> list[tuple]:
        with self.connect() as connection:
            return connection.execute(statement.encode()).fetchall()

    def dump(self) -> str:
        """The schema as `pg_dump` writes it, without the ledger and Alembic's table."""
        own = self.server.binaries / "pg_dump" if self.server.binaries else None
        # A newer pg_dump reads older servers; not every build of a server comes with one.
        program = str(own if own and own.exists() else newest_pg_dump())
        options = ["--schema-only", "--exclude-schema=migrator", "--exclude-table=alembic_version"]
        done = subprocess.run(
            [program, *options, self.plain_url], capture_output=True, text=True, check=True, timeout=60
        )
        lines = done.stdout.splitlines()
        return "\n".join(line for line in lines if not line.startswith(("\\restrict", "\\unrestrict", "--")))


@cache
def newest_pg_dump() -> Path:
    found = all_binaries()
    programs = [found[major].folder / "pg_dump" for major in sorted(found, reverse=True)]
    return next((program for program in programs if program.exists()), Path("pg_dump"))


@cache
def versions() -> tuple[int, ...]:
    """Majors that can be tested here, newest first."""
    if URL or docker_answers():
        return (GIVEN,)
    found = sorted(all_binaries(), reverse=True)
    if WANTED:
        return tuple(int(word) for word in WANTED.split(",") if int(word) in found)
    return tuple(found)


def combinations(cases: Iterable[str], everywhere: Collection[str]) -> list[tuple[int | None, str]]:
    """Versions and cases: the servers take turns, but for `everywhere`; all have all where versions are asked for."""
    majors: tuple[int | None, ...] = versions() or (None,)
    return [
        (major, case)
        for number, case in enumerate(cases)
        for place, major in enumerate(majors)
        if WANTED or case in everywhere or number % len(majors) == place
    ]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "in_turn: each test runs on one of the servers, all of them in turn")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    majors = versions()
    if WANTED or len(majors) < 2:
        return
    left_out = [item for item in items if item.get_closest_marker("in_turn") and not has_its_turn(item, majors)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def has_its_turn(item: pytest.Item, majors: Sequence[int]) -> bool:
    major = getattr(item, "callspec", None) and item.callspec.params.get("any_database")
    if major is None:
        return True
    same_on_all = item.nodeid.replace(f"pg{major}", "pg")
    return majors[zlib.crc32(same_on_all.encode()) % len(majors)] == major


def pytest_report_header() -> str:
    if URL:
        return "postgresql: the server of MIGRATOR_TEST_URL"
    return f"postgresql: {', '.join(map(str, versions())) or 'none found'}"


def missing(reason: str) -> None:
    """Skip on a laptop, fail in CI."""
    if in_ci():
        pytest.fail(reason)
    pytest.skip(reason)


class Fleet:
    """Servers of one worker, started when first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.running: dict[int, Server] = {}

    def server(self, major: int) -> Server:
        if major not in self.running:
            self.running[major] = self._start(major)
        return self.running[major]

    def _start(self, major: int) -> Server:
        if URL:
            return Server(URL.replace("postgresql://", "postgresql+psycopg://"), None)
        if major == GIVEN:
            return Server(self.stack.enter_context(KINDS["postgresql"].container("")), None)
        embedded = self.stack.enter_context(EmbeddedServer(all_binaries()[major], parent=fast_folder()))
        return Server(embedded.url(), embedded.binaries.folder, embedded)


@pytest.fixture(scope="session")
def fleet() -> Iterator[Fleet]:
    with ExitStack() as stack:
        yield Fleet(stack)


@contextmanager
def fresh_database(server: Server) -> Iterator[Database]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = server.url.replace("+psycopg", "")
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        number = connection.info.server_version
    try:
        url = f"{server.url.rpartition('/')[0]}/{name}"
        yield Database(url, name, server, (number // 10000, number % 10000))
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))


@pytest.fixture
def database(fleet: Fleet) -> Iterator[Database]:
    """A fresh database on the newest server."""
    if not versions():
        missing("no PostgreSQL server: set MIGRATOR_TEST_URL, or install one")
    with fresh_database(fleet.server(versions()[0])) as made:
        yield made


@dataclass(frozen=True)
class Untouched:
    """A database for many cases that do nothing. `before`: its schema when none had run."""

    database: Database
    before: str

    def check(self) -> None:
        """Nothing was done by this case; what one does, those after it see, too. Each finds no ledger."""
        assert self.database.dump() == self.before
        with self.database.connect() as connection:
            stamped = "SELECT count(*) FROM pg_tables WHERE tablename = 'alembic_version'"
            assert connection.execute(stamped).fetchall() == [(0,)]
            connection.execute("DROP SCHEMA IF EXISTS migrator CASCADE")


@pytest.fixture(scope="module")
def untouched_on(fleet: Fleet) -> Iterator[Callable[..., Untouched]]:
    """Make a database on the newest server that lives as long as the module."""
    if not versions():
        missing("no PostgreSQL server: set MIGRATOR_TEST_URL, or install one")
    with ExitStack() as stack:

        def make(*statements: str) -> Untouched:
            made = stack.enter_context(fresh_database(fleet.server(versions()[0])))
            made.run(*statements)
            return Untouched(made, made.dump())

        yield make


@pytest.fixture(params=versions() or [None], ids=lambda major: f"pg{major}" if major else "pg")
def any_database(request: pytest.FixtureRequest, fleet: Fleet) -> Iterator[Database]:
    """A fresh database on every version that is here, one after another."""
    if request.param is None:
        missing("no PostgreSQL server: set MIGRATOR_TEST_URL, or install one")
    with fresh_database(fleet.server(request.param)) as made:
        yield made
