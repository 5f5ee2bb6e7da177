"""One suite for servers of every family: PostgreSQL in all its versions, MariaDB and MySQL.

What is said to a server is data, by the kind of SQL it speaks; what is done and checked is the same for all.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

import migrator
from phases.dialects.mysql_limits import SUPPORTED
from tests.plugins.applications import Application, Shape
from tests.plugins.mysql_applications import MySQLApplication
from tests.plugins.mysql_servers import MySQLDatabase, MySQLFleet, families, fresh_mysql_database
from tests.plugins.servers import WANTED, Database, Fleet, fresh_database, missing, versions

POSTGRESQL, MYSQL = "postgresql", "mysql"
"""Kinds of SQL. The second is spoken by MariaDB as well."""

AnyDatabase = Database | MySQLDatabase


@dataclass(frozen=True)
class Suite:
    """What a suite says to servers of one kind.

    Args:
        cases: by name; those of one name say the same, in the words of their servers.
        everywhere: cases that all servers of this kind run, because these differ there or because it matters most;
            at the others they take turns.
        absent: cases of the other kinds that there are none of here, each with the reason.
    """

    cases: Mapping[str, object]
    everywhere: Collection[str] = ()
    absent: Mapping[str, str] = field(default_factory=dict)


def servers(kind: str) -> tuple[object, ...]:
    """The servers of a kind that can be had here, newest version first; None stands for what is missing."""
    found: tuple[object, ...] = versions() if kind == POSTGRESQL else families()
    return found or (None,)


def combinations(suites: Mapping[str, Suite]) -> list[object]:
    """Servers and cases, as parameters of a test."""
    return [
        pytest.param((kind, server), case, id=f"{named(kind, server)}-{case}")
        for kind, suite in suites.items()
        for number, case in enumerate(suite.cases)
        for place, server in enumerate(servers(kind))
        if WANTED or case in suite.everywhere or number % len(servers(kind)) == place
    ]


def named(kind: str, server: object) -> str:
    return f"pg{server or ''}" if kind == POSTGRESQL else str(server or kind)


def kind_of(database: AnyDatabase) -> str:
    return MYSQL if isinstance(database, MySQLDatabase) else POSTGRESQL


def unexplained(suites: Mapping[str, Suite]) -> list[str]:
    """Cases of PostgreSQL that are not run elsewhere, with no reason given, and reasons for what is run.

    An operation that the other servers refuse by name needs no more of a reason: the refusal says it.
    """
    postgresql, other = suites[POSTGRESQL], suites[MYSQL]
    lacking = [
        name
        for name, case in postgresql.cases.items()
        if name not in other.cases and name not in other.absent and SUPPORTED.issuperset(operations(case))
    ]
    lacking += [name for name in other.cases if name not in postgresql.cases and name not in postgresql.absent]
    outdated = [name for suite in suites.values() for name in suite.absent if name in suite.cases]
    return lacking + outdated


def operations(case: object) -> set[str]:
    """Names of the operations of a case."""
    text = case.operation  # type: ignore[attr-defined]
    named = {name for name in migrator.__all__ if f"{name}(" in text}
    return named - {"Column", "Migration"}


def application(
    database: AnyDatabase,
    name: str,
    shape: Shape,
    connections: int = 2,
    *,
    every: bool = False,
    in_place: bool = False,
) -> Application:
    """One version of an application, speaking to servers of this kind as their users do.

    Args:
        every: rows get other keys, too.
        in_place: a server builds the table again in place meanwhile.
    """
    if isinstance(database, MySQLDatabase):
        return MySQLApplication(database, name, shape, connections, every=every, in_place=in_place)
    return Application(database.plain_url, name, shape, connections)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let MariaDB and MySQL take turns at what is marked `in_turn`."""
    here = families()
    if WANTED or len(here) < 2:
        return
    left_out = [item for item in items if item.get_closest_marker("in_turn") and not has_its_turn(item, here)]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def has_its_turn(item: pytest.Item, here: Sequence[str]) -> bool:
    family = getattr(item, "callspec", None) and item.callspec.params.get("mysql_database")
    if family is None:
        return True
    same_on_both = re.sub(r"\b(mariadb|mysql)\b", "", item.nodeid)
    return here[zlib.crc32(same_on_both.encode()) % len(here)] == family


@pytest.fixture
def server_database(request: pytest.FixtureRequest, fleet: Fleet, mysql_fleet: MySQLFleet) -> Iterator[AnyDatabase]:
    """A fresh database on the server that is asked for, as `combinations` names it."""
    kind, server = request.param
    if kind == MYSQL:
        with fresh_mysql_database(mysql_fleet, server) as made:
            yield made
        return
    if server is None:
        missing("no PostgreSQL server: set MIGRATOR_TEST_URL, or install one")
    with fresh_database(fleet.server(server)) as made:
        yield made
