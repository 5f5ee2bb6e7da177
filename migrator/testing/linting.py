"""`assert_lint_clean`: what `migrator lint` says, as a test."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.testing.defaults import project_of

if TYPE_CHECKING:
    from linters.findings import Finding


class LintFailed(AssertionError):
    """Scripts have findings at or above the failing level, or cannot be judged.

    Args:
        findings: those at or above the level.
    """

    def __init__(self, report: str, findings: tuple[Finding, ...]) -> None:
        super().__init__(report)
        self.findings = findings


def assert_lint_clean(*paths: str | Path, project: str | Path | None = None, **options: Any) -> None:
    """Assert that `migrator lint` has nothing to say of scripts and revisions. Opens no connection.

    Args:
        paths: files and folders, from the folder of the project; what `[tool.migrator.lint]` says, else the script
            directory, where none is given.
        project: the folder that `migrator` is run in; that of the test run where not given.
        options: those of `migrator.api.lint`: `dialect="mysql"`, `ignore=("lock-table",)`, `fail_on="error"`.

    Raises:
        LintFailed: with every finding as the command prints it.
        UsageError: an option makes no sense, or a path is not there.
    """
    __tracebackhide__ = True
    from linters.reports.text import write
    from migrator.linting.asking import lint

    folder = project_of(project)
    found = lint(*(str(folder / path) for path in paths), directory=folder, **options)
    if found.failing or found.report.problems:
        raise LintFailed(f"{write(found.report).strip()}\nto do: {TO_DO}", found.failing)


TO_DO = "write each the safer way that is shown; where you know better: -- migrator: disable=RULE why it is safe here"
