"""The report of one run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from linters.findings import Category, Finding, Severity


@dataclass(frozen=True, slots=True)
class Problem:
    """A file that could not be judged at all, and why."""

    file: str
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What a statement did on a scratch database.

    Args:
        server: where, as `PostgreSQL 18`.
        locks: the strongest lock on each table that others can use.
        rewrites, scans, builds: tables that were written again, read from end to end, or got an index.
        rows: rows of tables in use that it wrote.
        error: what the server said, or why it was not run; `code` is the SQLSTATE, of MySQL and MariaDB the number.
        words: all of it that anybody would notice, in words.
        algorithm: by which MySQL or MariaDB altered a table: INSTANT, NOCOPY, INPLACE or COPY.
    """

    server: str
    file: str
    line: int
    statement: str
    locks: Mapping[str, str] = field(default_factory=dict)
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    rows: int = 0
    error: str = ""
    code: str = ""
    words: str = ""
    algorithm: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What was found in the scripts of one run.

    Args:
        files: names of the scripts that were judged.
        statements: how many there are in them.
        problems: scripts that could not be judged.
        assumptions: what was not known and had to be assumed.
        skipped: scripts that undo others, which nobody runs on the way forward.
        accepted: findings that the baseline has.
        version: of the linter.
        texts: the scripts by name, for code frames.
        colour: whether text is coloured.
        observed: what each statement did on a scratch database; None where none was asked for.
    """

    findings: tuple[Finding, ...] = ()
    files: tuple[str, ...] = ()
    statements: int = 0
    problems: tuple[Problem, ...] = ()
    assumptions: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    accepted: int = 0
    version: str = ""
    texts: Mapping[str, bytes] = field(default_factory=dict)
    colour: bool = False
    observed: tuple[Observed, ...] | None = None

    def summary(self) -> dict[str, Any]:
        """The figures of the run."""
        severities = Counter(finding.severity for finding in self.findings)
        categories = Counter(finding.category for finding in self.findings)
        return {
            "findings": len(self.findings),
            **{f"{severity.value}s": severities[severity] for severity in Severity},
            **{category.value: categories[category] for category in Category},
            "files": len(self.files),
            "statements": self.statements,
            "skipped": list(self.skipped),
            "baseline": self.accepted,
            "assumptions": list(self.assumptions),
            "problems": [{"file": problem.file, "message": problem.message} for problem in self.problems],
        }
