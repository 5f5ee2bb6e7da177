"""Find MySQL and MariaDB servers for the tests of the migrator.

In this order, for each of the two: the URL in `MIGRATOR_TEST_MYSQL_URL` or `MIGRATOR_TEST_MARIADB_URL`; a
container, where Docker answers; `mysqld` or `mariadbd` on the PATH, started in a temporary folder. Each xdist
worker has servers of its own, each test a database of its own.
"""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import cache
from urllib.parse import quote

import pymysql
import pytest
from sqlalchemy import make_url

from migrator.embedded_mysql import found
from migrator.testing.servers import KINDS, docker_answers
from tests.linters.mysql.servers import GIVEN, WITHOUT, needed_program, started

FAMILIES = ("mariadb", "mysql")


@cache
def families() -> tuple[str, ...]:
    """Families of which there is a server here; in CI also those that should be, and whose tests then fail."""
    needed = os.environ.get("CI") == "true"
    return tuple(
        family
        for family in FAMILIES
        if GIVEN[family] or docker_answers() or found(family) or (needed and not WITHOUT.get(family))
    )


@dataclass(frozen=True)
class MySQLDatabase:
    """A database that exists for one test."""

    url: str
    name: str
    family: str

    def connect(self, **options: object) -> pymysql.Connection:
        url = make_url(self.url)
        given = {"user": url.username, "password": url.password or "", "database": self.name, "autocommit": True}
        socket = url.query.get("unix_socket")
        where = (
            {"unix_socket": socket, "ssl_disabled": True} if socket else {"host": url.host, "port": url.port or 3306}
        )
        return pymysql.connect(**where, **{**given, **options})

    def run(self, *statements: str) -> None:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def rows(self, statement: str) -> list[tuple]:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def dump(self) -> str:
        """The schema as the server writes it, without the ledger and Alembic's table."""
        tables = [(name, kind) for name, kind in self.rows("SHOW FULL TABLES") if not own(name)]
        found = [in_order(self.rows(f"SHOW CREATE TABLE `{name}`")[0][1]) for name, _ in tables]
        triggers = self.rows(
            "SELECT trigger_name, event_object_table, action_timing, event_manipulation, action_statement"
            " FROM information_schema.triggers WHERE trigger_schema = DATABASE() ORDER BY trigger_name"
        )
        found += [" ".join(row) for row in triggers if not own(row[1])]
        return re.sub(r" AUTO_INCREMENT=\d+", "", "\n".join(found))


def in_order(definition: str) -> str:
    """The text of a table with its indexes sorted by name: one that was built again stands at the end."""
    lines = [line.rstrip(",") for line in definition.splitlines()]
    keys = sorted(line for line in lines if re.match(r"\s+(UNIQUE )?KEY ", line))
    return "\n".join([line for line in lines if line not in keys] + keys)


def own(name: str) -> bool:
    return name.startswith("migrator_") or name == "alembic_version"


class MySQLFleet:
    """Servers of one worker, started when first asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self.stack = stack
        self.running: dict[str, str] = {}

    def url(self, family: str) -> str:
        """The URL of a server, without a database."""
        if family not in self.running:
            self.running[family] = self._start(family)
        return self.running[family]

    def _start(self, family: str) -> str:
        if GIVEN[family]:
            return str(GIVEN[family]).replace(f"{family}://", f"{family}+pymysql://")
        if docker_answers():
            return self.stack.enter_context(KINDS[family].container(""))
        address = self.stack.enter_context(started(needed_program(family)))
        return f"{family}+pymysql://root@localhost/?unix_socket={quote(address, safe='')}"


@pytest.fixture(scope="session")
def mysql_fleet() -> Iterator[MySQLFleet]:
    with ExitStack() as stack:
        yield MySQLFleet(stack)


@contextmanager
def fresh_mysql_database(fleet: MySQLFleet, family: str) -> Iterator[MySQLDatabase]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    url = make_url(fleet.url(family)).set(database=None)
    server = MySQLDatabase(url.render_as_string(hide_password=False), "", family)
    with closing(server.connect(database=None)) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    try:
        yield MySQLDatabase(url.set(database=name).render_as_string(hide_password=False), name, family)
    finally:
        with closing(server.connect(database=None)) as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture(params=FAMILIES)
def mysql_database(request: pytest.FixtureRequest, mysql_fleet: MySQLFleet) -> Iterator[MySQLDatabase]:
    """A fresh database on MariaDB, then on MySQL."""
    with fresh_mysql_database(mysql_fleet, request.param) as made:
        yield made


@pytest.fixture
def mariadb_database(mysql_fleet: MySQLFleet) -> Iterator[MySQLDatabase]:
    """A fresh database on MariaDB, for what is the same on both."""
    with fresh_mysql_database(mysql_fleet, "mariadb") as made:
        yield made
