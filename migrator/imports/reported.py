"""A deployment that was read from somewhere, and what may be wrong with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from migrator.errors import UsageError

STATUSES = ("started", "succeeded", "failed", "rolled_back")
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Reported:
    """A deployment, as another system reports it.

    Args:
        where: file and line, or place in a document, for people.
        key: the same for every report about one deployment.
        shape, survives: revisions, as for `migrator deploy record`; None where the report does not say.
        at: when it began, or ended where `status` says so, by a foreign clock.
    """

    where: str
    key: str
    application: str
    version: str
    environment: str = "production"
    region: str = ""
    status: str = "succeeded"
    strategy: str = "rolling"
    shape: str | None = None
    survives: str | None = None
    at: datetime | None = None
    actor: str | None = None
    commit: str | None = None
    digest: str | None = None
    ci_run: str | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """What whoever imports says of deployments whose report does not."""

    application: str | None = None
    environment: str | None = None
    region: str = ""
    shape: str | None = None
    survives: str | None = None


@dataclass
class Faults:
    """What is wrong, item by item, so that all of it is said at once."""

    found: list[str] = field(default_factory=list)

    def add(self, where: str, problem: object) -> None:
        self.found.append(f"{where}: {problem}")

    def refuse(self) -> None:
        """Refuse everything where anything is wrong.

        Raises:
            UsageError: naming file and line of what is wrong first.
        """
        if not self.found:
            return
        more = f"\n  and {len(self.found) - SHOWN} more" if len(self.found) > SHOWN else ""
        shown = "".join(f"\n  {line}" for line in self.found[:SHOWN])
        raise UsageError(
            f"nothing was imported:{shown}{more}",
            next_step="mend these, and import again; what is known already is not recorded twice",
            problems=self.found,
        )


def moment(value: object) -> datetime | None:
    """A moment with its time zone, as RFC 3339 writes it; None for none.

    Raises:
        ValueError: it is none, or has no time zone.
    """
    if value in (None, ""):
        return None
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no time; write for example 2026-03-01T12:00:00Z") from None
    if found.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone; write for example 2026-03-01T12:00:00Z")
    return found


def text(value: object, name: str, longest: int = 255) -> str:
    """A text that is not empty.

    Raises:
        ValueError: it is none, or too long to be kept.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} is missing" if value in (None, "") else f"{name} is no text")
    if len(value) > longest:
        raise ValueError(f"{name} has more than {longest} characters")
    return value.strip()


def part(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """An object inside an object; empty where there is none."""
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def in_order(reports: Iterable[Reported]) -> list[Reported]:
    """Oldest first, as far as they say when they were; what says nothing keeps its place."""
    given = list(reports)
    if any(report.at is None for report in given):
        return given
    return sorted(given, key=lambda report: report.at.timestamp() if report.at else 0.0)
