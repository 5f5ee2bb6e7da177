"""What a server has to carry while rows are written: old versions, a disk that fills, old transactions.

Readings in, a verdict and its reason out, as in `phases.pressure`.
"""

from __future__ import annotations

from dataclasses import dataclass

from phases.pressure import amount
from phases.replication import CAUGHT_UP, Verdict

RESERVE, RESERVED = 1 << 30, 0.02
"""Bytes that have to stay free on the disk where nobody says otherwise, and the share of a small one."""
ROOM = 1.25
"""Times the reserve that has to be free again before batches go on, so that they do not flutter."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """The oldest transaction of others that keeps old versions of rows: who has it, and how to end it."""

    who: str
    seconds: float
    ends: str


def judge_history(length: int, limit: int, *, paused: bool = False) -> Verdict:
    """Whether InnoDB has so many old versions to purge that none may be added.

    Args:
        length: transactions in the history list.
        paused: batches are waiting already.
    """
    if length <= limit * (CAUGHT_UP if paused else 1.0):
        return Verdict(True)
    said = f"down to {limit * CAUGHT_UP:,.0f}" if paused else f"more than {limit:,}"
    return Verdict(False, f"the history of InnoDB has {length:,} transactions to purge ({said}): an old one holds them")


def usual_reserve(size: int) -> int:
    """Bytes that have to stay free on a disk of so many."""
    return min(RESERVE, int(RESERVED * size))


def judge_disk(free: int, reserve: int, *, paused: bool = False) -> Verdict:
    """Whether so little of the disk is free that nothing may be added.

    Args:
        free: bytes of the disk of the data.
        reserve: bytes that have to stay free.
    """
    needed = reserve * (ROOM if paused else 1.0)
    if free >= needed:
        return Verdict(True)
    return Verdict(False, f"{amount(free)} of the server's disk are free ({amount(needed)} have to be)")


def judge_transaction(oldest: Transaction | None, limit: float) -> Verdict:
    """Whether a transaction is so old that what updates leave behind would pile up behind it.

    Args:
        limit: seconds.
    """
    if oldest is None or oldest.seconds <= limit:
        return Verdict(True)
    said = f"{oldest.who} is in a transaction for {oldest.seconds:,.0f} s (more than {limit:,.0f})"
    return Verdict(False, f"{said}, and no row that it may see is cleared away; where nobody needs it, {oldest.ends}")
