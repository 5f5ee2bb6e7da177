"""Rollouts of Argo Rollouts, through kubectl: its own verbs, as the patches that they are.

A Rollout has the version before and the one that comes beside each other, and divides the traffic among them by
its steps. The patches are those of its plugin (pkg/kubectl-argo-rollouts/cmd of argoproj/argo-rollouts): `abort` sets
`status.abort`, `promote` clears `status.pauseConditions`. It has no verb for a weight; that is a change of
`spec.strategy.canary.steps`, which the controller begins at the first one. So the first step says what is set already,
and the last one waits. A change of the steps takes an abort back: after one the image is changed first.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from migrator.rollouts.configuration import Configuration
from migrator.rollouts.targets.base import Asked, ServerState, Target, TargetFailed, TrafficState, nobody_asks
from migrator.rollouts.targets.kubectl import Kubectl, refuse_emptiness, refuse_pods

STEPS = "/spec/strategy/canary/steps"
OWN_STEPS = "migrator/steps"
"""Annotation with the steps that the Rollout had before ours."""
Found = Mapping[str, Any]


class ArgoRollouts(Target):
    """One Rollout: the server of the first pool is its stable version, that of a second one its canary.

    Raises:
        ValueError: a setting is wrong.
    """

    kind = "argo-rollouts"

    def __init__(self, configuration: Configuration) -> None:
        self.kubectl = Kubectl(configuration.target, configuration.folder, "rollouts.argoproj.io")
        servers = [(server.pool, server.name) for server in configuration.fleet]
        if len({pool for pool, _ in servers}) != len(servers) or len(servers) > 2:
            raise ValueError("a Rollout is one server in one pool, and its canary one in a second pool")
        self.name = servers[0][1]
        self.pools = [pool for pool, _ in servers]
        self.servers = {name: pool for pool, name in servers}
        self.can = frozenset({"start", "split"} if len(servers) == 2 else {"start"})

    def look(self) -> TrafficState:
        found = self._get()
        up, state = bool(found["status"].get("availableReplicas")), "ready"
        servers = {name: ServerState(pool, state, 0, up) for name, pool in self.servers.items()}
        if len(self.pools) == 1:
            return TrafficState(servers, {self.pools[0]: 100.0})
        canary = weight(found)
        return TrafficState(servers, {self.pools[0]: 100.0 - canary, self.pools[1]: canary})

    def admit(self, server: str) -> None:
        """Nothing: what a Rollout has is in its traffic by its weight."""

    def start(self, server: str, version: str, asked: Asked = nobody_asks) -> None:
        """Put a version beside the one that is live, without traffic; or have it be the one that is live.

        Raises:
            TargetFailed: somebody has paused it, it has no probe or nothing that divides its traffic, the image is one
                that changes, it does not become healthy, or somebody asks for an abort.
        """
        image, found = self.kubectl.image(version), self._get()
        place, container = self.kubectl.own_container(self.name, found)
        refuse(self.name, found, container, shares=len(self.pools) == 2)
        set_image = [
            {"op": "test", "path": f"/spec/template/spec/containers/{place}/name", "value": container["name"]},
            {"op": "replace", "path": f"/spec/template/spec/containers/{place}/image", "value": image},
        ]
        if self.servers[server] == self.pools[0]:
            if container.get("image") != image:
                self.kubectl.patch(self.name, "json", set_image)
            self._until(self._promoted, asked, f"{image} is not what is live")
            self._give_back_steps()
        elif container.get("image") != image or not beside(found):
            self.kubectl.patch(self.name, "json", [*set_image, *own_steps(found), steps_set(0, 0)])
            if found["status"].get("abort"):  # the same steps again would leave it aborted
                self.kubectl.patch(self.name, "merge", {"status": {"abort": False}}, "status")
            self._until(lambda now: waiting(now) and weight(now) == 0, asked, f"no pod of {image} is there")

    def split(self, shares: Mapping[str, float]) -> None:
        """Give the canary a share; no share at all is an abort.

        Raises:
            TargetFailed: it is not in whole percents, or the controller does not set it.
        """
        wanted, found = shares.get(self.pools[1], 0.0), self._get()
        if wanted != int(wanted):
            raise TargetFailed(f"a Rollout has whole percents, and not {wanted:g}")
        if promoted(found):
            if wanted:
                raise TargetFailed(f"{self.name} has no version beside the one that is live")
            return
        if not wanted:
            if not found["status"].get("abort"):
                self.kubectl.patch(self.name, "merge", {"status": {"abort": True}}, "status")
            self._until(lambda now: weight(now) == 0, nobody_asks, "the canary still has traffic", aborting=True)
            return
        if weight(found) != wanted or not waiting(found):
            self.kubectl.patch(self.name, "json", [steps_set(int(weight(found)), int(wanted))])
        set_so = f"the canary does not have {wanted:g} %"
        self._until(lambda now: waiting(now) and weight(now) == wanted, nobody_asks, set_so)

    def _promoted(self, found: Found) -> bool:
        """Whether the newest template is what is live; ends waits that are ours, as `promote` does."""
        if not promoted(found) and waiting(found) and OWN_STEPS in noted(found):
            self.kubectl.patch(self.name, "merge", {"status": {"pauseConditions": None}}, "status")
        return promoted(found) and found["status"].get("phase") == "Healthy"

    def _give_back_steps(self) -> None:
        """Put the steps back that the Rollout had; of one that is promoted the controller does none of them."""
        kept = noted(self._get()).get(OWN_STEPS)
        if kept is not None:
            spec = {"strategy": {"canary": {"steps": json.loads(kept)}}}
            self.kubectl.patch(self.name, "merge", {"metadata": {"annotations": {OWN_STEPS: None}}, "spec": spec})

    def _until(self, done: Callable[[Found], bool], asked: Asked, what: str, *, aborting: bool = False) -> None:
        end = time.monotonic() + self.kubectl.timeout
        while not (observed(found := self._get()) and done(found)):
            status = found["status"]
            if asked() == "abort":
                raise TargetFailed(f"{self.name} was left on its way: abort")
            if observed(found) and not aborting and status.get("phase") == "Degraded":
                raise TargetFailed(f"{self.name} is degraded: {status.get('message', 'nobody says why')}")
            if time.monotonic() > end:
                said = status.get("message", status.get("phase", ""))
                raise TargetFailed(f"{what} within {self.kubectl.timeout:g} s: {said}")
            time.sleep(self.kubectl.every)

    def _get(self) -> dict[str, Any]:
        found = self.kubectl.get(self.name)
        found.setdefault("status", {})
        return found


def refuse(name: str, found: Found, container: Found, *, shares: bool) -> None:
    """Raise why a Rollout is not given an image."""
    spec = found["spec"]
    if spec.get("paused"):
        raise TargetFailed(f"{name} is paused", next_step=f"kubectl argo rollouts promote {name}")
    canary = spec["strategy"].get("canary")
    if shares and not (canary or {}).get("trafficRouting"):
        raise TargetFailed(
            f"{name} has no trafficRouting, so its shares are numbers of pods, which are more than a step may be",
            next_step="add one; or a rolling rollout, with one pool",
        )
    if canary is not None:
        refuse_emptiness(name, found, canary, 1)
    refuse_pods(name, container)


def own_steps(found: Found) -> list[dict[str, Any]]:
    """What keeps the steps of somebody else beside the Rollout, unless they are kept already."""
    if OWN_STEPS in noted(found):
        return []
    kept = json.dumps(found["spec"]["strategy"]["canary"].get("steps"))
    path = f"/metadata/annotations/{OWN_STEPS.replace('/', '~1')}"
    there = [] if noted(found) else [{"op": "add", "path": "/metadata/annotations", "value": {}}]
    return [*there, {"op": "add", "path": path, "value": kept}]


def steps_set(former: int, wanted: int) -> dict[str, Any]:
    """What sets a weight: pods first, then traffic, then a wait; begins with what is set."""
    begin = {"setWeight": former} if former else {"setCanaryScale": {"replicas": 1}}
    grow = [{"setCanaryScale": {"weight": wanted}}] if wanted else []
    return {"op": "add", "path": STEPS, "value": [begin, *grow, {"setWeight": wanted}, {"pause": {}}]}


def noted(found: Found) -> Found:
    """Its annotations."""
    return found["metadata"].get("annotations") or {}


def observed(found: Found) -> bool:
    """Whether the controller has seen the Rollout as it is; it says so in text."""
    return str(found["status"].get("observedGeneration", "")) == str(found["metadata"].get("generation", ""))


def promoted(found: Found) -> bool:
    status = found["status"]
    return bool(status.get("stableRS")) and status.get("stableRS") == status.get("currentPodHash")


def beside(found: Found) -> bool:
    """Whether there is a canary, and nobody has aborted it."""
    return not promoted(found) and not found["status"].get("abort") and waiting(found)


def waiting(found: Found) -> bool:
    """Whether the Rollout is at its last step, and waits there."""
    steps = found["spec"]["strategy"].get("canary", {}).get("steps") or []
    status = found["status"]
    return bool(status.get("pauseConditions")) and status.get("currentStepIndex") == len(steps) - 1


def weight(found: Found) -> float:
    """The share of the canary, as the controller has set it."""
    if promoted(found):
        return 0.0
    weights = found["status"].get("canary", {}).get("weights") or {}
    return float(weights.get("canary", {}).get("weight", 0))
