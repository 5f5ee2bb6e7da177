"""MySQL and MariaDB servers of the tests' own, on a socket, with nothing on disk that lasts."""

from __future__ import annotations

import contextlib
import os
from urllib.parse import urlsplit

import pymysql
import pytest

from migrator.embedded_mysql import PROGRAMS, EmbeddedMySQL, found
from migrator.own_server import fast_folder
from migrator.testing.servers import QUICK, VARIABLES

GIVEN = {name: os.environ.get(VARIABLES[name]) for name in ("mysql", "mariadb")}
WITHOUT = {"mysql": os.environ.get("MIGRATOR_TEST_NO_MYSQL")}
"""Why there is none of a kind. Both are read before a test has its clean environment."""


def needed_program(name):
    """The server's program. Without one a test is skipped; in CI it fails, unless a reason was given."""
    program = found(name)
    if program is None:
        reason = WITHOUT.get(name)
        missing = pytest.fail if os.environ.get("CI") == "true" and not reason else pytest.skip
        missing(reason or f"no {PROGRAMS[name]} on the PATH, and {VARIABLES[name]} is not set")
    return program


@contextlib.contextmanager
def connection_to(name):
    """A connection to the server that a variable names, or to one that is started; skips where there is neither."""
    url = GIVEN[name]
    if url:
        given = urlsplit(url)
        with closing_connection(
            host=given.hostname, port=given.port or 3306, user=given.username, password=given.password or ""
        ) as connection:
            yield connection
        return
    with (
        started(needed_program(name)) as address,
        closing_connection(unix_socket=address, user="root") as connection,
    ):
        yield connection


@contextlib.contextmanager
def closing_connection(**arguments):
    connection = pymysql.connect(autocommit=True, **arguments)
    try:
        yield connection
    finally:
        connection.close()


@contextlib.contextmanager
def started(program, settings=None):
    """A server with a directory of its own that nothing of lasts; the socket it listens on.

    `settings` beat those it has anyway.
    """
    with EmbeddedMySQL(program, {**QUICK, **(settings or {})}, fast_folder()) as server:
        yield str(server.address)
