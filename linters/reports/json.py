"""JSON: every fact of every finding, and the figures of the run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from linters.findings import Finding
from linters.reports.base import Report

FIELDS = (
    "rule category severity message effect safer file line column statement lock tables rewrites scans operation"
    " assumed fingerprint"
).split()
compact = json.JSONEncoder(ensure_ascii=False).encode


def data(finding: Finding) -> dict[str, Any]:
    values = {name: getattr(finding, name) for name in FIELDS}
    return values | {"category": finding.category.value, "severity": finding.severity.value}


def write(report: Report) -> str:
    parts = {"findings": block(map(data, report.findings)), "summary": compact(report.summary())}
    if report.observed is not None:
        parts["observed"] = block(map(asdict, report.observed))
    return "{\n" + ",\n".join(f'  "{name}": {text}' for name, text in parts.items()) + "\n}"


def block(values: Iterable[dict[str, Any]]) -> str:
    """A list with a line for each value: an encoder that indents is written in Python, and takes as long as judging."""
    lines = ",\n".join(f"    {compact(value)}" for value in values)
    return f"[\n{lines}\n  ]" if lines else "[]"
