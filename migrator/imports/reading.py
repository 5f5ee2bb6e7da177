"""Which form an input has, and what it reports."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from migrator.errors import UsageError
from migrator.imports import github, kubernetes, lines
from migrator.imports.reported import Faults, Given, Reported, in_order

FORMS = ("lines", "github", "kubernetes")


def read(name: str, content: str, given: Given, form: str | None = None) -> list[Reported]:
    """The deployments that an input reports, oldest first.

    Args:
        name: of the file, for people.
        form: one of `FORMS`; None: as it looks.

    Raises:
        UsageError: naming file and line of everything that is wrong.
    """
    if not content.strip():
        raise UsageError(f"{name} is empty", next_step="migrator deploy import --help")
    faults = Faults()
    documents = list(parsed(name, content, faults))
    form = form or looks_like([document for _, document in documents])
    if form == "lines":
        faults = Faults()
        found = []
        for where, data in lines.objects(name, content, faults):
            try:
                found.append(lines.reported(where, data, given))
            except ValueError as problem:
                faults.add(where, problem)
        found = in_order(found)
    else:
        of = github.reported if form == "github" else kubernetes.reported
        found = of(iter(documents), given, faults)
    faults.refuse()
    return found


def parsed(name: str, content: str, faults: Faults) -> Iterator[tuple[str, Any]]:
    """JSON documents: one over many lines, or one a line."""
    try:
        yield name, json.loads(content)
        return
    except json.JSONDecodeError as problem:
        whole = f"{name}:{problem.lineno}", f"not valid JSON: {problem.msg} (column {problem.colno})"
    try:
        found = [(f"{name}:{n}", json.loads(line)) for n, line in enumerate(content.splitlines(), 1) if line.strip()]
    except json.JSONDecodeError:
        faults.add(*whole)
        return
    yield from found


def looks_like(documents: list[Any]) -> str:
    """The form of some documents; lines of our own where it is none of the others."""
    for document in documents:
        first = document[0] if isinstance(document, list) and document else document
        if not isinstance(first, Mapping):
            continue
        if "apiVersion" in first or first.get("kind") in ("List", *kubernetes.KINDS):
            return "kubernetes"
        if "deployment_status" in first or "data" in first or "repository" in first or "statuses_url" in first:
            return "github"
    return "lines"
