"""Database URLs: where the server listens, whether that is this machine, and the same URL through the proxy."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.errors import UsageError
from migrator.setting_values import normalise_url

if TYPE_CHECKING:
    from sqlalchemy import URL

PORTS = {"postgresql": 5432, "mysql": 3306, "mariadb": 3306}
WHERE = ("host", "port", "unix_socket", "hostaddr")
"""Parts of the query of a URL that say where the server is."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: a path of a socket, or host and port."""

    host: str = ""
    port: int = 0
    path: str = ""


def parsed(url: str) -> URL:
    from sqlalchemy import make_url

    return make_url(normalise_url(url))


def said(url: URL, name: str) -> str:
    value = url.query.get(name, "")
    return value if isinstance(value, str) else value[0]


def address(url: str) -> Address:
    """Where the server of a URL listens.

    Raises:
        UsageError: it names several, of which a proxy could be in front of one.
    """
    read = parsed(url)
    port = int(said(read, "port") or read.port or PORTS[read.get_backend_name()])
    if path := said(read, "unix_socket"):
        return Address(path=path)
    host = said(read, "hostaddr") or said(read, "host") or read.host or "127.0.0.1"
    if "," in host:
        raise UsageError(f"the database URL names several servers: {host}", next_step="name the one that is primary")
    return Address(path=f"{host}/.s.PGSQL.{port}") if host.startswith("/") else Address(host, port)


def through(url: str, port: int) -> str:
    """A URL whose connections go through a proxy on this machine."""
    read = parsed(url)
    moved = read.difference_update_query(WHERE).set(host="127.0.0.1", port=port)
    return moved.render_as_string(hide_password=False)


def place(url: str) -> str:
    """Which database a URL means, as an experiment names it: host/name."""
    found = address(url)
    return f"{'localhost' if found.path else found.host}/{parsed(url).database or ''}"


def local(found: Address) -> bool:
    """Whether a server listens on this machine and for this machine."""
    if found.path or found.host == "localhost":
        return True
    try:
        return ipaddress.ip_address(found.host).is_loopback
    except ValueError:
        return False


def refuse_foreign(url: str, named: str) -> None:
    """Refuse a database that is elsewhere and not named, or another one than is named.

    Args:
        named: host/name, as somebody wrote it for this experiment; empty: nobody did.

    Raises:
        UsageError: saying which database it is.
    """
    here = place(url)
    if named and named != here:
        raise UsageError(f"the experiment is meant for {named}, and the database URL names {here}")
    if not named and not local(address(url)):
        raise UsageError(
            f"{here} is not on this machine, and nobody said that it is there to be disturbed",
            next_step=f'a test database: database = "{here}" in the experiment, or --database {here}',
        )
