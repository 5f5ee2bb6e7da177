"""What kubectl needs of the API of Kubernetes for one Deployment, over plain HTTP, and what controllers make of it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PROBE = {"httpGet": {"path": "/ready", "port": 8000}}
NAME, GROUP = "shop", "/apis/apps/v1"
RESOURCES = {
    "/api": {"kind": "APIVersions", "versions": ["v1"]},
    "/api/v1": {"kind": "APIResourceList", "groupVersion": "v1", "resources": []},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {
                "name": "apps",
                "versions": [{"groupVersion": "apps/v1", "version": "v1"}],
                "preferredVersion": {"groupVersion": "apps/v1", "version": "v1"},
            }
        ],
    },
    GROUP: {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": "apps/v1",
        "resources": [
            {
                "name": "deployments",
                "singularName": "deployment",
                "namespaced": True,
                "kind": "Deployment",
                "verbs": ["get", "list", "patch", "watch"],
                "shortNames": ["deploy"],
            }
        ],
    },
}


def deployment(image):
    container = {"name": "app", "image": image, "readinessProbe": PROBE}
    template = {"metadata": {"labels": {"app": NAME}}, "spec": {"containers": [container]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": NAME, "namespace": "default", "generation": 1, "resourceVersion": "1", "uid": "u"},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": NAME}},
            "strategy": {"type": "RollingUpdate"},
            "progressDeadlineSeconds": 600,
            "template": template,
        },
        "status": {"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3},
    }


def image_of(found):
    return found["spec"]["template"]["spec"]["containers"][0]["image"]


def observed(found):
    """What a controller makes of it: a version that is bad never becomes available."""
    bad = ":bad" in image_of(found)
    done = (
        {"replicas": 4, "updatedReplicas": 1, "availableReplicas": 3}
        if bad
        else dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 3)
    )
    reason = "ProgressDeadlineExceeded" if bad else "NewReplicaSetAvailable"
    condition = {"type": "Progressing", "status": "False" if bad else "True", "reason": reason}
    found["status"] = {"observedGeneration": found["metadata"]["generation"], **done, "conditions": [condition]}
    found["metadata"]["resourceVersion"] = str(int(found["metadata"]["resourceVersion"]) + 1)


@contextmanager
def cluster(image):
    """Yields the address, the Deployment, and the images that it was given."""
    found, given = deployment(image), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            url = urlsplit(self.path)
            one = f"{GROUP}/namespaces/default/deployments"
            if url.path == f"{one}/{NAME}":
                self.say(found)
            elif url.path == one and parse_qs(url.query).get("watch"):
                self.say({"type": "MODIFIED", "object": found})
            elif url.path == one:
                version = {"resourceVersion": found["metadata"]["resourceVersion"]}
                self.say({"kind": "DeploymentList", "apiVersion": "apps/v1", "metadata": version, "items": [found]})
            else:
                known = RESOURCES.get(url.path)
                self.say(known or {"kind": "Status", "status": "Failure", "code": 404}, 200 if known else 404)

        def do_PATCH(self):
            patch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            container = patch["spec"]["template"]["spec"]["containers"][0]
            found["spec"]["template"]["spec"]["containers"][0].update(container)
            found["metadata"]["generation"] += 1
            given.append(container["image"])
            self.say(found)
            threading.Timer(0.1, observed, [found]).start()

        def say(self, what, code=200):
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
        yield f"http://127.0.0.1:{server.server_address[1]}", found, given
        server.shutdown()
