"""Ask what the server has to carry, whatever its kind: history, disk, old transactions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from migrator import local_disk
from migrator.errors import Cancelled, ConnectionFailed, DatabaseError
from phases.burdens import Transaction, judge_disk, judge_history, judge_transaction, usual_reserve
from phases.pressure import Limits
from phases.replication import Verdict

if TYPE_CHECKING:
    from migrator.database import Session


def burdens(session: Session, limits: Limits, *, paused: bool) -> Iterator[Verdict]:
    """Read once, and judge each of them; what cannot be read is said, and holds nothing up.

    Args:
        paused: batches are waiting already.
    """
    family, server = session.family, session.server
    if limits.history and (question := family.history(server)):
        length, unknown = number(session, question, "how much of its history InnoDB has to purge")
        yield judge_history(length, limits.history, paused=paused) if length is not None else Verdict(True, "", unknown)
    if limits.disk != 0:
        yield disk(session, limits.disk, paused=paused)
    if limits.transaction:
        yield oldest(session, limits.transaction)


def disk(session: Session, reserve: int | None, *, paused: bool) -> Verdict:
    """What is free is looked at where it is known; that it is not is said where somebody asked for it."""
    found = local_disk.disk(session.family, session.query)
    if found is not None:
        return judge_disk(found.free, usual_reserve(found.size) if reserve is None else reserve, paused=paused)
    said = "how much of the server's disk is free is known on its own machine only"
    return Verdict(True, unknown=said if reserve is not None else "")


def oldest(session: Session, limit: float) -> Verdict:
    rows, unknown = asked(session, session.family.oldest_transaction(), "how old transactions are")
    if unknown:
        return Verdict(True, unknown=unknown)
    found = None
    for pid, name, user, seconds in rows:
        if pid is None:
            found = Transaction(f'prepared transaction "{name}" of {user}', seconds, f"ROLLBACK PREPARED '{name}'")
        else:
            ends = session.family.ends_session.replace("number", str(pid)).replace("(pid)", f"({pid})")
            found = Transaction(f'pid {pid} "{name}" (role {user})', seconds, ends)
    return judge_transaction(found, limit)


def number(session: Session, question: str, what: str) -> tuple[int | None, str]:
    """One number, or why it is not known."""
    rows, unknown = asked(session, question, what)
    if rows and rows[0][0] is not None:
        return int(rows[0][0]), ""
    return None, unknown or f"the server does not say {what}"


def asked(session: Session, question: str, what: str) -> tuple[list[tuple[Any, ...]], str]:
    try:
        return session.query(question), ""
    except (ConnectionFailed, Cancelled):
        raise
    except DatabaseError as problem:
        return [], f"the server does not say {what}: {problem.message}"
