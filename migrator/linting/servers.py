"""The servers that scripts are for: their names and the versions that are known."""

from __future__ import annotations

from linters.dialects import NAMES
from migrator.errors import UsageError

Version = tuple[int, ...]
VERSIONS: dict[str, tuple[Version, Version]] = {
    "postgresql": ((12,), (18,)), "mysql": ((8, 0), (9,)), "mariadb": ((10, 6), (11, 8)),
}  # fmt: skip
"""Oldest and newest version that is known of each server; of what is not said of one, the newest is meant."""
USUAL: dict[str, int | Version] = {"postgresql": 17, "mysql": (8, 4), "mariadb": (10, 11)}
"""The version that is assumed where none is given."""
ANY = 999


def chosen_dialect(name: str) -> str:
    """The name of a dialect, or the usual one.

    Raises:
        UsageError: it is not one of those the linter knows.
    """
    if name and name not in NAMES:
        raise UsageError(f"the linter does not know {name}", next_step=f"known are: {', '.join(NAMES)}")
    return name or NAMES[0]


def release(version: str, name: str) -> int | Version | None:
    """The version of a server: of PostgreSQL the major one, of others all that is said. None where none is given.

    Raises:
        UsageError: the linter does not know it.
    """
    if not version:
        return None
    found = tuple(int(part) for part in version.split("."))
    oldest, newest = VERSIONS[name]
    if (*found, ANY) < oldest or found[: len(newest)] > newest:
        known = " to ".join(dotted(bound) for bound in (oldest, newest))
        raise UsageError(f"{name} {version} is not known to the linter", next_step=f"--server-version {known}")
    return found[0] if name == "postgresql" else found


def dotted(version: int | Version) -> str:
    return str(version) if isinstance(version, int) else ".".join(map(str, version))
