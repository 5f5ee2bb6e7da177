"""How the values of settings are written: URLs, durations, sizes, shares, lists; and URLs without their passwords."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from migrator.errors import SettingsError
from phases.staffing import MOST_WORKERS

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
DRIVERS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}
MINIMUM_GATE_HOURS = 24.0
GATE_POLICIES = ("standard", "strict")
"""What shuts the gate: what was seen, or also what could not be looked at."""
ROW_IMAGES = ("server", "minimal")
"""What a backfill writes to the binary log of each row: as the server is set, or the key and what has changed."""
Readers = Mapping[str, Callable[[object], Any]]
"""What reads the values of a table of settings, by key."""


def mask(text: str) -> str:
    """Hide passwords of URLs and connection strings, wherever they stand in a text."""
    # To the last @ of the line: a raw password may hold spaces and @ itself. Rather too much than too little.
    if "://" in text:
        text = re.sub(r"(\w[\w+.-]*://[^\s:/]*:)(?!\*\*\*@)(?:(?!\s+\S*://)[^\n])*@", r"\1***@", text)
    if "=" not in text:
        return text
    quoted = r"'(?:[^'\\]|\\.)*'(?=[\s,;)]|$)"
    return re.sub(rf"(?i)((?:password|passwd|pwd)\s*=\s*)({quoted}|[^\s&]+)", r"\1***", text)


def normalise_url(url: str) -> str:
    """Name the driver we use; `postgresql://` means another one to each version of SQLAlchemy.

    Raises:
        SettingsError: no URL, or one of an unknown kind. Never shows the password.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or not re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        raise SettingsError("the database URL has no scheme", next_step="postgresql://user:password@host:5432/database")
    family = scheme.partition("+")[0].lower()
    if family not in DRIVERS:
        near = nearest(family, DRIVERS)
        hint = f'did you mean "{near}://"?' if near else f"known are: {', '.join(sorted(DRIVERS))}"
        raise SettingsError(f'the database URL has an unknown scheme "{family}"', next_step=hint)
    normal = f"{DRIVERS[family]}://{rest}"
    try:
        from sqlalchemy import make_url

        if "@" in (make_url(normal).host or ""):
            raise ValueError("an @ that is not percent-encoded makes part of the password the host")
    except Exception:
        raise SettingsError(
            "the database URL cannot be read (special characters in the password must be percent-encoded)",
            next_step="postgresql://user:password@host:5432/database",
        ) from None
    return normal


def duration(text: object) -> float:
    """Read `500ms`, `2s`, `5m`, `24h`, `7d` as seconds.

    Raises:
        ValueError: it is none of these.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)\s*", str(text))
    if not found:
        raise ValueError(f"{text!r} is not a duration; write for example 500ms, 2s, 5m, 24h or 7d")
    return float(found[1]) * UNITS[found[2]]


def lag(text: object) -> float:
    """Read a duration, or `0`.

    Raises:
        ValueError: it is neither.
    """
    return 0.0 if str(text).strip() == "0" else duration(text)


def latency(text: object) -> float | None:
    """Read a duration, `0`, or `auto`, which is None.

    Raises:
        ValueError: it is none of these.
    """
    if str(text).strip() == "auto":
        return None
    try:
        return lag(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a latency; write for example 50ms, or auto, or 0") from None


SIZES = {"": 1, "B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}
"""Units of sizes, as PostgreSQL counts them."""


def size(text: object) -> int:
    """Read `500MB`, `20GB`, `1.5TB` as bytes.

    Raises:
        ValueError: it is none of these.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    units = {unit.lower(): factor for unit, factor in SIZES.items()}
    if not found or found[2].lower() not in units:
        raise ValueError(f"{text!r} is not a size; write for example 500MB, 20GB or 1.5TB")
    return int(float(found[1]) * units[found[2].lower()])


def share(text: object) -> float:
    """Read `50%`, or `0`.

    Raises:
        ValueError: it is neither.
    """
    found = re.fullmatch(r"\s*(?:(\d+(?:\.\d+)?)\s*%|0)\s*", str(text))
    if not found:
        raise ValueError(f"{text!r} is not a share; write for example 50%, or 0")
    return float(found[1] or 0) / 100


def positive(text: object) -> int:
    if not re.fullmatch(r"\s*\+?0*[1-9]\d*\s*", str(text)):
        raise ValueError(f"{text!r} is not a whole number above zero")
    return int(str(text))


def workers(text: object) -> int | None:
    """Read a number of workers, or `auto`, which is None.

    Raises:
        ValueError: it is neither, or more than anybody needs.
    """
    if str(text).strip() == "auto":
        return None
    try:
        number = positive(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number of workers; write for example 2, or auto") from None
    if number > MOST_WORKERS:
        raise ValueError(f"{number} is more than {MOST_WORKERS} workers; write for example 2, or auto")
    return number


def whole(text: object) -> int:
    if not re.fullmatch(r"\s*\+?\d+\s*", str(text)):
        raise ValueError(f"{text!r} is not a whole number")
    return int(str(text))


def hours(text: object) -> float:
    value = float(str(text))
    if not MINIMUM_GATE_HOURS <= value < float("inf"):  # nan is neither
        raise ValueError(
            f"the gate cannot be set below {MINIMUM_GATE_HOURS:g} hours; a single contract can be let through"
            ' with: migrator apply --phase contract --to REVISION --override --reason "…"'
        )
    return value


def patterns(value: object) -> tuple[str, ...]:
    """Read a list of application names, each perhaps with `*`."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(f'{value!r} is not a list of application names; write for example ["shop", "report-*"]')
    return tuple(item.strip() for item in value if item.strip())


def url(value: object) -> str:
    """Read a database URL."""
    return normalise_url(str(value))


def urls(value: object) -> tuple[str, ...]:
    """Read a list of database URLs; an empty one is one, too."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise ValueError(f'{value!r} is not a list of URLs; write for example ["mysql://user@replica/shop"]')
    found = tuple(item.strip() for item in value if item.strip())
    for item in found:
        normalise_url(item)
    return found


def row_image(text: object) -> str:
    if str(text) not in ROW_IMAGES:
        raise ValueError(f"{text!r} is none of {', '.join(ROW_IMAGES)}")
    return str(text)


def gate_policy(text: object) -> str:
    if str(text) not in GATE_POLICIES:
        raise ValueError(f"{text!r} is none of {', '.join(GATE_POLICIES)}")
    return str(text)


def text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("must be text in quotes")
    return value


def command(value: object) -> str:
    """Read a command, which is run without a shell."""
    said = text(value)
    try:
        words = shlex.split(said)
    except ValueError as problem:
        raise ValueError(f"{said!r} is no command: {problem}") from None
    if not words:
        raise ValueError('is empty; write for example "./smoke.sh"')
    return said


def table(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("must be a table")
    return value


def fields_of(name: str, given: Mapping[str, Any], readers: Readers) -> dict[str, Any]:
    """The values of a table, read.

    Raises:
        ValueError: naming the key, and the near miss of one that is not known.
    """
    found = {}
    for key, value in given.items():
        if key not in readers:
            near = nearest(key, readers)
            hint = f'did you mean "{near}"?' if near else f"known are: {', '.join(readers)}"
            raise ValueError(f'unknown setting "{key}" of {name}; {hint}')
        try:
            found[key] = readers[key](value)
        except ValueError as problem:
            raise ValueError(f"{key}: {problem}") from None
    return found


def nearest(word: str, known: Iterable[str]) -> str:
    """The one of some words that was probably meant; empty for none."""
    import difflib  # for mistakes only, like the reader of TOML for files that are there

    return next(iter(difflib.get_close_matches(word, list(known), n=1)), "")
