"""Deployments as lines of JSON, one object each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from migrator.imports.reported import STATUSES, Faults, Given, Reported, moment, text
from migrator.setting_values import nearest

NAMES = {"app": "application", "commit_sha": "commit", "artifact_digest": "digest"}
"""Other names of the same fields."""
FIELDS = (
    "application version environment region status strategy shape survives key at actor commit digest ci_run".split()
)


def objects(name: str, content: str, faults: Faults) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Objects, each with the line that it is in."""
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        where = f"{name}:{number}"
        try:
            found = json.loads(line)
        except json.JSONDecodeError as problem:
            faults.add(where, f"not valid JSON: {problem.msg} (column {problem.colno})")
            continue
        if isinstance(found, Mapping):
            yield where, found
        else:
            faults.add(
                where,
                "not an object; write for example "
                '{"application": "shop", "version": "2.0", "at": "2026-03-01T12:00:00Z"}',
            )


def reported(where: str, data: Mapping[str, Any], given: Given) -> Reported:
    """A deployment.

    Raises:
        ValueError: what is wrong with it.
    """
    fields = {NAMES.get(name, name): value for name, value in data.items() if value is not None}
    for name in fields:
        if name not in FIELDS:
            near = nearest(name, FIELDS)
            raise ValueError(f'unknown field "{name}"' + (f'; did you mean "{near}"?' if near else ""))
    application = text(fields.get("application", given.application), "application")
    version = text(fields.get("version"), "version")
    environment = text(fields.get("environment", given.environment or "production"), "environment")
    region = str(fields.get("region", given.region))
    status, at = str(fields.get("status", "succeeded")), moment(fields.get("at"))
    if status not in STATUSES:
        raise ValueError(f'status "{status}" is none of {", ".join(STATUSES)}')
    if "key" not in fields and (at is None or status == "started"):
        needed = (
            "key is missing, by which its end is known to be its" if status == "started" else "key or at is missing"
        )
        raise ValueError(f"{needed}: without it the same deployment would be recorded twice")
    made = f"line:{application}:{environment}:{region}:{version}:{at.isoformat() if at else ''}"
    optional = {
        name: text(fields[name], name) for name in ("strategy", "actor", "commit", "digest", "ci_run") if name in fields
    }
    return Reported(
        where,
        text(fields.get("key", made), "key"),
        application,
        version,
        environment,
        region,
        status,
        shape=fields.get("shape", given.shape),
        survives=fields.get("survives", given.survives),
        at=at,
        **optional,
    )
