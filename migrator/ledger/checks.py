"""What was recorded for the checklist: entries of the audit log, so that its chain keeps them as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from migrator.ledger import audit, dialect, store
from migrator.ledger.tables import events

if TYPE_CHECKING:
    from sqlalchemy import Connection

RECORDED = "checklist recorded"
WAIVED = "checklist waived"
MOST = 200
"""Entries about one thing that are looked at, the newest first."""


@dataclass(frozen=True, slots=True)
class Given:
    """What is recorded.

    Args:
        about: `readiness`, `liveness`, `smoke`, `budget` or `backup`.
        ok: None: that could not be found out; nothing of that kind is recorded.
        at: when it was so; None: when it is recorded.
        command: what was run, with its exit code and the seconds that it took; None: somebody says so.
    """

    about: str
    ok: bool | None
    said: str
    at: datetime | None = None
    application: str = ""
    version: str = ""
    share: float | None = None
    command: str | None = None
    exit_code: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """What was recorded, when, by whom, and in which database."""

    given: Given
    recorded_at: datetime
    actor: str
    place: str


@dataclass(frozen=True, slots=True)
class WaiverRecord:
    """An item that may be done without until a moment, by whose word."""

    item: str
    reason: str
    actor: str
    at: datetime
    until: datetime
    place: str


def record(connection: Connection, given: Given) -> None:
    """Record what was found."""
    detail = {name: audit.plain(value) for name, value in asdict(given).items() if value not in (None, "")}
    write(connection, RECORDED, given.about, detail)


def waive(connection: Connection, item: str, reason: str, until: datetime) -> None:
    """Record that an item may be done without."""
    write(connection, WAIVED, item, {"reason": reason, "until": audit.plain(until)})


def write(connection: Connection, kind: str, about: str, detail: Mapping[str, Any]) -> None:
    place = dialect.place(connection).name
    store.record_event(connection, kind, step=about, detail={**detail, "place": place})


def entries(connection: Connection, kind: str, about: str) -> list[tuple[datetime, str, dict[str, Any]]]:
    """The newest entries of a kind about something, oldest first: when, by whom, and what."""
    wanted = select(events.c.at, events.c.actor, events.c.detail).where(events.c.kind == kind, events.c.step == about)
    rows = connection.execute(wanted.order_by(events.c.id.desc()).limit(MOST)).all()
    return [(at, actor, dict(detail)) for at, actor, detail in reversed(rows)]


def records(connection: Connection, about: str) -> list[CheckRecord]:
    """What was recorded about something, oldest first."""
    found = []
    for at, actor, detail in entries(connection, RECORDED, about):
        place = detail.pop("place", "")
        moment = moment_of(detail.pop("at", None)) or at
        found.append(CheckRecord(Given(**{"said": "", **detail}, at=moment), at, actor, place))
    return found


def waivers(connection: Connection, item: str) -> list[WaiverRecord]:
    """Waivers of an item, oldest first, those that are over, too."""
    found = []
    for at, actor, detail in entries(connection, WAIVED, item):
        until = moment_of(detail["until"]) or at
        found.append(WaiverRecord(item, detail["reason"], actor, at, until, detail.get("place", "")))
    return found


def moment_of(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).astimezone(UTC) if text else None
