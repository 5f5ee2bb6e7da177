"""Deployments of Kubernetes, through kubectl.

Kubernetes itself replaces the pods of a Deployment, some at a time, drains those that
go, and sends requests to those that say they are ready. So a server here is a whole
Deployment, and a version is put on it in place: no share is set and nothing drained
by us.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from typing import Any

from migrator.rollouts.configuration import Configuration
from migrator.rollouts.targets.base import Asked, ServerState, Target, TargetFailed, TrafficState, nobody_asks
from migrator.rollouts.targets.kubectl import Kubectl, refuse_emptiness, refuse_pods

PAUSED = "migrator/paused"
"""Annotation of a Deployment that is paused because somebody paused its rollout."""


class Kubernetes(Target):
    """Deployments, each a server of the one pool.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "kubernetes"
    can = frozenset({"start"})

    def __init__(self, configuration: Configuration) -> None:
        self.kubectl = Kubectl(configuration.target, configuration.folder, "deployment")
        self.pools = list(dict.fromkeys(server.pool for server in configuration.fleet))
        if len(self.pools) > 1:
            raise ValueError(f"Deployments are of one pool, and not of {', '.join(self.pools)}")
        self.names = [server.name for server in configuration.fleet]

    def look(self) -> TrafficState:
        servers = {}
        for name in self.names:
            found = self.kubectl.get(name)
            state = "maint" if found["spec"].get("replicas", 1) == 0 else "ready"
            servers[name] = ServerState(self.pools[0], state, 0, whole(found))
        return TrafficState(servers, {self.pools[0]: 100.0})

    def start(self, server: str, version: str, asked: Asked = nobody_asks) -> None:
        """Have every pod of a Deployment replaced, and wait until all are available.

        While somebody asks for a pause it is paused where it is. An abort is heard at once.

        Raises:
            TargetFailed: somebody else has paused it, it has no probe, the image is one that changes, it would be
                left without a pod, not all become available, or somebody asks for an abort.
        """
        image, found = self.kubectl.image(version), self._let_go(server)
        _, container = self.kubectl.own_container(server, found)
        refuse(server, found, container)
        self.kubectl.tell(f"set image deployment/{shlex.quote(server)} {container['name']}={shlex.quote(image)}")
        found = self._followed(server, asked)
        served = self.kubectl.own_container(server, found)[1].get("image")
        if served != image:
            raise TargetFailed(f"{server} was set to {image} and has {served}: does somebody else control it?")

    def _followed(self, server: str, asked: Asked) -> dict[str, Any]:
        """The Deployment once all of its pods are new and available."""
        end, paused = time.monotonic() + self.kubectl.timeout, False
        while True:
            found, wish = self.kubectl.get(server), asked()
            if (wish == "pause") != paused and not (wish == "pause" and whole(found)):
                paused = wish == "pause"
                self._pause(server, paused)
            if wish == "abort":
                raise TargetFailed(f"{server} was left while its pods were replaced: abort")
            if whole(found):
                return found
            if problem := stuck(found):
                raise TargetFailed(f"{server} {problem}")
            if time.monotonic() > end:
                raise TargetFailed(f"{server} is not complete within {self.kubectl.timeout:g} s: {counted(found)}")
            time.sleep(self.kubectl.every)
            end += self.kubectl.every if paused else 0.0

    def _let_go(self, server: str) -> dict[str, Any]:
        """The Deployment; one that a controller before us had paused, which was killed then, is let go on."""
        found = self.kubectl.get(server)
        if PAUSED in (found["metadata"].get("annotations") or {}):
            self._pause(server, False)
            found = self.kubectl.get(server)
        return found

    def _pause(self, server: str, paused: bool) -> None:
        """What `kubectl rollout pause` and `resume` do, and a note that it was us."""
        noted = {"metadata": {"annotations": {PAUSED: "true" if paused else None}}, "spec": {"paused": paused or None}}
        self.kubectl.patch(server, "merge", noted)


def refuse(server: str, found: Mapping[str, Any], container: Mapping[str, Any]) -> None:
    """Raise why a Deployment is not given an image."""
    if found["spec"].get("paused"):
        raise TargetFailed(f"{server} is paused", next_step=f"kubectl rollout resume deployment/{server}")
    strategy = found["spec"].get("strategy", {})
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        raise TargetFailed(f"{server} stops all of its pods before it starts others", next_step="RollingUpdate")
    refuse_emptiness(server, found, strategy.get("rollingUpdate", {}), "25%")
    refuse_pods(server, container)


def whole(found: Mapping[str, Any]) -> bool:
    """Whether all pods of a Deployment are of its newest kind, and available."""
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    current = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    return current and counts == [wanted] * 3


def stuck(found: Mapping[str, Any]) -> str:
    """Why a Deployment makes no progress; empty where it does, or may."""
    status = found.get("status", {})
    if status.get("observedGeneration", 0) < found["metadata"].get("generation", 0):
        return ""
    for condition in status.get("conditions", ()):
        if condition["type"] == "Progressing" and condition.get("reason") == "ProgressDeadlineExceeded":
            return f"exceeded its progress deadline: {counted(found)}"
    return ""


def counted(found: Mapping[str, Any]) -> str:
    status, wanted = found.get("status", {}), found["spec"].get("replicas", 1)
    updated, available = (status.get(name, 0) for name in ("updatedReplicas", "availableReplicas"))
    return f"{updated} of {wanted} pods are of the version, {available} of all are available"
