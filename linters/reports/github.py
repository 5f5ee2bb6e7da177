"""Annotations of GitHub: workflow commands, one a line."""

from __future__ import annotations

from linters.reports.base import Report


def escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def property_(text: str) -> str:
    return escaped(text).replace(":", "%3A").replace(",", "%2C")


def write(report: Report) -> str:
    lines = [f"::error file={property_(p.file)},title=not judged::{escaped(p.message)}" for p in report.problems]
    for finding in report.findings:
        place = f"file={property_(finding.file)},line={finding.line},endLine={max(finding.last_line, finding.line)}"
        said = f"{finding.message}\n{finding.effect}\nsafer: {finding.safer}"
        said += f"\nwrite: {finding.operation}" if finding.operation else ""
        lines.append(
            f"::{finding.severity.value} {place},col={finding.column},title={property_(finding.rule)}::{escaped(said)}"
        )
    return "\n".join(lines)
