"""What a run is told: `[tool.migrator.lint]`, and options over it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from linters.dialects import all_rules
from linters.engine import Choice
from linters.findings import Category, Severity
from migrator.errors import SettingsError, UsageError
from migrator.setting_values import nearest
from migrator.toml_files import find_pyproject, read_toml

SECTION = "tool.migrator.lint"
DIALECTS = ("postgresql", "mysql", "mariadb")


@dataclass(frozen=True, slots=True)
class Options:
    """What to lint, for which server, and what to make of it.

    Args:
        select: rules or categories to ask; empty for those that are on by themselves.
        ignore: rules or categories not to ask.
        severities: severities other than the rules' own.
        style: ask the rules about style, too.
        require_lock_timeout: demand a lock_timeout around everything that blocks others.
        galera: the server is a node of a Galera cluster.
        dialect: empty where nothing says it.
        server_version: major version, or with minor ones as in `10.11`; empty where nothing says it.
        assume_transaction: whoever runs a script puts it in one transaction; None as its tool does.
    """

    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severities: Mapping[str, Severity] = field(default_factory=dict)
    style: bool = False
    require_lock_timeout: bool = False
    galera: bool = False
    dialect: str = ""
    server_version: str = ""
    timezone: str | None = None
    schema: str = ""
    baseline: str = ""
    fail_on: Severity = Severity.WARNING
    assume_transaction: bool | None = None
    phase: str = ""

    def choice(self) -> Choice:
        """The rules that are asked, and how severe they are."""
        also = expanded([Category.STYLE.value]) if self.style else []
        also += ["lock-timeout-missing"] if self.require_lock_timeout else []
        also += ["cluster-waits"] if self.galera else []
        return Choice(
            rules=frozenset(expanded(self.select)) if self.select else None,
            also=frozenset(also),
            but=frozenset(expanded(self.ignore)),
            severities=dict(self.severities),
            phase=self.phase,
        )


def expanded(names: Iterable[str]) -> list[str]:
    """Rules of the names of rules and categories; of a category those that are on by themselves, but all of style.

    Raises:
        UsageError: there is no such rule.
    """
    found: list[str] = []
    for name in names:
        if name in all_rules():
            found.append(name)
        elif name in [category.value for category in Category]:
            own = [rule for rule in all_rules().values() if rule.category.value == name]
            found += [rule.id for rule in own if rule.default or rule.category is Category.STYLE]
        else:
            raise UsageError(f'there is no rule "{name}"', next_step=near_rule(name))
    return found


def near_rule(name: str) -> str:
    near = nearest(name, all_rules())
    return f'did you mean "{near}"?' if near else "migrator lint --list-rules"


def texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('must be a list of texts, as ["drop-column"]')
    return tuple(value)


def rules(value: object) -> tuple[str, ...]:
    found = texts(value)
    try:
        expanded(found)
    except UsageError as problem:
        raise ValueError(f"{problem.message}: {problem.next_step}") from None
    return found


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text in quotes")
    return value


def flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def severity(value: object) -> Severity:
    try:
        return Severity(value)
    except ValueError:
        raise ValueError(f'must be one of "error", "warning" and "notice", not {value!r}') from None


def severities(value: object) -> dict[str, Severity]:
    if not isinstance(value, dict):
        raise ValueError('must be a table, as severities = { drop-column = "warning" }')
    rules(list(value))
    return {name: severity(given) for name, given in value.items()}


def required(value: object) -> bool:
    if value not in ("require", "ignore"):
        raise ValueError('must be "require", which demands a lock_timeout in every script, or "ignore"')
    return value == "require"


def dialect(value: object) -> str:
    if value not in DIALECTS:
        raise ValueError(f"must be one of {', '.join(DIALECTS)}, not {value!r}")
    return str(value)


def version(value: object) -> str:
    if isinstance(value, bool) or not re.fullmatch(r"\d+(\.\d+)*", str(value)):
        raise ValueError(f'must be a version, as 16 or "10.11", not {value!r}')
    return str(value)


READERS: dict[str, tuple[str, Callable[[object], Any]]] = {
    "paths": ("paths", texts),
    "exclude": ("exclude", texts),
    "select": ("select", rules),
    "ignore": ("ignore", rules),
    "severities": ("severities", severities),
    "style": ("style", flag),
    "lock_timeout": ("require_lock_timeout", required),
    "galera": ("galera", flag),
    "dialect": ("dialect", dialect),
    "server_version": ("server_version", version),
    "timezone": ("timezone", text),
    "schema": ("schema", text),
    "baseline": ("baseline", text),
    "fail_on": ("fail_on", severity),
    "assume_transaction": ("assume_transaction", flag),
}
"""Keys of `[tool.migrator.lint]`: the option each sets, and how it is read."""
IN_FOLDER = ("paths", "schema", "baseline")
"""Options that name files: relative to the file they are written in."""


def load(config: Path | None = None, directory: Path | None = None) -> Options:
    """What the nearest pyproject.toml says, or another file.

    Raises:
        SettingsError: naming file and line, and the near miss of an unknown key.
    """
    path = config or find_pyproject(directory or Path.cwd())
    return from_file(path) if path is not None else Options()


def from_file(path: Path) -> Options:
    data = read_toml(path)
    ours = data.get("tool", {}).get("migrator", {}) if path.name == "pyproject.toml" else data
    table = ours.get("lint", {})
    lines = path.read_text()
    values: dict[str, Any] = {}
    for key, value in table.items() if isinstance(table, dict) else [("lint", table)]:
        where = f"{path}:{line_of(lines, key)}"
        if key not in READERS:
            near = nearest(key, READERS)
            hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(READERS)}"
            raise SettingsError(f'{where}: unknown setting "{key}" of [{SECTION}]', next_step=hint, file=str(path))
        option, read = READERS[key]
        try:
            values[option] = read(value)
        except ValueError as problem:
            raise SettingsError(f"{where}: {key}: {problem}", file=str(path)) from None
    return rooted(Options(**values), path.parent)


def rooted(options: Options, folder: Path) -> Options:
    """Options whose files are found from wherever the command is run."""
    changed: dict[str, Any] = {}
    for name in IN_FOLDER:
        value = getattr(options, name)
        if isinstance(value, tuple):
            changed[name] = tuple(str(folder / item) for item in value)
        elif value:
            changed[name] = str(folder / value)
    changed["exclude"] = tuple(str(folder.absolute() / p) if "/" in p else p for p in options.exclude)
    return replace(options, **changed)


def line_of(text: str, key: str) -> int:
    """Line of a key in the section, or of a section of that name below it; else of the section."""
    inside, start = False, 1
    for number, line in enumerate(text.splitlines(), 1):
        header = re.match(r"\s*\[\s*([\w.\s\"-]+?)\s*\]", line)
        if header:
            name = header[1].replace('"', "")
            if name.endswith(f"lint.{key}"):
                return number
            inside = name in (SECTION, "lint")
            start = number if inside else start
        elif inside and re.match(rf"\s*\"?{re.escape(key)}\"?\s*[=.]", line):
            return number
    return start
