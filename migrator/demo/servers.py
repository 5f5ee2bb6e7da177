"""The servers that the demo can be played on, and what is said differently to each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from migrator.embedded import EmbeddedServer, newest_binaries
from migrator.embedded_mysql import EmbeddedMySQL, needed


@dataclass(frozen=True, slots=True)
class Stage:
    """A running server.

    Args:
        server: its name and version.
        url: of an empty database, as SQLAlchemy takes it.
        fill: INSERT of `{rows}` rows.
        analyse: brings the statistics up to date.
        wait_ms: the shortest wait for a lock that the server knows.
    """

    server: str
    url: str
    fill: str
    analyse: str
    wait_ms: int


class Start(Protocol):
    """Starts a server that goes away in the end."""

    def __call__(self) -> AbstractContextManager[Stage]: ...


@contextmanager
def postgresql() -> Iterator[Stage]:
    """The newest PostgreSQL of this machine."""
    with EmbeddedServer(newest_binaries(), {"fsync": "on"}) as server:
        fill = (
            "INSERT INTO users (full_name, email) SELECT 'User ' || i, 'user' || i || '@example.org'"
            " FROM generate_series(1, {rows}) AS i"
        )
        yield Stage(f"PostgreSQL {server.binaries.major}", server.url(), fill, "VACUUM ANALYZE users", 1)


FILLS = {
    "mariadb": "INSERT INTO users (full_name, email) SELECT CONCAT('User ', seq), CONCAT('user', seq, '@example.org')"
    " FROM seq_1_to_{rows}",
    "mysql": "INSERT /*+ SET_VAR(cte_max_recursion_depth = {rows}) */ INTO users (full_name, email)"
    " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {rows})"
    " SELECT CONCAT('User ', i), CONCAT('user', i, '@example.org') FROM n",
}


@contextmanager
def on_path(family: str) -> Iterator[Stage]:
    """The MariaDB or MySQL that is on the PATH."""
    program = needed(family)
    with EmbeddedMySQL(program) as server:
        yield Stage(str(program), server.create("shop"), FILLS[family], "ANALYZE TABLE users", 1000)


STARTS: Mapping[str, Start] = {"postgresql": postgresql, **{family: partial(on_path, family) for family in FILLS}}
