"""What kubectl needs of the API of Kubernetes for one workload, over plain HTTP, and what controllers make of it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PROBE = {"httpGet": {"path": "/ready", "port": 8000}}
NAME = "shop"
KINDS = {
    "Deployment": ("apps", "v1", "deployments"),
    "Rollout": ("argoproj.io", "v1alpha1", "rollouts"),
}
LATER = 0.05


def resources():
    """What the API says that it has."""
    found = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": []},
    }
    for kind, (group, version, plural) in KINDS.items():
        said = {"groupVersion": f"{group}/{version}", "version": version}
        found["/apis"]["groups"].append({"name": group, "versions": [said], "preferredVersion": said})
        verbs = ["get", "list", "patch", "watch"]
        one = {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
        found[f"/apis/{group}/{version}"] = {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}",
            "resources": [one, {**one, "name": f"{plural}/status"}],
        }
    return found


RESOURCES = resources()


def workload(kind, image, strategy, status):
    container = {"name": "app", "image": image, "readinessProbe": PROBE}
    group, version, _ = KINDS[kind]
    return {
        "apiVersion": f"{group}/{version}",
        "kind": kind,
        "metadata": {"name": NAME, "namespace": "default", "generation": 1, "resourceVersion": "1", "uid": "u"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": NAME}},
            "strategy": strategy,
            "progressDeadlineSeconds": 600,
            "template": {"metadata": {"labels": {"app": NAME}}, "spec": {"containers": [container]}},
        },
        "status": status,
    }


def deployment(image):
    status = {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3}
    return workload("Deployment", image, {"type": "RollingUpdate"}, status)


def image_of(found):
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


def observed(found):
    """What the controller of Deployments makes of one: a bad version never becomes available, a slow one halfway."""
    image, spec = image_of(found), found["spec"]
    done = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 3)
    reason = "NewReplicaSetAvailable"
    if ":bad" in image or ":slow" in image or spec.get("paused"):
        done = {"replicas": 4, "updatedReplicas": 1, "availableReplicas": 3}
        reason = "ProgressDeadlineExceeded" if ":bad" in image else "ReplicaSetUpdated"
    condition = {"type": "Progressing", "status": "True", "reason": reason}
    found["status"] = {"observedGeneration": found["metadata"]["generation"], **done, "conditions": [condition]}


def rollout(image, steps):
    routing = {"nginx": {"stableIngress": NAME}}
    canary = {"canaryService": "shop-canary", "stableService": "shop-stable", "trafficRouting": routing, "steps": steps}
    status = {"observedGeneration": "1", "stableRS": image, "currentPodHash": image, "availableReplicas": 3}
    return workload(
        "Rollout", image, {"canary": canary}, {**status, "phase": "Healthy", "currentStepIndex": len(steps)}
    )


class Argo:
    """The controller of Rollouts, as far as its steps go; `weights`: every share that the canary has had."""

    def __init__(self, found):
        self.seen = self.kind_of(found)
        self.weights = []

    @staticmethod
    def kind_of(found):
        return image_of(found), json.dumps(found["spec"]["strategy"]["canary"]["steps"])

    def __call__(self, found):
        status, steps = found["status"], found["spec"]["strategy"]["canary"]["steps"] or []
        status["observedGeneration"] = str(found["metadata"]["generation"])
        status["currentPodHash"] = image_of(found)
        if self.kind_of(found) != self.seen:
            self.seen = self.kind_of(found)
            status.update(currentStepIndex=0, pauseConditions=None, abort=False)
        elif status["currentStepIndex"] < len(steps) and not status.get("pauseConditions") and not status.get("abort"):
            status["currentStepIndex"] += "pause" in steps[status["currentStepIndex"]]
        if status["currentPodHash"] == status["stableRS"]:
            status.update(currentStepIndex=len(steps), phase="Healthy")
            self.weigh(status, 0)
        elif status.get("abort"):
            status.update(currentStepIndex=0, phase="Degraded", message="RolloutAborted")
            self.weigh(status, 0)
        elif ":bad" in image_of(found):
            status.update(phase="Degraded", message="ProgressDeadlineExceeded")
        else:
            self.walk(status, steps)

    def walk(self, status, steps):
        status["phase"] = "Progressing"
        while status["currentStepIndex"] < len(steps):
            step = steps[status["currentStepIndex"]]
            if "pause" in step:
                status.update(pauseConditions=[{"reason": "CanaryPauseStep"}], phase="Paused")
                return
            if "setWeight" in step:
                self.weigh(status, step["setWeight"])
            status["currentStepIndex"] += 1
        status.update(stableRS=status["currentPodHash"], phase="Healthy")
        self.weigh(status, 0)

    def weigh(self, status, share):
        status["canary"] = {"weights": {"canary": {"weight": share}, "stable": {"weight": 100 - share}}}
        if self.weights[-1:] != [share]:
            self.weights.append(share)


def merged(found, patch):
    """A merge patch, applied; and the strategic one that `kubectl set image` sends, whose list is of one container."""
    for key, value in patch.items():
        if value is None:
            found.pop(key, None)
        elif isinstance(value, dict):
            merged(found.setdefault(key, {}), value)
        elif key == "containers":
            found[key][0].update(value[0])
        else:
            found[key] = value


def patched(found, patch):
    """A JSON patch, applied."""
    for change in patch:
        *way, last = [part.replace("~1", "/") for part in change["path"].split("/")[1:]]
        place = found
        for part in way:
            place = place[int(part)] if isinstance(place, list) else place[part]
        if change["op"] == "test":
            assert place[last] == change["value"]
        else:
            place[last] = change["value"]


@contextmanager
def cluster(found, controller=observed):
    """Yields the address, and what was patched: images, and everything else."""
    group, version, plural = KINDS[found["kind"]]
    one, given, lock = f"/apis/{group}/{version}/namespaces/default/{plural}", [], threading.Lock()

    def reconcile():
        with lock:
            controller(found)
            found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            url = urlsplit(self.path)
            if url.path in (f"{one}/{NAME}", f"{one}/{NAME}/status"):
                self.say(found)
            elif url.path == one and parse_qs(url.query).get("watch"):
                self.say({"type": "MODIFIED", "object": found})
            elif url.path == one:
                version = {"resourceVersion": found["metadata"]["resourceVersion"]}
                self.say({"kind": "List", "apiVersion": "v1", "metadata": version, "items": [found]})
            else:
                known = RESOURCES.get(url.path)
                self.say(known or {"kind": "Status", "status": "Failure", "code": 404}, 200 if known else 404)

        def do_PATCH(self):
            patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with lock:
                before = image_of(found)
                (patched if isinstance(patch, list) else merged)(found, patch)
                found["metadata"]["generation"] += not self.path.split("?")[0].endswith("/status")
                given.append(image_of(found) if image_of(found) != before else patch)
            self.say(found)
            threading.Timer(LATER, reconcile).start()

        def say(self, what, code=200):
            with lock:
                body = json.dumps(what).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", given
        server.shutdown()
