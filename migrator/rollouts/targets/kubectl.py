"""kubectl, which has the credentials; and what of a workload's pods has to hold before they get another image."""

from __future__ import annotations

import json
import math
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from migrator.rollouts.configuration import Readers, fields_of, text
from migrator.rollouts.targets.base import TargetFailed
from migrator.rollouts.targets.processes import run
from migrator.setting_values import duration


def yes_or_no(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


READERS: Readers = {
    "kind": text,
    "kubectl": text,
    "context": text,
    "namespace": text,
    "container": text,
    "image": text,
    "timeout": duration,
    "check_every": duration,
    "mutable_tags": yes_or_no,
}
SPARE = 30.0
"""Seconds that kubectl may take besides those that it waits."""
MUTABLE = {"latest", "main", "master", "dev", "develop", "edge", "nightly", "stable", "prod", "production", "staging"}
"""Tags that by custom are moved to other images."""


class Kubectl:
    """kubectl with the settings of a target.

    Args:
        resource: what is spoken of, as kubectl names it.

    Raises:
        ValueError: a setting is wrong.
    """

    def __init__(self, data: Mapping[str, Any], folder: Path, resource: str) -> None:
        given = fields_of("the target", data, READERS)
        if "{version}" not in given.get("image", "") or "container" not in given:
            raise ValueError('needs container = "app" and image = "registry.example/shop:{version}"')
        words = [given.get("kubectl", "kubectl")]
        words += [f"--{name}={shlex.quote(given[name])}" for name in ("context", "namespace") if name in given]
        self.command, self.folder, self.resource = " ".join(words), folder, resource
        self.container = given["container"]
        self.template = given["image"]
        self.timeout = float(given.get("timeout", 600.0))
        self.every = float(given.get("check_every", 1.0))
        self.mutable_tags = given.get("mutable_tags", False)

    def image(self, version: str) -> str:
        """The image of a version.

        Raises:
            TargetFailed: its tag is one that is moved to other images.
        """
        made: str = self.template.replace("{version}", version)
        tag = tag_of(made)
        if tag in MUTABLE and not self.mutable_tags:
            raise TargetFailed(
                f"{made} is another image tomorrow: what runs, and what is gone back to, would be anybody's guess",
                next_step="name a version, best a digest; or mutable_tags = true",
            )
        return made

    def tell(self, what: str, seconds: float = 0.0) -> str:
        """Run a command of kubectl; what it printed.

        Raises:
            TargetFailed: it fails.
        """
        return run(f"{self.command} {what}", self.folder, seconds + SPARE)

    def get(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.tell(f"get {self.resource} {shlex.quote(name)} --output=json"))
        return found

    def patch(self, name: str, kind: str, patch: object, subresource: str = "") -> None:
        """Change a resource: `kind` is `merge` or `json`."""
        where = f" --subresource={subresource}" if subresource else ""
        said = shlex.quote(json.dumps(patch))
        self.tell(f"patch {self.resource} {shlex.quote(name)}{where} --type={kind} --patch={said}")

    def own_container(self, name: str, found: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        """The container that gets the image, and its place."""
        containers = found["spec"].get("template", {}).get("spec", {}).get("containers", [])
        for place, container in enumerate(containers):
            if container["name"] == self.container:
                return place, container
        raise TargetFailed(f"{name} has no container {self.container}")


def tag_of(image: str) -> str:
    """The tag of an image; `latest` where it says none, empty where a digest says which it is."""
    last = image.rpartition("/")[2]
    if "@" in last:
        return ""
    return last.partition(":")[2] or "latest"


def room(replicas: int, rolling: Mapping[str, Any], default: str | int = "25%") -> tuple[int, int]:
    """How many pods more, and how many fewer, there may be during an update.

    Shares are rounded as Kubernetes does: surge up, unavailable down; where nothing is left of either, one may be away.

    Args:
        rolling: the part of the strategy with maxSurge and maxUnavailable.
        default: what holds for one that is not given.
    """
    surge = scaled(rolling.get("maxSurge", default), replicas, up=True)
    unavailable = scaled(rolling.get("maxUnavailable", default), replicas, up=False)
    return surge, unavailable if surge or unavailable else 1


def scaled(value: str | int, replicas: int, *, up: bool) -> int:
    share = re.fullmatch(r"(\d+)%", str(value))
    if not share:
        return int(value)
    exact = int(share[1]) * replicas / 100
    return math.ceil(exact) if up else math.floor(exact)


def refuse_pods(name: str, container: Mapping[str, Any]) -> None:
    """Refuse pods that would get requests too early, or would all be restarted by a slow database.

    Raises:
        TargetFailed: with what to add.
    """
    if "readinessProbe" not in container:
        raise TargetFailed(
            f"container {container['name']} of {name} has no readinessProbe",
            next_step="add one: without it a pod gets requests before it is ready",
        )
    alive = container.get("livenessProbe", {}).get("httpGet")
    if alive and alive == container["readinessProbe"].get("httpGet"):
        raise TargetFailed(
            f"livenessProbe and readinessProbe of {name} ask the same",
            next_step="let the livenessProbe ask a path that needs no database, or one that is down restarts every pod",
        )


def refuse_emptiness(name: str, found: Mapping[str, Any], rolling: Mapping[str, Any], default: str | int) -> None:
    """Refuse an update during which no pod at all need be available.

    Raises:
        TargetFailed: with what the numbers come to.
    """
    replicas = found["spec"].get("replicas", 1)
    surge, unavailable = room(replicas, rolling, default)
    if 0 < replicas <= unavailable:
        raise TargetFailed(
            f"of the {replicas} pods of {name}, {unavailable} may be away during an update: none need be left"
            f" (maxSurge comes to {surge})",
            next_step="maxSurge: 1, maxUnavailable: 0",
        )
