"""Any other platform: one command per verb, told by its environment what to do, and `look`, which prints JSON.

    {"servers": {"s1": {"state": "ready", "in_flight": 0, "up": true}}, "shares": {"blue": 100, "green": 0}}

Exit code 0: done. What was done is read back by `look`, as with every other target.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Mapping
from typing import Any

from migrator.rollouts.configuration import Configuration, fields_of, text
from migrator.rollouts.targets.base import ServerState, Target, TargetFailed, TrafficState
from migrator.rollouts.targets.processes import run
from migrator.rollouts.targets.routing import differs
from migrator.setting_values import duration

VERBS = ("look", "admit", "drain", "remove", "cut", "split", "mirror", "hold")
STATES = ("ready", "drain", "maint")
EVERY = 0.1
FORM = '{"servers": {"NAME": {"state": "ready", "in_flight": 0, "up": true}}, "shares": {"POOL": 100}}'


class Shell(Target):
    """A platform behind commands.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "shell"

    def __init__(self, configuration: Configuration) -> None:
        readers: dict[str, Callable[[object], Any]] = {"kind": text, "timeout": duration, "sticky": switch}
        given = fields_of("the target", configuration.target, {**readers, **dict.fromkeys(VERBS, text)})
        self.commands = {verb: given[verb] for verb in VERBS if verb in given}
        if "look" not in self.commands:
            raise ValueError('does not say what prints where the traffic goes: look = "./platform look"')
        self.folder = configuration.folder
        self.timeout = float(given.get("timeout", 60.0))
        self.fleet = {server.name: server for server in configuration.fleet}
        self.pools = list(dict.fromkeys(server.pool for server in configuration.fleet))
        able = {"cut", "split", "mirror", "hold"} & self.commands.keys()
        if {"admit", "drain", "remove"} <= self.commands.keys():
            able |= {"drain"}
        self.can = frozenset(able | ({"sticky"} if given.get("sticky") else set()))

    def _tell(self, verb: str, **told: str) -> str:
        if verb not in self.commands:
            raise self._unable(verb, told.get("server", "anything"))
        ours = {f"MIGRATOR_{name.upper()}": value for name, value in told.items()}
        return run(self.commands[verb], self.folder, self.timeout, {**os.environ, "MIGRATOR_VERB": verb, **ours})

    def look(self) -> TrafficState:
        said = self._tell("look")
        try:
            return self._read(json.loads(said))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise TargetFailed(
                f"`{self.commands['look']}` does not print what it should: {problem!r} in {said.strip()[:200]!r}",
                next_step=FORM,
            ) from None

    def _read(self, said: Mapping[str, Any]) -> TrafficState:
        servers = {}
        for name, server in self.fleet.items():
            row = said["servers"][name]
            if row["state"] not in STATES:
                raise ValueError(f"{name} is {row['state']}, not one of {', '.join(STATES)}")
            servers[name] = ServerState(server.pool, row["state"], int(row["in_flight"]), bool(row["up"]))
        given = said["shares"] if "split" in self.commands else said.get("shares", {self.pools[0]: 100})
        shares = {pool: float(given.get(pool, 0)) for pool in self.pools}
        return TrafficState(servers, shares, {pool: float(part) for pool, part in said.get("mirrored", {}).items()})

    def admit(self, server: str) -> None:
        self._state("admit", server, "ready")
        deadline = time.monotonic() + self.timeout
        while not self.look().servers[server].up:
            if time.monotonic() > deadline:
                raise TargetFailed(f"{server} is not up after {self.timeout:g} s, says `{self.commands['look']}`")
            deadline += self.idle(EVERY)

    def drain(self, server: str) -> None:
        self._state("drain", server, "drain")

    def remove(self, server: str) -> None:
        self._state("remove", server, "maint")

    def cut(self, server: str) -> None:
        self._tell("cut", **self._named(server))

    def _named(self, server: str) -> dict[str, str]:
        own = self.fleet[server]
        return {"server": server, "pool": own.pool, "address": own.address}

    def _state(self, verb: str, server: str, wanted: str) -> None:
        self._tell(verb, **self._named(server))
        found = self.look().servers[server].state
        if found != wanted:
            raise TargetFailed(f"{server} is {found} after `{self.commands[verb]}`, and should be {wanted}")

    def split(self, shares: Mapping[str, float]) -> None:
        wanted = {pool: float(share) for pool, share in shares.items()}
        wanted.update({pool: 0.0 for pool in self.pools if pool not in shares})
        single = {f"share_{re.sub(r'[^A-Za-z0-9]', '_', pool)}": f"{share:g}" for pool, share in wanted.items()}
        self._tell("split", shares=json.dumps(wanted), **single)
        found = self.look().shares
        if differs(found, wanted):
            raise TargetFailed(f"the traffic was split {wanted} and is {dict(found)}: does somebody else control it?")

    def mirror(self, pool: str, percent: float) -> None:
        self._tell("mirror", pool=pool, percent=f"{percent:g}")
        found = self.look().mirrored
        if differs(found, {pool: percent}):
            raise TargetFailed(f"{percent:g} % was to be mirrored to {pool} and it is {dict(found)}")

    def hold(self, seconds: float) -> None:
        self._tell("hold", seconds=f"{seconds:g}")


def switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value
