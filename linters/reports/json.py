"""JSON: every fact of every finding, and the figures of the run."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from linters.findings import Finding
from linters.reports.base import Report

FIELDS = (
    "rule category severity message effect safer file line column statement lock tables rewrites scans operation"
    " assumed fingerprint"
).split()


def data(finding: Finding) -> dict[str, Any]:
    values = {name: getattr(finding, name) for name in FIELDS}
    return values | {"category": finding.category.value, "severity": finding.severity.value}


def write(report: Report) -> str:
    found: dict[str, Any] = {"findings": [data(finding) for finding in report.findings], "summary": report.summary()}
    if report.observed is not None:
        found["observed"] = [asdict(seen) for seen in report.observed]
    return json.dumps(found, indent=2, ensure_ascii=False)
