"""The errors of a step that could not go on: what is in its way, and how to go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from migrator.errors import LockNotAvailable, RowsSetAside, StepFailed
from phases.errors import Unchanged
from phases.model import Lock, Phase

if TYPE_CHECKING:
    from migrator.ledger.records import StepRecord

SAMPLE = 5


def set_aside(record: StepRecord, failing: Unchanged) -> RowsSetAside:
    """The error that says which rows, why, and how to go on."""
    going = "apply --phase contract --to" if record.phase is Phase.CONTRACT else "retry"
    back = "restore" if record.phase is Phase.CONTRACT else "abort"
    verb = going if record.undoes is None else back
    count = len(failing.rows)
    counted = f'{count} {"row" if count == 1 else "rows"} of "{failing.table}"'
    said = f"{counted} could not be changed and {'is' if count == 1 else 'are'} set aside"
    if failing.limit is not None:
        said += f"; it stopped there, because {failing.limit} may be"
    lines = "".join(f"\n  {row}" for row in failing.rows[:SAMPLE])
    more = f"\n  and {count - SAMPLE} more" if count > SAMPLE else ""
    remedy = f"mend them, then: migrator {verb} {record.revision}"
    if failing.limit is not None:
        remedy += f"; or let more fail, with set_aside_limit (MIGRATOR_SET_ASIDE_LIMIT={10 * max(10, count)})"
    return RowsSetAside(
        f"{record.name}: {said}{lines}{more}",
        next_step=remedy + (f"; or take it back: migrator {back} {record.revision}" if verb == going else ""),
        table=str(failing.table),
        rows=count,
        limit=failing.limit,
        sample=[
            {"key": list(row.key), "sqlstate": row.failure.sqlstate, "message": row.failure.message}
            for row in failing.rows[:SAMPLE]
        ],
    )


def give_up(step: str, locks: tuple[Lock, ...], blockers: tuple[str, ...], attempts: int) -> LockNotAvailable:
    """The error that names who holds the lock."""
    tables = ", ".join(f'"{lock.table}"' for lock in locks)
    held = "\n  ".join(("held by:", *blockers)) if blockers else "the holder is gone by now"
    return LockNotAvailable(
        f"{step}: the lock on {tables} was not granted in {attempts} tries; {held}",
        next_step="end that transaction, then run the same command again; nothing was left half done",
        table=tables,
        mode=locks[0].mode.value if locks else "",
        blockers=list(blockers),
        attempts=attempts,
    )


def too_long(record: StepRecord, locks: tuple[Lock, ...], timeout_ms: int) -> StepFailed:
    """The error of a step that would have kept others waiting for longer than they may."""
    tables = ", ".join(f'"{lock.table}"' for lock in locks)
    back = (
        "make the table smaller"
        if record.undoes is not None
        else f"take it back: migrator {'restore' if record.phase is Phase.CONTRACT else 'abort'} {record.revision}"
    )
    return StepFailed(
        f"{record.name}: it was not done in {timeout_ms / 2:g} ms, half the lock timeout, and was undone: reads and"
        f" writes of {tables} would have waited for the rest",
        next_step=f"{back}; or run the same command again at a quiet time, or with a longer lock_timeout",
        tables=[str(lock.table) for lock in locks],
        limit_ms=timeout_ms / 2,
    )
