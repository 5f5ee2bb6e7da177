"""What nginx says for the pools of a configuration: a main file that stays, and an include that is replaced."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from migrator.rollouts.targets.routing import BUCKETS, SAFE, Layout, counts

STATE = "# migrator: "


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an include says. `states`: by server; `shares`: percent by pool, in the order that was asked for.

    `salt`: what users are divided by besides what they are told apart by.
    """

    states: Mapping[str, str]
    shares: Mapping[str, float]
    mirrored: Mapping[str, float] = field(default_factory=dict)
    salt: str = ""

    def text(self) -> str:
        return json.dumps(asdict(self))


def wanted_from(data: Mapping[str, Any]) -> Wanted:
    return Wanted(data["states"], data["shares"], data["mirrored"], data.get("salt", ""))


def initial(layout: Layout) -> Wanted:
    """All traffic to the first pool."""
    states = {server.name: "ready" if server.pool == layout.first else "maint" for server in layout.fleet}
    return Wanted(states, {pool: 100.0 if pool == layout.first else 0.0 for pool in layout.pools})


def upstream(pool: str) -> str:
    return f"migrator_{pool}"


def include(layout: Layout, wanted: Wanted, status: str) -> str:
    """The file that is replaced; its first line says what it was made of."""
    parts = [
        f"{STATE}{wanted.text()}",
        *(servers(layout, wanted, pool) for pool in layout.pools),
        unit(layout),
        share(wanted),
        routes(layout, wanted),
        copies(layout, wanted),
        "map $http_upgrade $migrator_connection {\n  default upgrade;\n  '' '';\n}",
        "server {\n  listen " + status + ";\n  default_type application/json;\n"
        "  location = /migrator {\n    access_log off;\n"
        f'    return 200 \'{{"worker": $pid, "wanted": {wanted.text()}}}\';\n  }}\n}}',
    ]
    return "\n".join(part for part in parts if part) + "\n"


def servers(layout: Layout, wanted: Wanted, pool: str) -> str:
    lines = [
        f"  server {server.address}{'' if wanted.states.get(server.name) == 'ready' else ' down'};"
        for server in layout.pools[pool]
    ]
    return "\n".join([f"upstream {upstream(pool)} {{", *lines, "  keepalive 16;", "}"])


def unit(layout: Layout) -> str:
    """What users are told apart by."""
    said = f"$http_{layout.header.lower().replace('-', '_')}" if layout.header else f"$cookie_{layout.cookie}"
    return f"map {said} $migrator_unit {{\n  '' $request_id;\n  default {said};\n}}"


def share(wanted: Wanted) -> str:
    rows = [(pool, count) for pool, count in counts(wanted.shares).items() if count]
    lines = [f"  {count * 100 / BUCKETS:.2f}% {upstream(pool)};" for pool, count in rows[:-1]]
    head = f'split_clients "{wanted.salt}$migrator_unit" $migrator_share {{'
    return "\n".join([head, *lines, f"  * {upstream(rows[-1][0])};", "}"])


def routes(layout: Layout, wanted: Wanted) -> str:
    """A chain of maps, of which the first that matches decides; those to a pool without a server are left out."""
    ready = {server.pool for server in layout.fleet if wanted.states.get(server.name) == "ready"}
    chain = [route for route in layout.routes if route.pool in ready]
    parts = []
    for number, route in enumerate(chain):
        later = f"$migrator_route_{number + 1}" if number + 1 < len(chain) else "$migrator_share"
        tested, value = f"$cookie_{route.name}", f"'~^{re.escape(route.value)}$'"
        if route.by == "header":
            tested = f"$http_{route.name.lower().replace('-', '_')}"
        elif route.by == "source":
            tested, value = f"$migrator_source_{number}", "1"
            parts.append(f"geo {tested} {{\n  default 0;\n  {route.value} 1;\n}}")
        chosen = f"  {value} {upstream(route.pool)};\n  default {later};"
        parts.append(f"map {tested} $migrator_route_{number} {{\n{chosen}\n}}")
    first = "$migrator_route_0" if chain else "$migrator_share"
    return "\n".join([*parts, f"map '' $migrator_pool {{\n  default {first};\n}}"])


def copies(layout: Layout, wanted: Wanted) -> str:
    lines = []
    for pool, percent in wanted.mirrored.items():
        if percent > 0:
            lines.append(f"  {f'{percent:.2f}%' if percent < 100 else '*'} {upstream(pool)};")
    if not any(percent >= 100 for percent in wanted.mirrored.values()):
        lines.append("  * '';")
    return "\n".join(
        [
            "split_clients $request_id $migrator_copied {",
            *lines,
            "}",
            "map $request_method $migrator_mirror {",
            *(f"  {method} $migrator_copied;" for method in layout.copied),
            "  default '';",
            "}",
        ]
    )


MAIN = """\
worker_processes auto;
events {
  worker_connections 1024;
}
http {
  access_log %(access_log)s;
  include %(include)s;
  server {
    listen %(listen)s;
    location / {
      mirror /migrator-mirror;
      mirror_request_body %(bodies)s;
      proxy_pass http://$migrator_pool;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $migrator_connection;
      proxy_connect_timeout 2s;
    }
    location = /migrator-mirror {
      internal;
      if ($migrator_mirror = '') {
        return 204;
      }
      proxy_pass http://$migrator_mirror$request_uri;
      proxy_http_version 1.1;
      proxy_pass_request_body %(bodies)s;
      proxy_set_header Host $http_host;
      proxy_set_header Connection '';
%(length)s\
      proxy_set_header X-Migrator-Mirror 1;
      # A slow copy keeps the next request of the same connection waiting.
      proxy_connect_timeout 300ms;
      proxy_read_timeout 300ms;
    }
  }
}
"""


def main(layout: Layout, include: str, access_log: str) -> str:
    writing = bool(set(layout.copied) - set(SAFE))
    return MAIN % {
        "include": include,
        "listen": layout.listen,
        "access_log": access_log or "off",
        "bodies": "on" if writing else "off",
        "length": "" if writing else "      proxy_set_header Content-Length '';\n",
    }
