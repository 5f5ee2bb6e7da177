"""Servers and engines for the tests of what runs in applications."""

from __future__ import annotations

import sqlalchemy as sa

from tests.plugins.families import MYSQL, POSTGRESQL, named, servers

EVERY = [
    (kind, server)
    for kind, found in ((POSTGRESQL, servers(POSTGRESQL)[:1]), (MYSQL, servers(MYSQL)))
    for server in found
]
"""The newest PostgreSQL, MariaDB and MySQL, as parameters of `server_database`."""
NAMES = [named(*where) for where in EVERY]
ASYNC = {"psycopg": "psycopg", "pymysql": "aiomysql"}


def app_url(database: object, *, driver: str = "") -> sa.URL:
    """The URL that an application has, perhaps for another driver."""
    url = sa.make_url(database.url)
    return url.set(drivername=f"{url.get_backend_name()}+{driver}") if driver else url


def async_url(database: object) -> sa.URL:
    return app_url(database, driver=ASYNC[app_url(database).get_driver_name()])
