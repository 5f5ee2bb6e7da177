"""The ledger statements that are written differently for each server family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from migrator.ledger import mysql, postgresql
from migrator.ledger.places import Place

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


class Writer(Protocol):
    """What each family answers."""

    def table_exists(self, connection: Connection, name: str) -> bool: ...
    def version(self, connection: Connection) -> int | None:
        """Version of the ledger, whoever opened the connection; None where there is none."""

    def columns(self, connection: Connection, name: str) -> set[str]:
        """Names of the columns of a table of the ledger."""

    def create(self, connection: Connection) -> None:
        """Create every table of the ledger, and what keeps its history."""

    def add(self, connection: Connection, tables: tuple[Table, ...]) -> None:
        """Create tables of a later version."""

    def hold_deployments(self, connection: Connection, *, exclusive: bool) -> None: ...
    def wait_longer(self, connection: Connection) -> None:
        """Wait for the end of the audit log as long as whoever holds it may take, where sessions wait less."""

    def identity(self, connection: Connection) -> tuple[str, int] | None: ...
    def server(self, connection: Connection) -> str: ...
    def role(self, connection: Connection) -> str: ...
    def place(self, connection: Connection) -> Place: ...


WRITERS: Mapping[str, Writer] = {
    "postgresql": postgresql.Ledger(),
    "mysql": mysql.Ledger(),
    "mariadb": mysql.Ledger(),
}


def of(connection: Connection) -> Writer:
    return WRITERS[connection.dialect.name]


def table_exists(connection: Connection, name: str) -> bool:
    """Whether the ledger has a table; asked once of each connection, for the ledger loses none."""
    seen: set[str] = connection.info.setdefault("migrator ledger tables", set())
    if name not in seen and of(connection).table_exists(connection, name):
        seen.add(name)
    return name in seen


def columns(connection: Connection, name: str) -> set[str]:
    return of(connection).columns(connection, name)


def version(connection: Connection) -> int | None:
    return of(connection).version(connection)


def create(connection: Connection) -> None:
    """Create every table, and what keeps history; where a killed run has begun to, go on."""
    of(connection).create(connection)


def add(connection: Connection, tables: tuple[Table, ...]) -> None:
    of(connection).add(connection, tables)


def hold_deployments(connection: Connection, *, exclusive: bool) -> None:
    """Keep deployments and contracts apart until the transaction ends."""
    of(connection).hold_deployments(connection, exclusive=exclusive)


def wait_longer(connection: Connection) -> None:
    of(connection).wait_longer(connection)


def identity(connection: Connection) -> tuple[str, int] | None:
    """Which server this is, and its timeline; None where it is not known, or does not matter."""
    return of(connection).identity(connection)


def server(connection: Connection) -> str:
    """Which server this is, for people; empty where it is not known."""
    return of(connection).server(connection)


def role(connection: Connection) -> str:
    """The user of the database that a session is of, as others see it."""
    return of(connection).role(connection)


def place(connection: Connection) -> Place:
    """Which database this is, as far as it says so."""
    return of(connection).place(connection)
