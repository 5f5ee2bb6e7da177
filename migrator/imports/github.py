"""Deployments as GitHub gives them: of the REST and GraphQL interfaces, and what a webhook is sent.

- REST: `deployment` objects, each with its `statuses` beside it;
- GraphQL: `repository.deployments.nodes` with `databaseId`, `environment`, `commitOid`, `latestStatus`;
- webhook `deployment_status`: `deployment`, `deployment_status`, `repository`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from migrator.imports.reported import Faults, Given, Reported, moment, part, text

STATES = {
    "success": "succeeded",
    "active": "succeeded",
    "failure": "failed",
    "error": "failed",
    "in_progress": "started",
    "pending": "started",
    "queued": "started",
    "waiting": "started",
    "inactive": "inactive",
    "destroyed": "inactive",
    "abandoned": "failed",
}


@dataclass(frozen=True, slots=True)
class Found:
    """A deployment and its newest status, whichever interface it is of."""

    where: str
    repository: str
    number: object
    data: Mapping[str, Any]
    state: str
    at: object
    run: object


def reported(documents: Iterator[tuple[str, Any]], given: Given, faults: Faults) -> list[Reported]:
    """Deployments in documents, oldest first."""
    found = [item for where, document in documents for item in deployments(where, document)]
    if not found:
        faults.add("input", "no deployment of GitHub is in it")
    newest: dict[str, object] = {}
    made: list[Reported] = []
    for item in sorted(found, key=lambda item: number_of(item.number)):
        newest[environment_of(item.data, given)] = item.number
    for item in sorted(found, key=lambda item: number_of(item.number)):
        try:
            last = newest[environment_of(item.data, given)] == item.number
            made.append(report(item, given, newest=last))
        except ValueError as problem:
            faults.add(item.where, problem)
    return made


def number_of(value: object) -> int:
    return int(str(value)) if str(value).isdigit() else 0


def environment_of(data: Mapping[str, Any], given: Given) -> str:
    return given.environment or str(data.get("environment") or "production")


def deployments(where: str, document: Any) -> Iterator[Found]:
    """The deployments in a document of any of the three kinds."""
    if isinstance(document, list):
        for place, item in enumerate(document):
            yield from deployments(f"{where}[{place}]", item)
    elif not isinstance(document, Mapping):
        return
    elif "deployment_status" in document and "deployment" in document:
        status, data = part(document, "deployment_status"), part(document, "deployment")
        repository = str(part(document, "repository").get("full_name") or repository_of(data))
        yield Found(
            where, repository, data.get("id"), data, str(status.get("state")), status.get("created_at"), run(status)
        )
    elif "data" in document or "repository" in document:
        yield from of_graphql(where, part(part(document, "data") or document, "repository"))
    elif "id" in document and "environment" in document:
        yield of_rest(where, document)


def of_graphql(where: str, repository: Mapping[str, Any]) -> Iterator[Found]:
    for place, node in enumerate(part(repository, "deployments").get("nodes") or ()):
        status = part(node, "latestStatus")
        state, at = str(status.get("state") or node.get("state")), status.get("createdAt") or node.get("createdAt")
        name = str(repository.get("nameWithOwner") or "")
        yield Found(f"{where}: node {place}", name, node.get("databaseId"), node, state, at, status.get("logUrl"))


def of_rest(where: str, data: Mapping[str, Any]) -> Found:
    statuses = [item for item in data.get("statuses") or () if isinstance(item, Mapping)]
    newest = max(statuses, key=lambda item: (str(item.get("created_at")), number_of(item.get("id"))), default={})
    state = str(newest.get("state") or "missing")
    return Found(where, repository_of(data), data.get("id"), data, state, newest.get("created_at"), run(newest))


def run(status: Mapping[str, Any]) -> object:
    return status.get("log_url") or status.get("target_url")


def repository_of(data: Mapping[str, Any]) -> str:
    """The repository in the address of a deployment."""
    _, found, rest = str(data.get("url") or data.get("repository_url") or "").partition("/repos/")
    return "/".join(rest.split("/")[:2]) if found else ""


def report(item: Found, given: Given, *, newest: bool) -> Reported:
    """A deployment.

    Args:
        newest: it is the last one of its environment in the input.

    Raises:
        ValueError: what is missing.
    """
    data, state = item.data, STATES.get(item.state.lower())
    if state is None:
        told = "it has no statuses: fetch them from its statuses_url, too" if item.state == "missing" else item.state
        raise ValueError(f"its state is not known: {told}")
    if not item.number:
        raise ValueError("it has no id (GraphQL: ask for databaseId)")
    payload = part(data, "payload")
    commit = data.get("sha") or data.get("commitOid")
    application = payload.get("application") or given.application or item.repository.rpartition("/")[2]
    creator = part(data, "creator").get("login")
    # What a later success has ended is inactive by itself; the last one was taken down, and what is there is not known.
    status = state if state != "inactive" else ("rolled_back" if newest else "succeeded")
    return Reported(
        item.where,
        f"github:{item.repository}:{item.number}",
        text(application, "application (or: --app NAME)"),
        text(payload.get("version") or commit, "sha (GraphQL: commitOid)"),
        environment_of(data, given),
        given.region,
        status,
        shape=payload.get("shape") or given.shape,
        survives=payload.get("survives") or given.survives,
        at=moment(item.at),
        actor=str(creator) if creator else None,
        commit=str(commit) if commit else None,
        ci_run=str(item.run) if item.run else None,
    )
