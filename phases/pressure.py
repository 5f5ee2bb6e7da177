"""What piles up on the server while rows are written: readings of log and dead rows in, a verdict and its reason out.

Log that waits to be archived, or for whoever reads a replication slot, fills the disk until
somebody takes it away, so batches wait for that. Dead rows are cleared by vacuum; what vacuum cannot
clear (an old transaction may still see it) no wait makes less, so that wait ends by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from phases.replication import CAUGHT_UP, Verdict

FEW_ROWS = 100_000
"""Dead rows that never make a batch wait, however small the table."""
VACUUM_SHARE = 0.2
"""Dead rows, as a share of the live, at which autovacuum comes where nobody says otherwise."""
VACUUM_PATIENCE = 600.0
"""Seconds to wait for a vacuum; autovacuum looks at a table once in a minute, unless its workers are busy."""
LOG_FILE = 1 << 32
"""Bytes of WAL that share the middle eight digits of the name of a segment."""
UNITS = ("B", "kB", "MB", "GB", "TB")


@dataclass(frozen=True, slots=True)
class Limits:
    """What may pile up; 0: no limit.

    Args:
        archive, slots: bytes of WAL that may wait for the archive and for slots.
        dead: dead rows, as a share of the live.
        history: transactions that InnoDB may have to purge.
        disk: bytes that have to stay free; None: as many as are usual, where the server knows.
        transaction: seconds that a transaction of others may be old.
    """

    archive: int = 0
    slots: int = 0
    dead: float = 0.0
    history: int = 0
    disk: int | None = 0
    transaction: float = 0.0


@dataclass(frozen=True, slots=True)
class Archive:
    """WAL that waits to be archived.

    `queued`: bytes; None where it cannot be known. `failing`: the file that archiving failed for last, where it has
    not gone on since.
    """

    queued: int | None = 0
    failing: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """A replication slot: bytes of WAL kept for it, whether somebody reads it, and its `wal_status` (since 13)."""

    name: str
    retained: int = 0
    active: bool = False
    status: str = ""


@dataclass(frozen=True, slots=True)
class Rows:
    """What the statistics know of a table.

    `vacuums`: how often it was vacuumed. `served`: autovacuum takes care of it. `swept`: we vacuum it by now.
    """

    table: str
    live: int = 0
    dead: int = 0
    vacuums: int = 0
    served: bool = True
    swept: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait for a vacuum: its seconds so far, and how many vacuums there had been when it began."""

    seconds: float
    vacuums: int


def judge_archive(archive: Archive, limit: int, *, paused: bool = False) -> Verdict:
    """Whether so much WAL waits to be archived that nothing may be added.

    Args:
        limit: bytes.
        paused: batches are waiting already.
    """
    fails = f"; archiving fails, last for {archive.failing}" if archive.failing else ""
    if archive.queued is None:
        return Verdict(True, unknown=f"how much WAL waits to be archived, this role may not see{fails}")
    if archive.queued <= allowed(limit, paused):
        return Verdict(True)
    return Verdict(False, f"{amount(archive.queued)} of WAL wait to be archived ({said(limit, paused)}){fails}")


def judge_slots(slots: Sequence[Slot], limit: int, *, paused: bool = False) -> Verdict:
    """Whether so much WAL is kept for a replication slot that nothing may be added.

    A slot whose WAL the server is about to remove is waited for; for one that has lost it, nothing more can be done.
    """
    lost = [slot.name for slot in slots if slot.status == "lost"]
    unknown = f"WAL that slot {', '.join(lost)} needs is gone: its reader has to begin again" if lost else ""
    kept = [slot for slot in slots if slot.status != "lost"]
    late = [slot for slot in kept if slot.retained > allowed(limit, paused) or slot.status == "unreserved"]
    if not late:
        return Verdict(True, unknown=unknown)
    worst = max(late, key=lambda slot: (slot.status == "unreserved", slot.retained))
    reason = f"{amount(worst.retained)} of WAL are kept for replication slot {worst.name} ({said(limit, paused)})"
    if worst.status == "unreserved":
        reason += ", and the server is about to remove what it needs"
    if not worst.active:
        reason += f"; nobody reads it: where nobody will, SELECT pg_drop_replication_slot('{worst.name}')"
    return Verdict(False, reason, unknown)


def judge_rows(rows: Rows, limit: float, *, forgiven: int = 0, wait: Wait | None = None) -> Verdict:
    """Whether a table has so many dead rows that vacuum should come first.

    Never stops for long: a wait is over when the table was vacuumed, whatever that could clear, or after
    `VACUUM_PATIENCE`; what was left then is forgiven.

    Args:
        limit: dead rows as a share of the live ones.
        forgiven: dead rows that were waited for before.
        wait: of the wait that is under way.
    """
    budget = max(FEW_ROWS, int(rows.live * limit))
    if rows.dead <= forgiven + budget * (CAUGHT_UP if wait else 1.0):
        return Verdict(True)
    counted = f'"{rows.table}" has {rows.dead:,} dead rows beside {rows.live:,} live ones'
    if not rows.served and not rows.swept:
        return Verdict(True, unknown=f"{counted}, and autovacuum is off for it: VACUUM it")
    if wait and rows.vacuums > wait.vacuums:
        return Verdict(True, unknown=f"{counted}, though it was vacuumed: an old transaction or slot may hold them")
    if wait and wait.seconds >= VACUUM_PATIENCE:
        return Verdict(True, unknown=f"{counted}, and no vacuum came in {VACUUM_PATIENCE / 60:g} minutes")
    whose = "our vacuum" if rows.swept else "autovacuum"
    return Verdict(False, f"{counted} (more than {forgiven + budget:,}): {whose} is behind")


def needs_vacuum(rows: Rows, left: int) -> bool:
    """Whether a table has so many dead rows that autovacuum would have come by now, and it never does.

    Args:
        left: dead rows that were there after the last vacuum of ours.
    """
    return not rows.served and rows.dead > left + max(FEW_ROWS, int(rows.live * VACUUM_SHARE))


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """Several verdicts as one."""
    reasons = "; ".join(verdict.reason for verdict in verdicts if verdict.reason)
    unknown = "; ".join(verdict.unknown for verdict in verdicts if verdict.unknown)
    return Verdict(all(verdict.go for verdict in verdicts), reasons, unknown)


def queued_since(last: str, current: str, segment: int) -> int | None:
    """Bytes of complete WAL files after the one archived last; None where its name does not say.

    Args:
        last, current: names of the file archived last, and of the one written to.
        segment: bytes of a file.
    """
    numbers = [number(name, segment) for name in (last, current)]
    if numbers[0] is None or numbers[1] is None:
        return None
    return max(0, numbers[1] - numbers[0] - 1) * segment


def number(name: str, segment: int) -> int | None:
    found = re.match(r"[0-9A-F]{8}([0-9A-F]{8})([0-9A-F]{8})", name)
    return int(found[1], 16) * (LOG_FILE // segment) + int(found[2], 16) if found else None


def allowed(limit: int, paused: bool) -> float:
    return limit * (CAUGHT_UP if paused else 1.0)


def said(limit: int, paused: bool) -> str:
    return f"down to {amount(int(limit * CAUGHT_UP))}" if paused else f"more than {amount(limit)}"


def amount(size: float) -> str:
    """Bytes for people, in the units of the server."""
    for unit in UNITS[:-1]:
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} {UNITS[-1]}"
