"""Settings: flags, then environment, then `[tool.migrator]`, then defaults; each knows its source."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from migrator import checklist_settings
from migrator.checklist_settings import ChecklistSettings
from migrator.errors import SettingsError
from migrator.setting_values import (
    MINIMUM_GATE_HOURS,
    duration,
    gate_policy,
    hours,
    lag,
    latency,
    nearest,
    normalise_url,
    patterns,
    positive,
    row_image,
    share,
    size,
    table,
    url,
    urls,
    whole,
    workers,
)
from migrator.toml_files import find_pyproject, read_toml


@dataclass(frozen=True, slots=True)
class Settings:
    """All settings. Durations are in seconds, sizes in bytes, shares of one."""

    database_url: str | None = None
    database_url_env: str | None = None
    script_location: str = "migrations"
    lock_timeout: float = 0.5
    lock_retries: int = 30
    lock_give_up: float = 300.0
    batch_target: float = 0.1
    reconnect: float = 60.0
    workers: int | None = 1
    replica_lag: float = 10.0
    replicas: tuple[str, ...] | None = None
    verify_replica: str | None = None
    poolers: tuple[str, ...] = ()
    binlog_row_image: str = "server"
    archive_backlog: int = 2 * 1024**3
    slot_backlog: int = 10 * 1024**3
    dead_rows: float = 1.0
    history_length: int = 1_000_000
    disk_reserve: int | None = None
    long_transaction: float = 6 * 3600.0
    max_latency: float | None = None
    set_aside_limit: int = 100
    precheck_timeout: float = 30.0
    gate_hours: float = MINIMUM_GATE_HOURS
    policy: str = "standard"
    clean_deployments: int = 1
    override_approvals: int = 0
    retention: float = 7 * 86400.0
    unprepared_applications: tuple[str, ...] = ()
    free_disk: int | None = None
    contract_requires: tuple[str, ...] = ()
    checklist: ChecklistSettings = field(default_factory=ChecklistSettings)
    sources: Mapping[str, str] = field(default_factory=dict)
    directory: Path = field(default_factory=Path.cwd)

    def source(self, name: str) -> str:
        """Where a value came from."""
        return self.sources.get(name, "default")

    @property
    def given_url(self) -> str | None:
        """The database URL as it was given; None where none was."""
        if self.database_url is None and self.database_url_env:
            return os.environ.get(self.database_url_env)
        return self.database_url

    def require_url(self) -> str:
        """The database URL.

        Raises:
            SettingsError: none is set, or its variable is empty.
        """
        url = self.given_url
        if not url and self.database_url is None and self.database_url_env:
            raise SettingsError(
                f"database_url_env names {self.database_url_env}, which is not set in the environment",
                next_step=f"export {self.database_url_env}=postgresql://…",
            )
        if not url:
            raise SettingsError(
                "no database URL is given",
                next_step="add --database-url postgresql://…, or export MIGRATOR_DATABASE_URL=postgresql://…",
            )
        return normalise_url(url)

    @property
    def lock_timeout_ms(self) -> int:
        return max(1, int(self.lock_timeout * 1000))

    @property
    def scripts(self) -> Path:
        """The script directory, absolute."""
        return (self.directory / self.script_location).resolve()


READERS: dict[str, Callable[[object], Any]] = {
    "database_url": str,
    "database_url_env": str,
    "script_location": str,
    "lock_timeout": duration,
    "lock_retries": positive,
    "lock_give_up": duration,
    "batch_target": duration,
    "reconnect": lag,
    "workers": workers,
    "replica_lag": lag,
    "replicas": urls,
    "verify_replica": url,
    "poolers": urls,
    "binlog_row_image": row_image,
    "archive_backlog": size,
    "slot_backlog": size,
    "dead_rows": share,
    "history_length": whole,
    "disk_reserve": size,
    "long_transaction": lag,
    "max_latency": latency,
    "set_aside_limit": whole,
    "precheck_timeout": duration,
    "gate_hours": hours,
    "policy": gate_policy,
    "clean_deployments": positive,
    "override_approvals": whole,
    "retention": duration,
    "unprepared_applications": patterns,
    "free_disk": size,
    "contract_requires": checklist_settings.items,
}
SECRETS = {
    "database_url": 'name a variable instead: database_url_env = "DATABASE_URL"',
    "replicas": "export MIGRATOR_REPLICAS=mysql://…,mysql://… instead",
    "verify_replica": "export MIGRATOR_VERIFY_REPLICA=postgresql://… instead",
    "poolers": "export MIGRATOR_POOLERS=postgresql://…/pgbouncer instead",
}
LISTS = (patterns, urls, checklist_settings.items)
SECTIONS = ("lint", "rollout", "checklist")
"""Tables below ours that have readers of their own."""


def load(
    flags: Mapping[str, object] | None = None,
    *,
    config: Path | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """Read all settings.

    Args:
        flags: values given on the command line; None values count as not given.
        config: a TOML file to read instead of the nearest pyproject.toml.
        environ: environment to read instead of the process's.
        directory: folder to search from instead of the current one.

    Raises:
        SettingsError: naming file and line, flag or variable, and the near miss of an unknown key.
    """
    environ = os.environ if environ is None else environ
    start = Path.cwd() if directory is None else directory
    path = config or find_pyproject(start)
    settings = Settings(directory=path.parent if path else start)
    settings = replace(settings, script_location=alembic_location(path, settings.directory))
    if path is not None:
        settings = merged(settings, *from_file(path))
        settings = replace(settings, checklist=checklist_of(path))
    settings = merged(settings, *from_environment(environ))
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    return merged(settings, given, {name: f"--{name.replace('_', '-')}" for name in given})


def merged(settings: Settings, values: Mapping[str, object], sources: Mapping[str, str]) -> Settings:
    read = {}
    for name, value in values.items():
        try:
            read[name] = READERS[name](value)
        except ValueError as problem:
            raise SettingsError(f"{sources[name]}: {name}: {problem}", source=sources[name]) from None
    return replace(settings, **read, sources={**settings.sources, **sources})


def from_environment(environ: Mapping[str, str]) -> tuple[dict[str, object], dict[str, str]]:
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for name in READERS:
        for variable in (f"MIGRATOR_{name.upper()}", name.upper() if name == "database_url" else ""):
            if environ.get(variable) and name not in values:
                values[name], sources[name] = environ[variable], variable
    return values, sources


def line_of(text: str, key: str) -> int:
    """Line of a key inside `[tool.migrator]`, or of the table itself."""
    inside = 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip().startswith("["):
            inside = number if re.match(r"\s*\[\s*tool\.migrator\s*\]", line) else 0
        elif inside and re.match(rf"\s*\"?{re.escape(key)}\"?\s*=", line):
            return number
    return inside


def from_file(path: Path) -> tuple[dict[str, object], dict[str, str]]:
    data = read_toml(path)
    table = data.get("tool", {}).get("migrator", {}) if path.name == "pyproject.toml" else data
    if not isinstance(table, dict):
        raise SettingsError(f"{path}: [tool.migrator] is not a table", file=str(path))
    table = {key: value for key, value in table.items() if key not in SECTIONS}
    text = path.read_text()
    sources = {}
    for key, value in table.items():
        where = f"{path}:{line_of(text, key)}"
        if key not in READERS:
            near = nearest(key, READERS)
            hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(READERS)}"
            raise SettingsError(f'{where}: unknown setting "{key}"', next_step=hint, file=str(path))
        if isinstance(value, dict | bool) or (isinstance(value, list) and READERS[key] not in LISTS):
            raise SettingsError(f"{where}: {key} must be text or a number", file=str(path))
        sources[key] = where
    for key, remedy in SECRETS.items():
        given = str(table.get(key, ""))
        if re.search(r"://[^/@\s]*:[^@\s]+@", given) or "password=" in given:
            raise SettingsError(
                f"{sources[key]}: a password does not belong in a file that is committed",
                next_step=remedy,
                file=str(path),
            )
    return dict(table), sources


def checklist_of(path: Path) -> ChecklistSettings:
    """What a file says of the checklist."""
    data = read_toml(path)
    ours = data.get("tool", {}).get("migrator", {}) if path.name == "pyproject.toml" else data
    try:
        return checklist_settings.read(table(ours.get("checklist", {})))
    except ValueError as problem:
        raise SettingsError(f"{path}: [{checklist_settings.SECTION}]: {problem}", file=str(path)) from None


def alembic_location(path: Path | None, directory: Path) -> str:
    """Where Alembic keeps its scripts, as its own configuration says."""
    if path is not None and path.name == "pyproject.toml":
        location = read_toml(path).get("tool", {}).get("alembic", {}).get("script_location")
        if location:
            return str(location).replace("%(here)s", str(directory))
    ini = directory / "alembic.ini"
    if ini.is_file():
        found = re.search(r"^\s*script_location\s*=\s*(\S+)", ini.read_text(), re.M)
        if found:
            return found[1].replace("%(here)s", str(directory))
    return "migrations"


def setting_names() -> tuple[str, ...]:
    """Every setting a user can give."""
    return tuple(f.name for f in fields(Settings) if f.name in READERS)
