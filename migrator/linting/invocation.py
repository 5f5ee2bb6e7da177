"""From what the command line was given to the options of a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from linters.findings import Severity
from linters.reports import Report
from migrator import settings
from migrator.errors import UsageError
from migrator.linting import options as reading
from migrator.linting.options import Options

FAMILIES = {"postgres": "postgresql", "postgresql": "postgresql", "mysql": "mysql", "mariadb": "mariadb"}


def options_from(
    config: Path | None, paths: tuple[str, ...], database_url: str | None, given: Mapping[str, Any],
    shadow: str | None = None,
) -> Options:  # fmt: skip
    """The options of the configuration, and those of the command line over them.

    Args:
        given: options of the command line by their names, None where they were not given.
        shadow: URL of a server, which tells the dialect where nothing else does.

    Raises:
        UsageError: one of them makes no sense. Says which.
    """
    options = reading.load(config)
    changed: dict[str, Any] = {}
    for name in ("dialect", "schema", "timezone", "baseline", "phase", "assume_transaction"):
        if given.get(name) is not None:
            changed[name] = given[name]
    for name in ("select", "ignore"):
        if given.get(name):
            changed[name] = listed(given[name])
    if given.get("server_version") is not None:
        changed["server_version"] = version(given["server_version"])
    if given.get("fail_on") is not None:
        changed["fail_on"] = Severity(given["fail_on"])
    options = replace(options, **changed)
    return replace(
        options,
        paths=paths or options.paths or usual(config),
        dialect=options.dialect or family(config, database_url) or family_of(shadow or ""),
    )


def refuse_together(fix: bool, dry_run: bool, write_baseline: bool) -> None:
    """Refuse options that say two things.

    Raises:
        UsageError: they do.
    """
    if dry_run and not fix:
        raise UsageError("--dry-run shows what --fix would do", next_step="migrator lint --fix --dry-run")
    if fix and write_baseline:
        raise UsageError("--fix rewrites what --write-baseline accepts", next_step="one after the other")


def listed(words: tuple[str, ...]) -> tuple[str, ...]:
    """Rules of `--select a,b --select c`.

    Raises:
        UsageError: there is no such rule.
    """
    names = tuple(name.strip() for word in words for name in word.split(",") if name.strip())
    reading.expanded(names)
    return names


def version(text: str) -> str:
    try:
        return reading.version(text)
    except ValueError as problem:
        raise UsageError(f"--server-version {problem}", next_step="--server-version 17") from None


def family(config: Path | None, database_url: str | None) -> str:
    """The dialect of the URL that is given or configured; no connection is opened. Empty where there is none."""
    return family_of(database_url or settings.load(config=config).given_url or "")


def family_of(url: str) -> str:
    return FAMILIES.get(url.partition(":")[0].partition("+")[0].lower(), "")


def usual(config: Path | None) -> tuple[str, ...]:
    """The script directory where there is one, else the current folder."""
    scripts = settings.load(config=config).scripts
    return (str(scripts),) if scripts.is_dir() else (".",)


def warn(report: Report, options: Options) -> Iterator[str]:
    """What to know beside the findings."""
    if not report.files and not report.problems:
        paths = ", ".join(options.paths)
        yield f"no .sql file and no revision with SQL of its own in {paths}; operations are linted by migrator plan"
    if report.skipped:
        yield f"not judged, because they only undo others: {', '.join(report.skipped)}"
    for problem in report.problems:
        yield f"error: {problem.file}: {problem.message}"
