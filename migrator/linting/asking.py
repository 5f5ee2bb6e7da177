"""The verb `lint`: from what it is asked for to what was found. Imports no SQLAlchemy where no database is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from migrator.toml_files import find_pyproject

if TYPE_CHECKING:
    from linters.findings import Finding
    from linters.reports import Report


@dataclass(frozen=True, slots=True)
class Linted:
    """What was found in scripts and revisions.

    Args:
        report: every finding, with the texts they are about; `linters.reports` writes it in six formats.
        failing: findings at or above the failing level.
        notes: what to know beside the findings, a sentence each.
        baseline: the file with findings to leave out, as the configuration names it; empty where none is named.
    """

    report: Report
    failing: tuple[Finding, ...]
    notes: tuple[str, ...]
    baseline: str = ""

    @property
    def clean(self) -> bool:
        """Whether every script could be judged, and nothing was found at or above the failing level."""
        return not self.failing and not self.report.problems


def lint(
    *paths: str, config: Path | None = None, directory: Path | None = None, dialect: str | None = None,
    server_version: str | None = None, schema: str | None = None, database_url: str | None = None,
    timezone: str | None = None, assume_transaction: bool | None = None, phase: str | None = None,
    select: Sequence[str] = (), ignore: Sequence[str] = (), baseline: str | None = None, accept: bool = True,
    diff: str | None = None, shadow: str | None = None, fail_on: str | None = None,
    standard_input: bytes | None = None,
) -> Linted:  # fmt: skip
    """Judge SQL scripts, Alembic revisions and revisions of operations. Writes nothing.

    Args:
        paths: files and folders, `-` for `standard_input`; what the configuration says, else the script directory.
        config: a TOML file to read instead of the nearest pyproject.toml.
        directory: folder to look for that from, instead of the current one.
        dialect: `postgresql`, `mysql` or `mariadb`.
        server_version: of the server the scripts are for: `16`, `10.11`.
        schema: a dump of the schema, a file.
        database_url: read schema and sizes there; the only case in which a connection is opened, besides `shadow`.
        timezone: of the sessions that run the scripts.
        assume_transaction: whoever runs a script puts it in one transaction, or does not; else as its tool does.
        phase: judge as part of `expand`, `migrate` or `contract`.
        select, ignore: rules or categories to ask and no others, or not to ask.
        baseline: a file with findings to leave out.
        accept: leave them out; False reports them, too.
        diff: report only statements that have come since this commit of git.
        shadow: run the scripts on a scratch database there, too: a URL, or `embedded`.
        fail_on: the level: `error`, `warning` or `notice`.
        standard_input: what is there instead of reading it.

    Raises:
        UsageError: an option makes no sense, or a path, schema or baseline cannot be read.
    """
    from migrator.linting.invocation import options_from, warn
    from migrator.linting.judging import RANKS, Request, run

    given: dict[str, Any] = {
        "dialect": dialect, "server_version": server_version, "schema": schema, "timezone": timezone, "phase": phase,
        "assume_transaction": assume_transaction, "select": tuple(select), "ignore": tuple(ignore),
        "baseline": baseline, "fail_on": fail_on,
    }  # fmt: skip
    place = config or (find_pyproject(directory) if directory is not None else None)
    options = options_from(place, paths, database_url, given, shadow)
    request = Request(options, diff or "", database_url or "", accept, shadow or "", standard_input)
    report = run(request)
    failing = tuple(f for f in report.findings if RANKS[f.severity] >= RANKS[options.fail_on])
    return Linted(report, failing, tuple(warn(report, options)), options.baseline)
