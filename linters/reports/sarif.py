"""SARIF 2.1.0, which code scanning reads."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from linters.dialects import all_rules
from linters.findings import Finding, Severity
from linters.reports.base import Problem, Report
from linters.rules import Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTICE: "note"}


def write(report: Report) -> str:
    rules = list(dict.fromkeys(finding.rule for finding in report.findings))
    run = {
        "tool": {
            "driver": {
                "name": "migrator lint",
                "version": report.version,
                "semanticVersion": report.version,
                "rules": [described(all_rules()[rule]) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"ROOT": {"description": {"text": "the folder the linter ran in"}}},
        "invocations": [
            {
                "executionSuccessful": not report.problems,
                "toolExecutionNotifications": [notification(problem) for problem in report.problems],
            }
        ],
        "results": [result(finding, rules.index(finding.rule)) for finding in report.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)


def described(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": rule.condition},
        "fullDescription": {"text": rule.effect},
        "help": {"text": f"{rule.effect}.\nSafer: {rule.safer}."},
        "defaultConfiguration": {"level": LEVELS[rule.severity], "enabled": rule.default},
        "properties": {"category": rule.category.value, "tags": [rule.category.value, "database"]},
    }


def result(finding: Finding, index: int) -> dict[str, Any]:
    text = f"{finding.message}. {finding.effect}.\nSafer: {finding.safer}"
    if finding.operation:
        text += f"\nWrite: {finding.operation}"
    region = {
        "startLine": finding.line,
        "startColumn": finding.column,
        "endLine": max(finding.last_line, finding.line),
        "snippet": {"text": finding.statement},
    }
    facts = {name: getattr(finding, name) for name in ("lock", "tables", "rewrites", "scans", "assumed")}
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": {"artifactLocation": place(finding.file), "region": region}}],
        "partialFingerprints": {"statement/v1": finding.fingerprint},
        "properties": {"category": finding.category.value, **facts},
    }


def notification(problem: Problem) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": problem.message},
        "locations": [{"physicalLocation": {"artifactLocation": place(problem.file)}}],
    }


def place(file: str) -> dict[str, str]:
    if file.startswith("/"):
        return {"uri": f"file://{quote(file)}"}
    return {"uri": quote(file), "uriBaseId": "ROOT"}
