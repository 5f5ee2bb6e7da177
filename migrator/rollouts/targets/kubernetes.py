"""Deployments of Kubernetes, through kubectl, which has the credentials.

Kubernetes itself replaces the pods of a Deployment, some at a time, drains those that
go, and sends requests to those that say they are ready. So a server here is a whole
Deployment, and a version is put on it in place: no share is set and nothing drained
by us.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from migrator.rollouts.configuration import Configuration, fields_of, text
from migrator.rollouts.targets.base import ServerState, Target, TargetFailed, TrafficState
from migrator.rollouts.targets.processes import run
from migrator.setting_values import duration

READERS = {
    "kind": text,
    "kubectl": text,
    "context": text,
    "namespace": text,
    "container": text,
    "image": text,
    "timeout": duration,
}
SPARE = 30.0
"""Seconds that kubectl may take besides those that it waits."""


class Kubernetes(Target):
    """Deployments, each a server of the one pool.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "kubernetes"
    can = frozenset({"start"})

    def __init__(self, configuration: Configuration) -> None:
        given = fields_of("the target", configuration.target, READERS)
        if "{version}" not in given.get("image", "") or "container" not in given:
            raise ValueError('needs container = "app" and image = "registry.example/shop:{version}"')
        self.pools = list(dict.fromkeys(place.pool for place in configuration.places))
        if len(self.pools) > 1:
            raise ValueError(f"Deployments are of one pool, and not of {', '.join(self.pools)}")
        words = [given.get("kubectl", "kubectl")]
        words += [f"--{name}={shlex.quote(given[name])}" for name in ("context", "namespace") if name in given]
        self.command = " ".join(words)
        self.image, self.container = given["image"], given["container"]
        self.names = [place.name for place in configuration.places]
        self.folder = configuration.folder
        self.timeout = float(given.get("timeout", 600.0))

    def look(self) -> TrafficState:
        servers = {}
        for name in self.names:
            found = self._deployment(name)
            state = "maint" if found["spec"].get("replicas", 1) == 0 else "ready"
            servers[name] = ServerState(self.pools[0], state, 0, whole(found))
        return TrafficState(servers, {self.pools[0]: 100.0})

    def start(self, server: str, version: str) -> None:
        """Have every pod of a Deployment replaced, and wait until all are available.

        Raises:
            TargetFailed: it is paused, has no probe, the image is one that changes, or not all become available.
        """
        image = self.image.replace("{version}", version)
        found = self._deployment(server)
        refuse(server, found, image, self._container(server, found))
        self._tell(f"set image deployment/{shlex.quote(server)} {self.container}={shlex.quote(image)}")
        seconds = round(self.timeout)
        self._tell(f"rollout status deployment/{shlex.quote(server)} --timeout={seconds}s", self.timeout)
        found = self._deployment(server)
        served = self._container(server, found).get("image")
        if served != image or not whole(found):
            raise TargetFailed(f"{server} was set to {image} and has {served}: does somebody else control it?")

    def _tell(self, what: str, seconds: float = 0.0) -> str:
        return run(f"{self.command} {what}", self.folder, seconds + SPARE)

    def _deployment(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._tell(f"get deployment {shlex.quote(name)} --output=json"))
        return found

    def _container(self, server: str, found: Mapping[str, Any]) -> Mapping[str, Any]:
        same = [part for part in found["spec"]["template"]["spec"]["containers"] if part["name"] == self.container]
        if not same:
            raise TargetFailed(f"{server} has no container {self.container}")
        container: Mapping[str, Any] = same[0]
        return container


def refuse(server: str, found: Mapping[str, Any], image: str, container: Mapping[str, Any]) -> None:
    """Raise why a Deployment is not given an image."""
    if image.endswith(":latest"):
        raise TargetFailed(f"{image} is another image tomorrow", next_step="name a version, best a digest")
    if found["spec"].get("paused"):
        raise TargetFailed(f"{server} is paused", next_step=f"kubectl rollout resume deployment/{server}")
    if found["spec"].get("strategy", {}).get("type", "RollingUpdate") != "RollingUpdate":
        raise TargetFailed(f"{server} stops all of its pods before it starts others", next_step="RollingUpdate")
    if "readinessProbe" not in container:
        raise TargetFailed(
            f"container {container['name']} of {server} has no readinessProbe",
            next_step="add one: without it a pod gets requests before it is ready",
        )
    alive = container.get("livenessProbe", {}).get("httpGet")
    if alive and alive == container["readinessProbe"].get("httpGet"):
        raise TargetFailed(
            f"livenessProbe and readinessProbe of {server} ask the same",
            next_step="let the livenessProbe ask a path that needs no database, or one that is down restarts every pod",
        )


def whole(found: Mapping[str, Any]) -> bool:
    """Whether all pods of a Deployment are of its newest kind, and available."""
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    current = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return current and counts == [wanted] * 3
