"""`[tool.migrator.rollout]`: what is rolled out, where, how, and what is looked at meanwhile."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

from migrator.errors import SettingsError
from migrator.rollouts.plan import CanaryStep, Rules, Server
from migrator.setting_values import Readers as Readers
from migrator.setting_values import duration, lag, nearest, positive, whole
from migrator.setting_values import fields_of as fields_of
from migrator.setting_values import table as table
from migrator.setting_values import text as text
from migrator.toml_files import find_pyproject, read_toml

SECTION = "tool.migrator.rollout"
PLACEHOLDERS = ("server", "pool", "address", "host", "port", "version", "application")
"""What commands and URLs may name in braces."""


@dataclass(frozen=True, slots=True)
class Commands:
    """What starts, stops and checks a build on a server.

    Each is run without a shell, with `{server}`, `{address}`, `{host}`, `{port}`, `{pool}`, `{version}` and
    `{application}` replaced, and the same as MIGRATOR_… in its environment. `stop` succeeds where nothing runs.

    Args:
        timeout: seconds that each may take.
        attempts: how often a check is tried before the server is given up.
    """

    start: str = ""
    stop: str = ""
    checks: tuple[str, ...] = ()
    timeout: float = 60.0
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Readiness:
    """Where a server says that it is ready; `version_header` names the header in which it says its version."""

    url: str = ""
    timeout: float = 30.0
    version_header: str = ""


@dataclass(frozen=True, slots=True)
class Draining:
    """How long work in flight is waited for, and whether connections that are left are then cut, or it fails.

    `max_age`: a connection that is older is ended while its server is drained, at most `jitter` seconds later, so that
    clients do not all come back at once; 0: none is.
    """

    timeout: float = 30.0
    then: str = "fail"
    max_age: float = 0.0
    jitter: float | None = None

    @property
    def spread(self) -> float:
        return self.max_age / 10 if self.jitter is None else self.jitter


@dataclass(frozen=True, slots=True)
class Probing:
    """A request that is sent as a user would, all the time; no `url`: none is.

    `users`: so many users who are told apart by `cookie` ask, too, to see how often they change between versions;
    `arm_header`: names the header that says which version, or variant of a flag, an answer is of.
    """

    url: str = ""
    every: float = 0.1
    timeout: float = 5.0
    users: int = 4
    cookie: str = ""
    arm_header: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """All of it. `target`, `analysis`, `flags`, `shadow` and `ab` are read by whoever they are for."""

    application: str
    environment: str
    strategy: str
    fleet: tuple[Server, ...]
    rules: Rules
    commands: Commands
    ready: Readiness
    drain: Draining
    probe: Probing
    target: Mapping[str, Any]
    analysis: Mapping[str, Any]
    folder: Path
    data: Mapping[str, Any] = field(default_factory=dict)
    flags: Mapping[str, Any] = field(default_factory=dict)
    shadow: Mapping[str, Any] = field(default_factory=dict)
    ab: Mapping[str, Any] = field(default_factory=dict)


def command(value: object) -> str:
    """Read a command or a URL that names what it is of in braces; {{ and }} stand for braces."""
    said = text(value)
    try:
        named = [name for _, name, _, _ in Formatter().parse(said) if name is not None]
    except ValueError as problem:
        raise ValueError(f"{problem} in {said!r}; write {{{{ and }}}} for braces that name nothing") from None
    for name in named:
        if name not in PLACEHOLDERS:
            near = nearest(name, PLACEHOLDERS)
            hint = f'did you mean "{{{near}}}"?' if near else f"known are: {', '.join(PLACEHOLDERS)}"
            raise ValueError(f'"{{{name}}}" stands for nothing; {hint}')
    return said


def texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('must be a list of texts, as ["curl -f http://{address}/"]')
    return tuple(command(item) for item in value)


def one_of(*words: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            near = nearest(str(value), words)
            raise ValueError(f"must be one of {', '.join(words)}" + (f'; did you mean "{near}"?' if near else ""))
        return str(value)

    return read


def percent(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 100:
        raise ValueError(f"{value!r} is not a share of the traffic; write percent, above 0 and up to 100")
    return float(value)


def steps(value: object) -> tuple[CanaryStep, ...]:
    """Read `[{ weight = 5, pause = "1m" }, { weight = 50, pause = "promote" }]`."""
    if not isinstance(value, list) or not value:
        raise ValueError('must be a list, as [{ weight = 5, pause = "1m" }]')
    found = []
    for item in value:
        given = fields_of("steps", table(item), {"weight": percent, "pause": pause})
        if set(given) != {"weight", "pause"}:
            raise ValueError(f"each step has a weight and a pause, not {item!r}")
        found.append(CanaryStep(**given))
    if any(later.weight <= earlier.weight for earlier, later in itertools.pairwise(found)):
        raise ValueError("weights grow from step to step")
    return tuple(found)


def pause(value: object) -> float | None:
    """Read a duration, or `promote`: until somebody does."""
    return None if value == "promote" else lag(value)


def pools(value: object) -> tuple[Server, ...]:
    """Read `{ blue = { s1 = "127.0.0.1:8001" } }`."""
    found = []
    for pool, servers in table(value).items():
        for name, address in table(servers).items():
            if not re.fullmatch(r"[^\s:]+:\d+|\[[0-9a-fA-F:]+\]:\d+", str(address)):
                raise ValueError(f"{pool}.{name}: {address!r} is no address; write host:port")
            found.append(Server(name, pool, str(address)))
    names = [server.name for server in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice or not found:
        raise ValueError(f"a server is in one pool; twice: {', '.join(twice)}" if twice else "has no server")
    return tuple(found)


RULES: Readers = {
    "batch_size": positive,
    "max_unavailable": positive,
    "bake": lag,
    "steps": steps,
    "baseline": text,
    "keep": pause,
    "hold": duration,
}
PARTS: Mapping[str, tuple[type[Any], Readers]] = {
    "commands": (
        Commands,
        {"start": command, "stop": command, "checks": texts, "timeout": duration, "attempts": positive},
    ),
    "ready": (Readiness, {"url": command, "timeout": duration, "version_header": text}),
    "drain": (Draining, {"timeout": duration, "then": one_of("fail", "cut"), "max_age": duration, "jitter": lag}),
    "probe": (
        Probing,
        {"url": text, "every": duration, "timeout": duration, "users": whole, "cookie": text, "arm_header": text},
    ),
}
STRATEGY_NAMES = ("rolling", "blue-green", "canary", "shadow", "toggle", "ab")
TOP: Readers = {
    "app": text,
    "environment": text,
    "strategy": one_of(*STRATEGY_NAMES),
    "pools": pools,
    "target": table,
    "analysis": table,
    "flags": table,
    "shadow": table,
    "ab": table,
    **dict.fromkeys(PARTS, table),
    **RULES,
}


def load(config: Path | None = None, directory: Path | None = None) -> Configuration:
    """What the nearest pyproject.toml says of rollouts, or another file.

    Raises:
        SettingsError: naming the file and what in it is wrong.
    """
    path = config or find_pyproject(directory or Path.cwd())
    data = read_toml(path) if path is not None else {}
    ours = data.get("tool", {}).get("migrator", {}) if path is not None and path.name == "pyproject.toml" else data
    if path is None or "rollout" not in ours:
        raise SettingsError(
            f"nothing says how to roll out: {path or 'no pyproject.toml'} has no [{SECTION}]",
            next_step="write one; docs: how-to/rollouts",
        )
    try:
        return read(table(ours["rollout"]), path.absolute().parent)
    except ValueError as problem:
        raise SettingsError(f"{path}: [{SECTION}]: {problem}", file=str(path)) from None


def read(data: Mapping[str, Any], folder: Path) -> Configuration:
    """A configuration from its table.

    Raises:
        ValueError: saying what is wrong.
    """
    given = fields_of(f"[{SECTION}]", data, TOP)
    untouched = given.get("strategy") == "toggle"
    missing = [key for key in ("app", "strategy", "pools", "target") if key not in given]
    missing = [key for key in missing if key != "target" or not untouched]
    if missing:
        raise ValueError(f"does not say {', '.join(missing)}")
    parts = {}
    for name, (kind, readers) in PARTS.items():
        parts[name] = kind(**fields_of(f"[{SECTION}.{name}]", given.get(name, {}), readers))
    return Configuration(
        application=given["app"],
        environment=given.get("environment", "production"),
        strategy=given["strategy"],
        fleet=given["pools"],
        rules=Rules(**{key: given[key] for key in RULES if key in given}),
        **parts,
        target=given.get("target", {"kind": "none"}),
        analysis=given.get("analysis", {}),
        folder=folder,
        data=dict(data),
        flags=given.get("flags", {}),
        shadow=given.get("shadow", {}),
        ab=given.get("ab", {}),
    )
