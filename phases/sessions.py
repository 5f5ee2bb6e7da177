"""Which build a session is of, as far as its application name says so.

A name that says it is `app/version`, `app@version` or `app version`, perhaps with `#` and the instance, and with
further words behind a blank. Behind a blank something is a version only where it was recorded, or begins with a
digit: `shop worker` names no version.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

LONGEST = 63
"""Bytes of an application name that the server keeps."""

Builds = Mapping[str, Mapping[str, bool]]
"""By application and version, what was recorded: whether that build survives the contract."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a client. Since when, and from which address, is None where the role may not see it, or nobody."""

    pid: int
    name: str
    since: datetime | None = None
    address: str | None = None

    def __str__(self) -> str:
        if self.since is None and self.address is not None:
            return f'pid {self.pid} "{self.name}" from {self.address or "a socket"}'
        if self.since is None:
            return f'pid {self.pid} "{self.name}" (since when and from where, this role may not see)'
        return f'pid {self.pid} "{self.name}" from {self.address or "a socket"} since {self.since:%Y-%m-%d %H:%M:%S %Z}'


@dataclass(frozen=True, slots=True)
class Seen:
    """Sessions by what is known of their builds.

    `silent` ones are of a recorded application, and name no version; `unknown` ones are of nobody who is recorded.
    """

    old: tuple[Session, ...] = ()
    unrecorded: tuple[Session, ...] = ()
    silent: tuple[Session, ...] = ()
    unknown: tuple[Session, ...] = ()


def sort_out(sessions: Sequence[Session], builds: Builds, tools: Sequence[str] = ()) -> Seen:
    """Tell sessions of builds that do not survive a contract from the others. `tools`: names that need no build."""
    old, unrecorded, silent, unknown = [], [], [], []
    for session in sessions:
        if build_of(session.name, {tool: {} for tool in tools})[0] is not None:
            continue
        application, version = build_of(session.name, builds)
        if application is None:
            unknown.append(session)
            continue
        if version is None:
            silent.append(session)
            continue
        known = recorded(session.name, version, builds[application])
        if not known:
            unrecorded.append(session)
        elif not all(known):
            old.append(session)
    return Seen(tuple(old), tuple(unrecorded), tuple(silent), tuple(unknown))


def build_of(name: str, builds: Builds) -> tuple[str | None, str | None]:
    """Application and version that a name says; None for what it does not say, or what was never recorded."""
    name = without_instance(name)
    for application in sorted(builds, key=len, reverse=True):
        if name == application:
            return application, None
        if not name.startswith(application) or name[len(application)] not in " /@":
            continue
        separator, rest = name[len(application)], name[len(application) + 1 :]
        word = rest.split(" ")[0]
        if separator != " " and word:
            return application, word
        version = next((v for v in sorted(builds[application], key=len, reverse=True) if same(rest, v)), None)
        return application, version or (word if re.match(r"v?\d", word) else None)
    return None, None


def without_instance(name: str) -> str:
    """A name without the instance that follows `#`: every instance of a build is one."""
    before, mark, _ = name.partition("#")
    return before if mark and ("/" in before or "@" in before) else name


def same(rest: str, version: str) -> bool:
    return rest == version or rest.startswith(f"{version} ")


def recorded(name: str, version: str, versions: Mapping[str, bool]) -> list[bool]:
    """What was recorded of a version; of all that it may be, where the server has cut the name."""
    if version in versions:
        return [versions[version]]
    cut = len(name.encode()) >= LONGEST and name.endswith(version)
    return [clean for known, clean in versions.items() if cut and known.startswith(version)]
