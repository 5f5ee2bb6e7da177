"""Who goes where: shares as places in a row of buckets, and requests that go to a pool by what they carry."""

from __future__ import annotations

import hashlib
import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.rollouts.configuration import Configuration, fields_of, table, text
from migrator.rollouts.plan import Server
from migrator.setting_values import duration

BUCKETS = 1000
SAFE = ("GET", "HEAD")
METHODS = (*SAFE, "POST", "PUT", "PATCH", "DELETE")
"""Methods whose requests can be copied; those that are safe change nothing, and are copied without being asked for."""


@dataclass(frozen=True, slots=True)
class Route:
    """Requests that go to a pool before any share is asked.

    `by`: `header`, `cookie` or `source`. `name`: of header or cookie. `value`: what it has to be, or a network.
    """

    by: str
    name: str
    value: str
    pool: str


def token(value: object) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:/@+-]+", str(value)):
        raise ValueError(f"{value!r} has other characters than letters, digits and _.:/@+-")
    return str(value)


def listening(value: object) -> str:
    if not re.fullmatch(r"(\*|\[[0-9a-fA-F:]+\]|[A-Za-z0-9_.-]+):\d+", str(value)):
        raise ValueError(f"{value!r} is no address to listen at; write host:port, or *:port")
    return str(value)


def network(value: object) -> str:
    return str(ipaddress.ip_network(text(value)))


def routes(value: object) -> tuple[Route, ...]:
    """Read `[{ header = "x-canary", value = "always", pool = "green" }, { source = "10.0.0.0/8", pool = "green" }]`."""
    if not isinstance(value, list):
        raise ValueError('must be a list, as [{ header = "x-canary", value = "always", pool = "green" }]')
    readers = {"header": token, "cookie": token, "source": network, "value": token, "pool": text}
    found = []
    for item in value:
        given = fields_of("routes", table(item), readers)
        by = [key for key in ("header", "cookie", "source") if key in given]
        wanted = {*by, "pool"} | ({"value"} if by != ["source"] else set())
        if len(by) != 1 or set(given) != wanted:
            raise ValueError(f"each has a pool, and a header or cookie with its value, or a source; not {item!r}")
        kind = by[0]
        name, wants = ("", given[kind]) if kind == "source" else (given[kind], given["value"])
        found.append(Route(kind, name, wants, given["pool"]))
    return tuple(found)


COMMON = {
    "kind": text,
    "listen": listening,
    "cookie": token,
    "header": token,
    "routes": routes,
    "check_every": duration,
    "timeout": duration,
}
"""Settings of every target that we write a configuration for."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What configurations of all kinds are made of.

    Args:
        check: path that servers are asked whether they are ready.
        check_every: seconds between looks of the target at a server.
        cookie: names the cookie that tells users apart; who has none is divided request by request.
        header: names the header that does so instead; empty: none does.
        salt: mixed with who a user is; empty: nothing is.
        copied: methods of the requests that are copied.
    """

    application: str
    fleet: Sequence[Server]
    routes: Sequence[Route]
    listen: str
    cookie: str
    check: str
    check_every: float
    header: str = ""
    salt: str = ""
    copied: tuple[str, ...] = SAFE

    @property
    def pools(self) -> dict[str, list[Server]]:
        names = dict.fromkeys(server.pool for server in self.fleet)
        return {pool: [server for server in self.fleet if server.pool == pool] for pool in names}

    @property
    def first(self) -> str:
        """The pool that has all traffic where nothing else is said."""
        return self.fleet[0].pool


def layout(configuration: Configuration, given: Mapping[str, Any]) -> Layout:
    """What a configuration says of the common settings.

    Raises:
        ValueError: a route leads nowhere, or a name cannot be written into a configuration.
    """
    made = Layout(
        application=configuration.application,
        fleet=configuration.fleet,
        routes=given.get("routes", ()),
        listen=given.get("listen", "127.0.0.1:8080"),
        cookie=given.get("cookie", "uid"),
        check=re.sub(r"^[a-z]+://[^/]*", "", configuration.ready.url).format_map(_Braces()) or "/",
        check_every=float(given.get("check_every", 1.0)),
        header=given.get("header", ""),
        salt=token(configuration.ab.get("salt", "ab")) if configuration.strategy == "ab" else "",
        copied=tuple(method for method in METHODS if method in configuration.shadow.get("methods", SAFE)),
    )
    for name in (made.application, *made.pools, *(server.name for server in made.fleet)):
        if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
            raise ValueError(f"{name!r} has other characters than letters, digits and _.-")
    for route in made.routes:
        if route.pool not in made.pools:
            raise ValueError(f"a route leads to {route.pool}, which is no pool")
    return made


class _Braces(dict[str, str]):
    """Names in a path stay as they are."""

    def __missing__(self, key: str) -> str:
        return "{" + key + "}"


def in_order(shares: Mapping[str, float]) -> list[str]:
    """Pools as they follow each other in a row of buckets, so that who is in one stays there while it grows.

    The first one gets what the others leave; the second one grows from the lower end upwards, the third one from
    the upper end downwards, and so they never move each other's.
    """
    whole, *others = shares
    return [*others[0::2], whole, *reversed(others[1::2])]


def counts(shares: Mapping[str, float]) -> dict[str, int]:
    """Buckets by pool, in order. The first pool of the shares gets what rounding leaves."""
    found = {pool: round(shares[pool] * BUCKETS / 100) for pool in in_order(shares)}
    whole = next(iter(shares))
    found[whole] = BUCKETS - sum(count for pool, count in found.items() if pool != whole)
    return found


def buckets(shares: Mapping[str, float], salt: str = "") -> list[str]:
    """The pool of each bucket.

    Args:
        salt: brings the buckets into an order of its own, in which a share that grows keeps what it has, too.
    """
    row = [pool for pool, count in counts(shares).items() for _ in range(count)]
    if not salt:
        return row
    order = sorted(range(BUCKETS), key=lambda bucket: hashlib.sha256(f"{salt}/{bucket}".encode()).digest())
    pool_of = dict(zip(order, row, strict=True))
    return [pool_of[bucket] for bucket in range(BUCKETS)]


def differs(found: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    """Whether shares are others than those that were asked for, beyond rounding."""
    return any(abs(found.get(pool, 0) - wanted.get(pool, 0)) > 100 / BUCKETS for pool in {*found, *wanted})
