"""The lock that only one runner may hold; it lives as long as its session."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator.errors import RunnerBusy

if TYPE_CHECKING:
    from migrator.database import Session


def take_runner_lock(session: Session, attempts: Sequence[float] = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)) -> None:
    """Take the lock that only one runner may hold; it lives as long as the session.

    Args:
        attempts: seconds to wait before each further try. The server needs a
            moment to notice that a killed runner is gone.

    Raises:
        RunnerBusy: naming the session that holds it, or that workers of a runner that is gone are still there.
    """

    granted = False
    for wait in (*attempts, None):
        granted = granted or bool(session.query(session.family.questions["try lock"])[0][0])
        if granted and session.query(session.family.no_workers())[0][0]:
            return
        if wait is not None:
            time.sleep(wait)
    if granted:
        raise RunnerBusy(
            "workers of an earlier run are still at their last batches",
            next_step="wait a moment, then run the same command again",
        )
    owner = runner_owner(session)
    raise RunnerBusy(
        f"another runner is at work: {owner}" if owner else "another runner was at work a moment ago",
        next_step="wait for it, or look at it with: migrator status",
        owner=owner,
    )


def runner_owner(session: Session) -> str | None:
    """Name the session that holds the runner lock; None where nobody does."""
    for pid, name, user, since in session.query(session.family.owner()):
        return f'"{name}" (pid {pid}, role {user}, since {since:%Y-%m-%d %H:%M:%S %Z})'
    return None
