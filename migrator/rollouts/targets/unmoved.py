"""Servers whose traffic nobody moves: all that a strategy needs that touches no server."""

from __future__ import annotations

from migrator.rollouts.configuration import Configuration, fields_of, text
from migrator.rollouts.targets.base import ServerState, Target, TrafficState


class Unmoved(Target):
    """The first pool has all traffic.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "none"

    def __init__(self, configuration: Configuration) -> None:
        fields_of("the target", configuration.target, {"kind": text})
        self.fleet = configuration.fleet

    def look(self) -> TrafficState:
        servers = {server.name: ServerState(server.pool, "ready", 0, up=True) for server in self.fleet}
        return TrafficState(servers, {self.fleet[0].pool: 100.0})
