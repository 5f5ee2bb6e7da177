"""JUnit: a suite for each script, a test case for each finding."""

from __future__ import annotations

import re
from xml.sax.saxutils import escape, quoteattr

from linters.findings import Finding
from linters.reports.base import Report

FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold."""


def attribute(text: str) -> str:
    return quoteattr(FORBIDDEN.sub("�", text))


def body(text: str) -> str:
    return escape(FORBIDDEN.sub("�", text))


def write(report: Report) -> str:
    found: dict[str, list[Finding]] = {name: [] for name in report.files}
    for finding in report.findings:
        found.setdefault(finding.file, []).append(finding)
    suites = [suite(name, findings) for name, findings in found.items()]
    for problem in report.problems:
        case = f'<testcase name="not judged"><error message={attribute(problem.message)}/></testcase>'
        suites.append(f'<testsuite name={attribute(problem.file)} tests="1" failures="0" errors="1">{case}</testsuite>')
    tests = sum(max(len(findings), 1) for findings in found.values()) + len(report.problems)
    head = (
        f'<testsuites name="migrator lint" tests="{tests}" failures="{len(report.findings)}"'
        f' errors="{len(report.problems)}">'
    )
    return "\n".join(('<?xml version="1.0" encoding="UTF-8"?>', head, *suites, "</testsuites>"))


def suite(name: str, findings: list[Finding]) -> str:
    cases = [case(finding) for finding in findings] or [f'<testcase name="no finding" classname={attribute(name)}/>']
    head = f'<testsuite name={attribute(name)} tests="{len(cases)}" failures="{len(findings)}" errors="0">'
    return "\n".join((head, *cases, "</testsuite>"))


def case(finding: Finding) -> str:
    told = f"{finding.statement}\n{finding.effect}\nsafer: {finding.safer}"
    name = attribute(f"{finding.rule}, line {finding.line}")
    return (
        f"<testcase name={name} classname={attribute(finding.file)}>"
        f'<failure type="{finding.severity.value}" message={attribute(finding.message)}>{body(told)}</failure>'
        "</testcase>"
    )
