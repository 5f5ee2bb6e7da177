"""How each kind of step is carried out, as a generator of effects."""

from __future__ import annotations

from phases.backfill import Pacing, perform_fill
from phases.catalog import Server
from phases.effects import Alone, Commit, Cursor, Performance, Query
from phases.model import BuildIndex, Fill, RemoveIndex, Script, Step, Transaction, Verify
from phases.scripts import perform_script
from phases.verification import perform_verify

BUILD_ATTEMPTS = 5


def perform(step: Step, cursor: Cursor | None, server: Server, pacing: Pacing) -> Performance:
    """Carry out one step, from where `cursor` says it stopped.

    Raises:
        TypeError: the step is of a kind this program does not know.
    """
    match step:
        case Script():
            return perform_script(step, cursor)
        case Transaction():
            return perform_transaction(step)
        case BuildIndex():
            return perform_build(step)
        case RemoveIndex():
            return perform_removal(step)
        case Fill():
            return perform_fill(step, cursor, server, pacing)
        case Verify():
            return perform_verify(step, cursor, server, pacing.target_seconds)
    raise TypeError(f"unknown kind of step: {type(step).__name__}")


def perform_transaction(step: Transaction) -> Performance:
    yield Commit(
        step.statements,
        step.locks,
        step.scans,
        finishes=True,
        reprepares=step.reprepares,
        unread=step.unread,
        bounded=step.bounded,
        closing=step.closing,
    )


def perform_build(step: BuildIndex) -> Performance:
    """Build until the index is valid.

    A build that was killed or lost a deadlock leaves an invalid index, which
    is maintained by every write and used by no query: it is dropped first.
    """
    for _ in range(BUILD_ATTEMPTS):
        state = yield Query(step.state)
        if state and state[0][0]:
            break
        if state:
            yield Alone(step.drop)
        yield Alone(step.create)
    yield Commit(finishes=True)


def perform_removal(step: RemoveIndex) -> Performance:
    """Drop unless it is gone already."""
    if (yield Query(step.state)):
        yield Alone(step.drop)
    yield Commit(finishes=True)
