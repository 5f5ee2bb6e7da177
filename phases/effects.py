"""What a running step may ask of the world, and what it is answered.

Steps that take more than one round trip are generators: they yield one of
these values and are sent the answer. Who waits, retries and records is decided
elsewhere (`migrator.execution`), so a test can drive a step with a list.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from phases.model import Lock

Cursor = Mapping[str, Any]
"""Where a step stands, as JSON."""


@dataclass(frozen=True, slots=True)
class Query:
    """Read something. Answer: the rows, a list of tuples."""

    sql: str


@dataclass(frozen=True, slots=True)
class Commit:
    """Run statements in one short transaction, with the record of it.

    `finishes` marks the step done in the same transaction. `reprepares`: only when no
    session can hold a prepared statement. Answer: None.
    """

    statements: tuple[str, ...] = ()
    locks: tuple[Lock, ...] = ()
    scans: bool = False
    finishes: bool = False
    reprepares: bool = False


@dataclass(frozen=True, slots=True)
class Alone:
    """Run one statement outside any transaction, without the short lock timeout.

    Answer: None.
    """

    sql: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Change some rows and save the cursor in the same transaction.

    `covers` is what the batch contributes to progress, in the step's unit.
    Answer: `Batched`.
    """

    sql: str
    cursor: Cursor
    finishes: bool = False


@dataclass(frozen=True, slots=True)
class Batched:
    """Outcome of a batch. `blocked`: another session held a row lock, nothing was changed or saved."""

    rows: int
    seconds: float
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait. Answer: None."""

    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the step is. Answer: None. `rows` counts rows changed or read so far."""

    done: int
    total: int
    unit: str
    rows: int
    note: str = ""


Effect = Query | Commit | Alone | Batch | Pause | Progress
Performance = Generator[Effect, Any, None]
