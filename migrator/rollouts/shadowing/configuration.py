"""`[tool.migrator.rollout.shadow]`: what is copied to a shadow, and what its answers are held against."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.rollouts.analysis.statistics import needed
from migrator.rollouts.configuration import (
    SECTION,
    Configuration,
    command,
    fields_of,
    one_of,
    pause,
    percent,
    table,
    text,
)
from migrator.rollouts.plan import ShadowRules
from migrator.rollouts.strategies.shadow import THEN
from migrator.rollouts.targets.routing import METHODS, SAFE
from migrator.setting_values import duration, lag, nearest, share, whole

NAME = f"[{SECTION}.shadow]"
DEFAULT_MINIMUM = 100


@dataclass(frozen=True, slots=True)
class Shadowing:
    """How a shadow is confined, asked and compared. Durations in seconds.

    Args:
        start: command that starts it with a role of the database of its own.
        environment: name of the environment variable with the URL by which it reaches the database.
        confirm: command that succeeds where the shadow cannot write.
        sandboxed: what it writes goes to a database of its own, so writing requests may be copied.
        requests: what both pools are asked for.
        every: between two comparisons.
        headers: sent with these requests.
        body: whether bodies are compared, and not the status alone.
        ignored: fields of JSON answers that differ anyway, as `items.updated_at`.
        patterns: regular expressions of such parts.
        differences: share of answers that may differ.
        minimum: answers that have to be compared before it can pass.
        slower: as many times as long as before users may wait, in p95; what is not above by `floor` is never too long.
        log: file that differences are written to.
        patience: how long is waited for enough answers when the time is over; None: until somebody decides.
    """

    start: str = ""
    environment: str = ""
    confirm: str = ""
    sandboxed: bool = False
    requests: tuple[str, ...] = ("/",)
    every: float = 0.2
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bool = True
    ignored: tuple[tuple[str, ...], ...] = ()
    patterns: tuple[re.Pattern[str], ...] = ()
    differences: float = 0.0
    minimum: int = DEFAULT_MINIMUM
    slower: float = 1.5
    floor: float = 0.02
    log: str = "shadow-differences.jsonl"
    patience: float | None = None


def lines(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or not all(isinstance(item, str) and item for item in value):
        raise ValueError('must be a list of texts in quotes, as ["/"]')
    return tuple(value)


def paths(value: object) -> tuple[str, ...]:
    for path in lines(value):
        if not re.fullmatch(r"/[^\s]*", path):
            raise ValueError(f'{path!r} is no path; write for example "/orders?limit=5"')
    return lines(value)


def fields(value: object) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(name.split(".")) for name in lines(value))


def expressions(value: object) -> tuple[re.Pattern[str], ...]:
    found = []
    for pattern in lines(value):
        try:
            found.append(re.compile(pattern))
        except re.error as problem:
            raise ValueError(f"{pattern!r} is no regular expression: {problem}") from None
    return tuple(found)


def methods(value: object) -> tuple[str, ...]:
    for method in lines(value):
        if method not in METHODS:
            near = nearest(method.upper(), METHODS)
            raise ValueError(
                f"{method!r} is none of {', '.join(METHODS)}" + (f'; did you mean "{near}"?' if near else "")
            )
    return lines(value)


def headers(value: object) -> Mapping[str, str]:
    return {name: text(said) for name, said in table(value).items()}


def times(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 1:
        raise ValueError(f"{value!r}: write as many times as long as before, above 1")
    return float(value)


RULES: Mapping[str, Callable[[object], Any]] = {
    "percent": percent,
    "duration": pause,
    "before": duration,
    "then": one_of("stop", *THEN),
}
READERS: Mapping[str, Callable[[object], Any]] = {
    **RULES,
    "start": command,
    "database_env": text,
    "database_check": text,
    "database": one_of("none"),
    "writes": one_of("refused", "sandboxed"),
    "methods": methods,
    "requests": paths,
    "every": duration,
    "headers": headers,
    "compare": one_of("body", "status"),
    "ignore_fields": fields,
    "ignore": expressions,
    "differences": share,
    "minimum": whole,
    "slower": times,
    "slower_floor": lag,
    "log": text,
    "patience": duration,
}
ROLE = ("database_env", "database_check", "database")


def read(configuration: Configuration) -> tuple[ShadowRules, Shadowing]:
    """What is said of a shadow.

    Raises:
        ValueError: saying what is wrong, or what would do harm.
    """
    given = fields_of(NAME, configuration.shadow, READERS)
    if "percent" not in given or "duration" not in given:
        raise ValueError('does not say percent = 10 and duration = "10m": what share of the requests, and how long')
    refuse_writes(given)
    if not configuration.probe.url:
        raise ValueError(
            f"nothing would notice that users wait longer because of the copies: write [{SECTION}.probe] url = …"
        )
    limit = given.get("differences", 0.0)
    least = needed(limit) if limit else 1
    least_said = given.get("minimum", max(least, DEFAULT_MINIMUM if not limit else least))
    if least_said < least:
        raise ValueError(
            f"minimum: {least_said} answers say nothing of a limit of {limit * 100:.3g} %: {least} are needed"
        )
    rules = {("seconds" if key == "duration" else key): given[key] for key in RULES if key in given}
    return ShadowRules(**rules), Shadowing(
        start=given.get("start", ""),
        environment=given.get("database_env", ""),
        confirm=given.get("database_check", ""),
        sandboxed=given.get("writes") == "sandboxed",
        body=given.get("compare", "body") == "body",
        ignored=given.get("ignore_fields", ()),
        patterns=given.get("ignore", ()),
        floor=given.get("slower_floor", 0.02),
        minimum=least_said,
        **{
            key: given[key]
            for key in ("requests", "every", "headers", "differences", "slower", "log", "patience")
            if key in given
        },
    )


def refuse_writes(given: Mapping[str, Any]) -> None:
    """Refuse what could write what users wrote a second time.

    Raises:
        ValueError: saying what to write.
    """
    unsafe = sorted(set(given.get("methods", SAFE)) - set(SAFE))
    if unsafe and given.get("writes") != "sandboxed":
        raise ValueError(
            f"methods: a copy of {', '.join(unsafe)} writes a second time; where the shadow has a database and"
            ' services of its own, say so: writes = "sandboxed"'
        )
    said = [key for key in ROLE if key in given]
    if len(said) != 1:
        raise ValueError(
            "says"
            f" {' and '.join(said) or 'nowhere'} how the shadow reaches the database; say one of: database_env ="
            ' "NAME" (an environment variable with its URL), database_check = "./cannot-write", or database = "none"'
        )
    if said != ["database"] and "start" not in given:
        raise ValueError('does not say what starts the shadow with that role: start = "ssh {host} …"')
