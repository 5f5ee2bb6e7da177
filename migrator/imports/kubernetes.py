"""Deployments as `kubectl get deployments -o json` and `kubectl get replicasets -o json` print them.

An undo is a revision of its own with an old image, and so a deployment of its own. A ReplicaSet that still has pods is
live, whatever the newest one says.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from migrator.imports.reported import Faults, Given, Reported, moment, part, text

REVISION = "deployment.kubernetes.io/revision"
NAME, VERSION = "app.kubernetes.io/name", "app.kubernetes.io/version"
OF_MIGRATOR = "migrator/"
"""Prefix of annotations of the pod template that are meant for this: application, version, shape, survives."""
KINDS = ("Deployment", "ReplicaSet")
TOO_LATE = "ProgressDeadlineExceeded"


@dataclass(frozen=True, slots=True)
class Rolled:
    """One revision of a Deployment: pods that are wanted, there, and ready."""

    where: str
    data: Mapping[str, Any]
    owner: str
    key: str
    revision: int
    wanted: int
    there: int
    ready: int
    settled: bool
    failed: bool = False

    @property
    def status(self) -> str:
        if self.failed:
            return "failed"
        return "succeeded" if self.settled and self.ready == self.wanted else "started"


def reported(documents: Iterator[tuple[str, Any]], given: Given, faults: Faults) -> list[Reported]:
    """Deployments in documents, the older revision of each first."""
    groups: dict[str, list[Rolled]] = defaultdict(list)
    for where, document in documents:
        for place, item in items(where, document):
            try:
                one = rolled(place, item)
            except ValueError as problem:
                faults.add(place, problem)
            else:
                groups[one.owner].append(one)
    if not groups and not faults.found:
        faults.add("input", "neither a Deployment nor a ReplicaSet is in it")
    made = []
    for group in groups.values():
        for each, status in statuses(group):
            try:
                made.append(report(each, status, given))
            except ValueError as problem:
                faults.add(each.where, problem)
    return made


def items(where: str, document: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, or the one that is there."""
    if not isinstance(document, Mapping):
        return
    if isinstance(document.get("items"), list):
        for place, item in enumerate(document["items"]):
            yield from items(f"{where}: items[{place}]", item)
    elif document.get("kind") in KINDS:
        yield where, document


def rolled(where: str, data: Mapping[str, Any]) -> Rolled:
    meta, spec, status = part(data, "metadata"), part(data, "spec"), part(data, "status")
    revision = str(part(meta, "annotations").get(REVISION) or "")
    if not revision.isdigit():
        raise ValueError(f"annotation {REVISION} is missing")
    owner = meta
    if data["kind"] == "ReplicaSet":
        owners = [o for o in meta.get("ownerReferences") or () if part({"o": o}, "o").get("kind") == "Deployment"]
        if not owners:
            raise ValueError("no Deployment owns this ReplicaSet")
        owner = owners[0]
    uid, wanted = text(owner.get("uid"), "uid"), int(spec.get("replicas", 1) or 0)
    there, ready = int(status.get("replicas") or 0), int(status.get("readyReplicas") or 0)
    settled = int(status.get("observedGeneration") or 0) >= int(meta.get("generation") or 0) and there == wanted
    if data["kind"] == "Deployment":
        updated, available = int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0)
        settled = settled and updated == wanted == available
    late = any(
        condition.get("type") == "Progressing" and condition.get("reason") == TOO_LATE
        for condition in status.get("conditions") or ()
    )
    key = f"kubernetes:{uid}:{revision}"
    return Rolled(where, data, uid, key, int(revision), wanted, there, ready, settled, late)


def statuses(group: Sequence[Rolled]) -> Iterator[tuple[Rolled, str]]:
    """What becomes of the revisions of one Deployment, oldest first. One without pods is not live, and says nothing."""
    by_revision: dict[int, Rolled] = {}
    for item in group:
        # A ReplicaSet knows its own pods, a Deployment those of all.
        if item.revision not in by_revision or item.data["kind"] == "ReplicaSet":
            by_revision[item.revision] = item
    live = sorted((i for i in by_revision.values() if i.there or i.wanted), key=lambda item: item.revision)
    for item in live[:-1]:
        yield item, "succeeded"  # it was deployed, and is still there
    if live:
        beside = any(item.there for item in live[:-1])
        yield live[-1], "started" if beside and not live[-1].failed else live[-1].status


def report(item: Rolled, status: str, given: Given) -> Reported:
    """A deployment.

    Raises:
        ValueError: what is missing.
    """
    meta, template = part(item.data, "metadata"), part(part(item.data, "spec"), "template")
    labels = {**part(meta, "labels"), **part(part(template, "metadata"), "labels")}
    notes = {**part(meta, "annotations"), **part(part(template, "metadata"), "annotations")}
    containers = [c for c in part(template, "spec").get("containers") or () if isinstance(c, Mapping)]
    owners = [o.get("name") for o in meta.get("ownerReferences") or () if isinstance(o, Mapping)]
    name = owners[0] if item.data["kind"] == "ReplicaSet" and owners else meta.get("name")
    application = given.application or notes.get(f"{OF_MIGRATOR}application") or labels.get(NAME) or name
    image = next((str(c.get("image")) for c in containers if c.get("name") == application), "") or (
        str(containers[0].get("image")) if containers else ""
    )
    version = notes.get(f"{OF_MIGRATOR}version") or labels.get(VERSION) or tag(image)
    digest = re.search(r"@(\w+:[0-9a-f]+)$", image)
    return Reported(
        item.where,
        item.key,
        text(application, "name"),
        text(version, f'version (label {VERSION}, or a tag or digest of image "{image}")'),
        given.environment or "production",
        given.region,
        status,
        shape=notes.get(f"{OF_MIGRATOR}shape") or given.shape,
        survives=notes.get(f"{OF_MIGRATOR}survives") or given.survives,
        at=moment(meta.get("creationTimestamp")) if item.data["kind"] == "ReplicaSet" else None,
        digest=digest[1] if digest else None,
    )


def tag(image: str) -> str:
    """Tag of an image, or its digest; `latest` says nothing."""
    before, _, digest = image.partition("@")
    _, colon, found = before.rpartition(":")
    found = found if colon and "/" not in found else ""
    return found if found and found != "latest" else digest
