"""The code quality report of GitLab."""

from __future__ import annotations

import hashlib
import json

from linters.findings import Severity
from linters.reports.base import Report

SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.NOTICE: "info"}


def write(report: Report) -> str:
    entries = [
        {
            "description": f"{finding.message}. {finding.effect}",
            "check_name": finding.rule,
            "fingerprint": finding.fingerprint,
            "severity": SEVERITIES[finding.severity],
            "location": {
                "path": finding.file,
                "lines": {"begin": finding.line, "end": max(finding.last_line, finding.line)},
            },
        }
        for finding in report.findings
    ]
    entries += [
        {
            "description": f"not judged: {problem.message}",
            "check_name": "not-judged",
            "fingerprint": hashlib.sha256(f"not-judged\0{problem.file}".encode()).hexdigest()[:32],
            "severity": "blocker",
            "location": {"path": problem.file, "lines": {"begin": 1}},
        }
        for problem in report.problems
    ]
    return json.dumps(entries, indent=2, ensure_ascii=False)
