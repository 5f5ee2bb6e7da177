"""Envoy, through files that it watches and its admin port.

Servers and shares are files that Envoy takes up as soon as they are renamed into their
folder, and starts from: a restart forgets nothing. The admin port says what the process
has made of them, which is what is read back, and what every change starts from.
Measured facts behind the rules: Envoy 1.40.

- Shares are weights of clusters, read from the runtime. What somebody sets by
  `/runtime_modify` goes before the file: it is seen by `look`, and taken off by a change.
- A server that is set to DRAINING gets no request and keeps what it has. Envoy has
  no verb that ends connections: the server does, when it is stopped.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from migrator.rollouts.configuration import Configuration, fields_of, text
from migrator.rollouts.targets import envoy_config as written
from migrator.rollouts.targets.base import ServerState, Target, TargetFailed, TrafficState
from migrator.rollouts.targets.files import read_file, replace_file
from migrator.rollouts.targets.routing import BUCKETS, COMMON, differs, layout, token

READERS = {**COMMON, "admin": token, "directory": text}
STATES = {health: state for state, health in written.HEALTH.items()}
EVERY = 0.05


class Envoy(Target):
    """A running Envoy, whose files are on this machine.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "envoy"
    can = frozenset({"drain", "split", "sticky", "mirror"})

    def __init__(self, configuration: Configuration) -> None:
        given = fields_of("the target", configuration.target, READERS)
        if "directory" not in given:
            raise ValueError('does not say which folder Envoy watches: directory = "/etc/envoy/migrator"')
        self.directory = (configuration.folder / given["directory"]).absolute()
        self.admin = given.get("admin", "127.0.0.1:9901")
        self.timeout = float(given.get("timeout", 10.0))
        self.layout = layout(configuration, given)
        if any(route.by == "source" for route in self.layout.routes):
            raise ValueError("routes: Envoy is not told sources here; use a header or a cookie")
        self.fleet = {server.name: server for server in configuration.fleet}

    def files(self) -> Mapping[str, str]:
        states = {name: "ready" if server.pool == self.layout.first else "maint" for name, server in self.fleet.items()}
        shares = {pool: 100.0 if pool == self.layout.first else 0.0 for pool in self.layout.pools}
        made = {
            "envoy.json": written.bootstrap(self.layout, self.admin, str(self.directory)),
            str(self.directory / written.RUNTIME): written.runtime(
                {**written.weights(self.layout, shares), **self._routed(states)}
            ),
        }
        for pool in self.layout.pools:
            made[str(self._endpoints(pool))] = self._written(pool, states)
        return made

    def _endpoints(self, pool: str) -> Path:
        return Path(self.directory, written.endpoints_file(pool))

    def _written(self, pool: str, states: Mapping[str, str]) -> str:
        return written.endpoints(pool, self.layout.pools[pool], states)

    def _routed(self, states: Mapping[str, str]) -> dict[str, int]:
        """Whether routes to a pool are heeded: while one of its servers has traffic."""
        ready = {server.pool for name, server in self.fleet.items() if states.get(name) == "ready"}
        return {f"{written.ROUTE}.{pool}": 100 if pool in ready else 0 for pool in self.layout.pools}

    def _ask(self, path: str, *, change: bool = False) -> Any:
        try:
            request = urllib.request.Request(f"http://{self.admin}{path}", method="POST" if change else "GET")
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                content = answer.read()
            return None if change else json.loads(content)
        except (OSError, ValueError) as problem:
            raise TargetFailed(
                f"Envoy does not answer at {self.admin}: {problem}",
                next_step="start it, or mend admin in [tool.migrator.rollout.target]",
            ) from None

    def look(self) -> TrafficState:
        values = self._values()
        weights = {pool: values.get(f"{written.SPLIT}.{pool}", 0) for pool in self.layout.pools}
        whole = sum(weights.values()) or BUCKETS
        shares = {pool: weight * 100 / whole for pool, weight in weights.items()}
        mirrored = {pool: float(values.get(f"{written.MIRROR}.{pool}", 0)) for pool in self.layout.pools}
        return TrafficState(self._servers(), shares, {pool: share for pool, share in mirrored.items() if share})

    def _layers(self) -> tuple[dict[str, int], list[str]]:
        """What our layer of the runtime says, and which of its keys somebody has set by the admin port."""
        found = self._ask("/runtime?format=json")
        place = found["layers"].index("migrator")
        rows = {key: row["layer_values"] for key, row in found["entries"].items() if key.startswith("migrator.")}
        own = {key: int(values[place]) for key, values in rows.items() if values[place] != ""}
        return own, [key for key, values in rows.items() if any(values[place + 1 :])]

    def _values(self) -> dict[str, int]:
        """What is at work of the runtime."""
        found = self._ask("/runtime?format=json")["entries"]
        return {key: int(row["final_value"]) for key, row in found.items() if key.startswith("migrator.")}

    def _servers(self) -> dict[str, ServerState]:
        servers = {}
        for cluster in self._ask("/clusters?format=json").get("cluster_statuses", []):
            for row in cluster.get("host_statuses", []):
                name, health = row.get("hostname", ""), row.get("health_status", {})
                if name not in self.fleet or self.fleet[name].pool != cluster["name"]:
                    continue
                stats = {stat["name"]: int(stat.get("value", 0)) for stat in row.get("stats", [])}
                state = STATES.get(health.get("eds_health_status", "HEALTHY"), "ready")
                up = state == "ready" and not health.get("failed_active_health_check", False)
                servers[name] = ServerState(cluster["name"], state, stats.get("rq_active", 0), up)
        missing = sorted(set(self.fleet) - set(servers))
        if missing:
            raise TargetFailed(
                f"Envoy has no server {', '.join(missing)} in the cluster of its pool",
                next_step=f"migrator rollout config --into FOLDER, and see the files in {self.directory}",
            )
        return servers

    def admit(self, server: str) -> None:
        self._state(server, "ready")
        self._until(lambda: self._servers()[server].up, f"Envoy does not call {server} up: see its check")

    def drain(self, server: str) -> None:
        self._state(server, "drain")

    def remove(self, server: str) -> None:
        self._state(server, "maint")

    def _state(self, server: str, state: str) -> None:
        pool = self.fleet[server].pool
        states = {**{name: found.state for name, found in self._servers().items()}, server: state}
        with Kept(self._endpoints(pool), self._written(pool, states)):
            self._until(lambda: self._servers()[server].state == state, f"{server} was set to {state} and is not")
        self._runtime(self._routed(states))

    def split(self, shares: Mapping[str, float]) -> None:
        wanted = {**dict.fromkeys(self.layout.pools, 0.0), **{pool: float(share) for pool, share in shares.items()}}
        self._runtime(written.weights(self.layout, {**shares, **wanted}))
        found = self.look().shares
        if differs(found, wanted):
            raise TargetFailed(f"the traffic was split {wanted} and is {dict(found)}: does somebody else control it?")

    def mirror(self, pool: str, percent: float) -> None:
        if percent != round(percent):
            raise TargetFailed(f"Envoy mirrors whole percents here, and not {percent:g}")
        keys = {f"{written.MIRROR}.{name}": 0 for name in self.layout.pools}
        self._runtime({**keys, f"{written.MIRROR}.{pool}": round(percent)})

    def _runtime(self, changes: Mapping[str, int]) -> None:
        """Set values of the runtime, and wait until they are at work."""
        own, foreign = self._layers()
        foreign = [key for key in foreign if key in changes]
        content = written.runtime({**own, **changes})
        with Kept(self.directory / written.RUNTIME, content):
            if foreign:
                self._ask("/runtime_modify?" + urllib.parse.urlencode(dict.fromkeys(foreign, "")), change=True)
            self._until(
                lambda: changes.items() <= self._values().items(),
                f"Envoy has not taken up {self.directory / written.RUNTIME}: does it watch that folder?",
            )

    def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + self.timeout
        while not holds():
            if time.monotonic() > deadline:
                raise TargetFailed(f"{otherwise} (after {self.timeout:g} s)")
            deadline += self.idle(EVERY)


class Kept:
    """A file with another content, which it keeps if all goes well."""

    def __init__(self, path: Path, content: str) -> None:
        self.path, self.content = path, content
        self.former = read_file(path)

    def __enter__(self) -> None:
        replace_file(self.path, self.content)

    def __exit__(self, kind: object, problem: object, trace: object) -> None:
        if isinstance(problem, TargetFailed):
            with suppress(TargetFailed):  # the first problem is the one to tell
                replace_file(self.path, self.former)
