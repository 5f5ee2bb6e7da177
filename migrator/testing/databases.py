"""Databases for tests: each exists for one test, and begins as its template."""

from __future__ import annotations

import atexit
import uuid
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from typing import Any

from migrator.database import create_engine
from migrator.testing.defaults import skip_or_fail
from migrator.testing.servers import ServerMissing, Servers, kind_of

Fill = Callable[[str], None]
"""Is given the URL of an empty database, and puts into it what every test begins with."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database that exists for one test.

    Args:
        url: as SQLAlchemy takes it, with the driver: `postgresql+psycopg://…`.
        name: of the database.
        server: as it was asked for: `postgresql`, `postgresql-16`, `mysql`, `mariadb`.
    """

    url: str
    name: str
    server: str

    def execute(self, *statements: str) -> None:
        """Run SQL, each statement in a transaction of its own."""
        with committing(self.url) as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        with committing(self.url) as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]


@contextmanager
def committing(url: str) -> Iterator[Any]:
    """A connection whose every statement commits, and that no pool keeps."""
    made = create_engine(url, "migrator testing")
    with made.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT", no_parameters=True)
    made.dispose()


@dataclass(frozen=True, slots=True)
class Words:
    """What a kind of server is told about databases; `template` is what `{template}` is for an empty one."""

    create: str
    drop: tuple[str, ...]
    template: str = ""


POSTGRESQL = Words(
    "CREATE DATABASE {name} TEMPLATE {template}",
    (
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = '{name}'",
        "DROP DATABASE IF EXISTS {name}",
    ),
    "template0",
)
MYSQL = Words(
    "CREATE DATABASE {name} CHARACTER SET utf8mb4",
    ("SET SESSION lock_wait_timeout = 5", "DROP DATABASE IF EXISTS {name}"),
)
WORDS: Mapping[str, Words] = {"postgresql": POSTGRESQL, "mysql": MYSQL, "mariadb": MYSQL}


class Databases:
    """Makes databases on the servers of one process.

    PostgreSQL copies a template, which is filled once; MySQL and MariaDB copy nothing: there each database is filled.
    """

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.templates: dict[tuple[str, Hashable], str] = {}

    @contextmanager
    def fresh(self, server: str, fill: Fill | None = None, key: Hashable = None) -> Iterator[Database]:
        """A database that is gone afterwards.

        Args:
            fill: what every test begins with.
            key: names it; one template is made for each.

        Raises:
            ServerMissing: no server can be had.
        """
        words = WORDS[kind_of(server)[0]]
        admin = self.servers.url(server)
        template = words.template
        if fill is not None and template:
            template = self._template(server, admin, fill, key or fill)
        made = self._create(server, admin, "test", template)
        try:
            if fill is not None and not words.template:
                fill(made.url)
            yield made
        finally:
            self._drop(server, admin, made.name)

    def _template(self, server: str, admin: str, fill: Fill, key: Hashable) -> str:
        known = self.templates.get((server, key))
        if known is not None:
            return known
        made = self._create(server, admin, "template", WORDS[kind_of(server)[0]].template)
        try:
            fill(made.url)
        except BaseException:
            self._drop(server, admin, made.name)
            raise
        self.templates[server, key] = made.name
        return made.name

    def _create(self, server: str, admin: str, what: str, template: str) -> Database:
        from sqlalchemy import make_url

        name = f"migrator_{what}_{uuid.uuid4().hex[:12]}"
        with committing(admin) as connection:
            connection.exec_driver_sql(WORDS[kind_of(server)[0]].create.format(name=name, template=template))
        return Database(make_url(admin).set(database=name).render_as_string(hide_password=False), name, server)

    def _drop(self, server: str, admin: str, name: str) -> None:
        # A database that cannot be dropped spoils no test; its name says whose it was.
        with suppress(Exception), committing(admin) as connection:
            for statement in WORDS[kind_of(server)[0]].drop:
                connection.exec_driver_sql(statement.format(name=name))

    def close(self) -> None:
        """Drop the templates, and stop the servers that were started."""
        for (server, _), name in self.templates.items():
            with suppress(Exception):
                self._drop(server, self.servers.url(server), name)
        self.templates.clear()
        self.servers.close()


@cache
def shared() -> Databases:
    """Those of this process, closed at its end."""
    made = Databases(Servers())
    atexit.register(made.close)
    return made


@contextmanager
def fresh_database(server: str, fill: Fill | None = None, key: Hashable = None) -> Iterator[Database]:
    """A database for one test, which is skipped where there is no server, and fails in CI.

    Raises:
        ServerMissing: there is no server, and this is CI.
    """
    try:
        shared().servers.url(server)
    except ServerMissing as missing:
        skip_or_fail(missing.message, missing.next_step)
        raise
    with shared().fresh(server, fill, key) as made:
        yield made
