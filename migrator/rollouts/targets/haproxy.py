"""HAProxy, through its admin socket.

A pool is a backend. Which backend a request goes to is read from a map of a thousand
buckets, which is replaced in one commit: no request sees half of a change, and a share
that grows keeps who is in it. Measured facts behind the rules: HAProxy 2.6.12.

- `drain` keeps what a server works on; clients with a persistence cookie of it still
  reach it, so `remove` (maint) follows.
- A reload forgets states and maps: both are written to files that it starts from.
- An agent check undoes within its interval what the socket has set: it is silenced
  while a server is out of the traffic.
- The socket is the only place that is trusted: what was set is read back.
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from migrator.rollouts.configuration import Configuration, fields_of, table, text
from migrator.rollouts.targets.base import Connection, ServerState, Target, TargetFailed, TrafficState
from migrator.rollouts.targets.files import replace_file
from migrator.rollouts.targets.haproxy_config import Files, rendered
from migrator.rollouts.targets.routing import BUCKETS, COMMON, buckets, differs, layout

READERS = {
    **COMMON,
    "socket": text,
    "split_map": text,
    "mirror_map": text,
    "hold_map": text,
    "state_file": text,
    "backends": table,
}
STATES = {"drain": 0x08, "maint": 0x01}
"""Bits of `srv_admin_state` that an operator has set (management guide, `show servers state`)."""
AGENT_CONFIGURED, AGENT_HEARD = 0x02, 0x04
"""Bits of `srv_agent_state`."""
EVERY = 0.05


class HAProxy(Target):
    """A running HAProxy.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "haproxy"

    def __init__(self, configuration: Configuration) -> None:
        given = fields_of("the target", configuration.target, READERS)
        folder, fleet = configuration.folder, configuration.fleet
        if "socket" not in given:
            raise ValueError('does not say where the admin socket is: socket = "/run/haproxy/admin.sock"')
        self.address = given["socket"]
        self.folder = folder
        maps = {name: str(folder / given[name]) for name in ("split_map", "mirror_map", "hold_map") if name in given}
        self.split_map, self.mirror_map, self.hold_map = (
            maps.get(name, "") for name in ("split_map", "mirror_map", "hold_map")
        )
        self.state_file = folder / given["state_file"] if "state_file" in given else None
        self.timeout = float(given.get("timeout", 10.0))
        self.layout = layout(configuration, given)
        self.backends = {pool: str(given.get("backends", {}).get(pool, pool)) for pool in self.layout.pools}
        self.pools = {backend: pool for pool, backend in self.backends.items()}
        self.pool_of = {server.name: server.pool for server in fleet}
        able = {"split": self.split_map, "sticky": self.split_map, "mirror": self.mirror_map, "hold": self.hold_map}
        self.can = frozenset({"drain", "cut", "age"} | {what for what, using in able.items() if using})

    def files(self) -> Mapping[str, str]:
        address = self.address if self._port() is not None else str(self.folder / self.address)
        files = Files(address, self.split_map, self.mirror_map, self.hold_map, str(self.state_file or ""))
        return rendered(self.layout, self.backends, files, str(self.folder))

    def _port(self) -> tuple[str, int] | None:
        host, colon, port = self.address.rpartition(":")
        return (host, int(port)) if colon and port.isdigit() else None

    def ask(self, command: str) -> str:
        """Send one command; what it answers.

        Raises:
            TargetFailed: nobody listens there.
        """
        try:
            with self._connected() as connection:
                connection.sendall(command.encode() + b"\n")
                answer = b""
                while received := connection.recv(65536):
                    answer += received
        except OSError as problem:
            raise TargetFailed(
                f"HAProxy does not answer at {self.address}: {problem}",
                next_step="start it, or mend socket in [tool.migrator.rollout.target]",
            ) from None
        return answer.decode(errors="replace").strip()

    def _connected(self) -> socket.socket:
        port = self._port()
        if port is not None:
            return socket.create_connection(port, self.timeout)
        made = socket.socket(socket.AF_UNIX)
        made.settimeout(self.timeout)
        made.connect(str(self.folder / self.address))
        return made

    def tell(self, command: str) -> None:
        """Send a command that answers nothing where it was heeded."""
        said = self.ask(command)
        if said:
            raise TargetFailed(f"HAProxy refused `{command.splitlines()[0]}`: {said}")

    def look(self) -> TrafficState:
        servers = self._servers()
        found = self._map(self.split_map) if self.split_map else {}
        lost = sorted(set(found.values()) - set(self.pools))
        if lost:
            raise TargetFailed(
                f"{self.split_map} sends requests to {', '.join(lost)}, which is the backend of no pool",
                next_step="migrator rollout abort, or give the map the backends of the pools",
            )
        return TrafficState(servers, self._shares(), self._mirrored())

    def _servers(self) -> dict[str, ServerState]:
        busy = self._in_flight()
        servers = {}
        for name, row in self._rows().items():
            admin = int(row["srv_admin_state"])
            state = "maint" if admin & STATES["maint"] else "drain" if admin & STATES["drain"] else "ready"
            up = row["srv_op_state"] == "2"
            servers[name] = ServerState(self.pool_of[name], state, busy.get((row["be_name"], name), 0), up)
        missing = sorted(set(self.pool_of) - set(servers))
        if missing:
            raise TargetFailed(
                f"HAProxy has no server {', '.join(missing)} in the backend of its pool",
                next_step="add it to haproxy.cfg under the name that pools gives it: migrator rollout config",
            )
        return servers

    def _rows(self) -> dict[str, dict[str, str]]:
        """Our servers; a line with the version of the format and one with the names of the columns come first."""
        _, header, *lines = self.ask("show servers state").splitlines()
        names = header.lstrip("# ").split()
        rows = [dict(zip(names, line.split(), strict=False)) for line in lines if line]
        return {
            row["srv_name"]: row
            for row in rows
            if self.pool_of.get(row["srv_name"], "") == self.pools.get(row["be_name"])
        }

    def _in_flight(self) -> dict[tuple[str, str], int]:
        """Connections that servers work on: column `scur` of the statistics, found by its name."""
        header, *lines = self.ask("show stat").splitlines()
        names = header.lstrip("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=False)) for line in lines if line]
        return {(row["pxname"], row["svname"]): int(row["scur"] or 0) for row in rows}

    def _map(self, path: str) -> dict[str, str]:
        """What a map says; lines are an address, the key and the value."""
        rows = [line.split() for line in self.ask(f"show map {path}").splitlines()]
        return {row[1]: row[2] for row in rows if len(row) == 3}

    def _shares(self) -> dict[str, float]:
        if not self.split_map:
            return dict.fromkeys(list(self.backends)[:1], 100.0)
        values = list(self._map(self.split_map).values())
        return {pool: values.count(backend) * 100 / BUCKETS for pool, backend in self.backends.items()}

    def _mirrored(self) -> dict[str, float]:
        found = self._map(self.mirror_map) if self.mirror_map else {}
        return {self.pools.get(found["pool"], ""): int(found["share"]) * 100 / BUCKETS} if "pool" in found else {}

    def admit(self, server: str) -> None:
        self._set(server, "ready")
        self._until_up(server)
        self._agent(server, "enable")

    def drain(self, server: str) -> None:
        self._set(server, "drain")

    def remove(self, server: str) -> None:
        self._set(server, "maint")

    def cut(self, server: str) -> None:
        self.tell(f"shutdown sessions server {self._name(server)}")

    def connections(self, server: str) -> Sequence[Connection]:
        pool = self.backends[self.pool_of[server]]
        return list(sessions(self.ask("show sess"), pool, server))

    def close(self, connection: str) -> None:
        said = self.ask(f"shutdown session {connection}")
        if said and "No such session" not in said:
            raise TargetFailed(f"HAProxy does not end session {connection}: {said}")

    def _name(self, server: str) -> str:
        return f"{self.backends[self.pool_of[server]]}/{server}"

    def _set(self, server: str, state: str) -> None:
        self._servers()
        self._agent(server, "disable")
        self.tell(f"set server {self._name(server)} state {state}")
        found = self._servers()[server].state
        if found != state:
            raise TargetFailed(f"{server} was set to {state} and is {found}: does somebody else control it?")
        if self.state_file is not None:
            replace_file(self.state_file, self.ask("show servers state") + "\n")

    def _agent(self, server: str, verb: str) -> None:
        """Hear what the agent of a server says, or not; nothing where it has none."""
        said = int(self._rows()[server].get("srv_agent_state", 0))
        if said & AGENT_CONFIGURED and bool(said & AGENT_HEARD) != (verb == "enable"):
            self.tell(f"{verb} agent {self._name(server)}")

    def _until_up(self, server: str) -> None:
        deadline = time.monotonic() + self.timeout
        while not self._servers()[server].up:
            if time.monotonic() > deadline:
                raise TargetFailed(f"HAProxy does not call {server} up after {self.timeout:g} s: see its check")
            deadline += self.idle(EVERY)

    def split(self, shares: Mapping[str, float]) -> None:
        if not self.split_map:
            raise TargetFailed("nothing says which map divides the traffic", next_step='write split_map = "split.map"')
        wanted = {**shares, **{pool: 0.0 for pool in self.backends if pool not in shares}}
        self._replace(
            self.split_map, {str(n): self.backends[pool] for n, pool in enumerate(buckets(wanted, self.layout.salt))}
        )
        found = self._shares()
        if differs(found, wanted):
            raise TargetFailed(f"the traffic was split {wanted} and is {found}: does somebody else control it?")

    def mirror(self, pool: str, percent: float) -> None:
        if not self.mirror_map:
            raise self._unable("mirror requests to", pool)
        self._replace(self.mirror_map, {"pool": self.backends[pool], "share": str(round(percent * BUCKETS / 100))})
        found = self._mirrored()
        if differs(found, {pool: percent}):
            raise TargetFailed(f"{percent:g} % was to be mirrored to {pool} and it is {found}")

    def hold(self, seconds: float) -> None:
        """Let requests wait: they are told until when, so they go on even where nobody is left to let them."""
        if not self.hold_map:
            raise self._unable("hold", "requests")
        self._replace(self.hold_map, {"until": str(int((time.time() + seconds) * 1000) if seconds > 0 else 0)})

    def held(self) -> Mapping[str, float]:
        """As the script that holds them has counted; it says so when they have gone on."""
        time.sleep(2 * EVERY)
        found = self._map(self.hold_map) if self.hold_map else {}
        if "longest" not in found:
            return {}
        return {"held_requests": int(found["held"]), "held_seconds": int(found["longest"]) / 1000}

    def _replace(self, path: str, lines: Mapping[str, str]) -> None:
        """Replace a map, in the file that a reload reads first, then at once in the process.

        A run that was killed in between left a file that says what it wanted, and does all of this again.
        """
        said = self.ask(f"prepare map {path}")
        if not said.startswith("New version created:"):
            raise TargetFailed(f"HAProxy has no map {path}: {said}", next_step="migrator rollout config")
        replace_file(Path(path), "".join(f"{key} {value}\n" for key, value in lines.items()))
        version = said.split()[-1]
        rows = "\n".join(f"{key} {value}" for key, value in lines.items())
        self.tell(f"add map @{version} {path} <<\n{rows}\n")
        self.tell(f"commit map @{version} {path}")


def sessions(said: str, backend: str, server: str) -> Iterator[Connection]:
    """The sessions of a server, from the answer to `show sess`."""
    for line in said.splitlines():
        found = dict(word.split("=", 1) for word in line.split() if "=" in word)
        if (found.get("be"), found.get("srv")) == (backend, server) and "age" in found:
            yield Connection(line.split(":", 1)[0], seconds(found["age"]))


def seconds(age: str) -> float:
    """A duration as HAProxy writes it: `1m20s`, `2h3m`."""
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    return float(sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([dhms])", age)))
