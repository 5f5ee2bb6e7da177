"""HAProxy, through its admin socket.

A pool is a backend. Which backend a request goes to is read from a map of a thousand
buckets, which is replaced in one commit: no request sees half of a change, and a share
that grows keeps who is in it. Measured facts behind the rules: HAProxy 2.6.12.

- `drain` keeps what a server works on; clients with a persistence cookie of it still
  reach it, so `remove` (maint) follows.
- A reload forgets states and maps: both are written to files that it starts from.
- The socket is the only place that is trusted: what was set is read back.
"""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from migrator.rollouts.configuration import fields_of, table, text
from migrator.rollouts.plan import Place
from migrator.rollouts.targets.base import ServerState, TargetFailed, TrafficState
from migrator.setting_values import duration

BUCKETS = 1000
READERS = {
    "kind": text,
    "socket": text,
    "split_map": text,
    "state_file": text,
    "backends": table,
    "timeout": duration,
}
STATES = {"ready": 0, "drain": 0x08, "maint": 0x01}
"""Bits of `srv_admin_state` that an operator has set (management guide, `show servers state`)."""


class HAProxy:
    """A running HAProxy.

    Args:
        data: `[tool.migrator.rollout.target]`.
        places: the servers that it should know.
        folder: what its files are relative to.

    Raises:
        ValueError: a setting is wrong.
    """

    can = frozenset({"drain", "split", "sticky"})

    def __init__(self, data: Mapping[str, Any], places: tuple[Place, ...], folder: Path) -> None:
        given = fields_of("the target", data, READERS)
        if "socket" not in given:
            raise ValueError('does not say where the admin socket is: socket = "/run/haproxy/admin.sock"')
        self.address = given["socket"]
        self.folder = folder
        self.split_map = str(folder / given["split_map"]) if "split_map" in given else ""
        self.state_file = folder / given["state_file"] if "state_file" in given else None
        self.timeout = float(given.get("timeout", 10.0))
        pools = dict.fromkeys(place.pool for place in places)
        self.backends = {pool: str(given.get("backends", {}).get(pool, pool)) for pool in pools}
        self.pools = {backend: pool for pool, backend in self.backends.items()}
        self.pool_of = {place.name: place.pool for place in places}

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
        host, colon, port = self.address.rpartition(":")
        if colon and port.isdigit():
            return socket.create_connection((host, int(port)), self.timeout)
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
        busy = self._in_flight()
        servers = {}
        for row in self._rows():
            name, pool = row["srv_name"], self.pools.get(row["be_name"], "")
            if self.pool_of.get(name) != pool:
                continue
            admin = int(row["srv_admin_state"])
            state = "maint" if admin & STATES["maint"] else "drain" if admin & STATES["drain"] else "ready"
            servers[name] = ServerState(pool, state, busy.get((row["be_name"], name), 0), row["srv_op_state"] == "2")
        missing = sorted(set(self.pool_of) - set(servers))
        if missing:
            raise TargetFailed(
                f"HAProxy has no server {', '.join(missing)} in the backend of its pool",
                next_step="add it to haproxy.cfg under the name that pools gives it",
            )
        return TrafficState(servers, self._shares())

    def _rows(self) -> list[dict[str, str]]:
        """The servers; a line with the version of the format and one with the names of the columns come first."""
        _, header, *lines = self.ask("show servers state").splitlines()
        names = header.lstrip("# ").split()
        return [dict(zip(names, line.split(), strict=False)) for line in lines if line]

    def _in_flight(self) -> dict[tuple[str, str], int]:
        """Connections that servers work on: column `scur` of the statistics, found by its name."""
        header, *lines = self.ask("show stat").splitlines()
        names = header.lstrip("# ").split(",")
        rows = [dict(zip(names, line.split(","), strict=False)) for line in lines if line]
        return {(row["pxname"], row["svname"]): int(row["scur"] or 0) for row in rows}

    def _shares(self) -> dict[str, float]:
        if not self.split_map:
            return dict.fromkeys(list(self.backends)[:1], 100.0)
        found = dict.fromkeys(self.backends, 0)
        for line in self.ask(f"show map {self.split_map}").splitlines():
            words = line.split()
            if len(words) == 3 and words[2] in self.pools:
                found[self.pools[words[2]]] += 1
        return {pool: count * 100 / BUCKETS for pool, count in found.items()}

    def admit(self, server: str) -> None:
        self._set(server, "ready")
        self._until_up(server)

    def drain(self, server: str) -> None:
        self._set(server, "drain")

    def remove(self, server: str) -> None:
        self._set(server, "maint")

    def cut(self, server: str) -> None:
        self.tell(f"shutdown sessions server {self._name(server)}")

    def _name(self, server: str) -> str:
        return f"{self.backends[self.pool_of[server]]}/{server}"

    def _set(self, server: str, state: str) -> None:
        self.tell(f"set server {self._name(server)} state {state}")
        found = self.look().servers[server].state
        if found != state:
            raise TargetFailed(f"{server} was set to {state} and is {found}: does somebody else control it?")
        self._keep()

    def _until_up(self, server: str) -> None:
        deadline = time.monotonic() + self.timeout
        while not self.look().servers[server].up:
            if time.monotonic() > deadline:
                raise TargetFailed(f"HAProxy does not call {server} up after {self.timeout:g} s: see its check")
            time.sleep(0.05)

    def split(self, shares: Mapping[str, float]) -> None:
        if not self.split_map:
            raise TargetFailed("nothing says which map divides the traffic", next_step='write split_map = "split.map"')
        lines = buckets({self.backends[pool]: share for pool, share in shares.items()})
        self._write(Path(self.split_map), "".join(f"{line}\n" for line in lines))
        said = self.ask(f"prepare map {self.split_map}")
        if not said.startswith("New version created:"):
            raise TargetFailed(f"HAProxy has no map {self.split_map}: {said}", next_step="use it in haproxy.cfg")
        version = said.split()[-1]
        self.tell(f"add map @{version} {self.split_map} <<\n" + "\n".join(lines) + "\n")
        self.tell(f"commit map @{version} {self.split_map}")
        found = self._shares()
        wanted = {**dict.fromkeys(self.backends, 0.0), **shares}
        if any(abs(found[pool] - wanted[pool]) > 100 / BUCKETS for pool in self.backends):
            raise TargetFailed(f"the traffic was split {wanted} and is {found}: does somebody else control it?")

    def mirror(self, pool: str, percent: float) -> None:
        raise TargetFailed(f"HAProxy mirrors {percent:g} % to {pool} through a script of its own only")

    def _keep(self) -> None:
        """Write the states to where a reload reads them."""
        if self.state_file is not None:
            self._write(self.state_file, self.ask("show servers state") + "\n")

    def _write(self, path: Path, content: str) -> None:
        """Replace a file at once: a reload in between reads the former one, or the whole of this one."""
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "w") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
            Path(name).chmod(mode)
            Path(name).replace(path)
        except OSError:
            with suppress(OSError):
                Path(name).unlink()
            raise


def buckets(shares: Mapping[str, float]) -> list[str]:
    """Lines of the map, in which who is in a backend stays there while its share grows.

    Args:
        shares: percent by backend. The first one gets what the others leave; the second one grows from the
            lowest bucket upwards, the third one from the highest downwards, and so they never move each other's.
    """
    whole, *others = shares
    names = [whole] * BUCKETS
    for number, name in enumerate(others):
        count = round(shares[name] * BUCKETS / 100)
        places = range(BUCKETS) if number % 2 == 0 else range(BUCKETS - 1, -1, -1)
        for place in [place for place in places if names[place] == whole][:count]:
            names[place] = name
    return [f"{number} {name}" for number, name in enumerate(names)]
