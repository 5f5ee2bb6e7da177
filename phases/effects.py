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

BY_FUNCTION = "PY000"

Cursor = Mapping[str, Any]
"""Where a step stands, as JSON."""

Key = tuple[str, ...]
"""The key of a row as text, column by column; its physical address where the table has none."""


@dataclass(frozen=True, slots=True)
class Query:
    """Read something. Answer: the rows, a list of tuples.

    `anywhere`: what a replica answers is as good, where one is given. `ahead`: what the batch before has written
    does not matter.
    """

    sql: str
    anywhere: bool = False
    ahead: bool = False


@dataclass(frozen=True, slots=True)
class Look:
    """Compare the rows of one chunk, on a replica where one is given. Answer: `Looked`.

    The first number of the only row that answers it is how many were compared.
    """

    sql: str


@dataclass(frozen=True, slots=True)
class Looked:
    """Outcome of a look. `most_rows`: what the next one may have, where somebody limits the rate."""

    row: tuple[Any, ...]
    seconds: float
    most_rows: float | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """Save up to where rows have been found equal. Answer: None."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Commit:
    """Run statements in one short transaction, with the record of it.

    `finishes` marks the step done in the same transaction. `reprepares`: only when no
    session can hold a prepared statement. `unread`: what the statements lock is not known.
    `bounded`: waiting for the locks and the statements have half the lock timeout each.
    `closing`: locks that the last statement takes, which is tried again by itself.
    `cursor`, where it is given, is saved in the same transaction. Answer: None.
    """

    statements: tuple[str, ...] = ()
    locks: tuple[Lock, ...] = ()
    scans: bool = False
    finishes: bool = False
    reprepares: bool = False
    unread: bool = False
    bounded: bool = False
    closing: tuple[Lock, ...] = ()
    cursor: Cursor | None = None


@dataclass(frozen=True, slots=True)
class Alone:
    """Run one statement outside any transaction, without the short lock timeout.

    Answer: None.
    """

    sql: str


@dataclass(frozen=True, slots=True)
class Define:
    """Run one statement that commits by itself, waiting no longer for its lock than any other.

    `otherwise` is run where the server cannot do it in place. Answer: None.
    """

    sql: str
    otherwise: str = ""
    locks: tuple[Lock, ...] = ()


@dataclass(frozen=True, slots=True)
class Note:
    """Save where the step stands, with nothing else. Answer: None."""

    cursor: Cursor


@dataclass(frozen=True, slots=True)
class Batch:
    """Change some rows and save the cursor in the same transaction.

    `settles` is the key of a row set aside that this batch tries again: its
    record goes with the commit. `claim` is asked first, and locks the rows without
    waiting for any. `parameters`: what stands in the placeholders (`%s`) of `sql`, for each time it is run; where
    there are none it is run once, as it is. Answer: `Batched`.
    """

    sql: str
    cursor: Cursor
    settles: Key | None = None
    claim: str = ""
    parameters: tuple[tuple[Any, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Compute:
    """Let a function of the user's make values of rows, while no transaction is open.

    `names` are those of the columns of each row. Answer: a list with the values of each row, in the order of the
    step's `writes`, or a `Failure` where the function raises or its answer cannot be used.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """What the server said of rows it would not change; `sqlstate` has five characters.

    `BY_FUNCTION` stands there where it was a function of the user's that said it.
    """

    sqlstate: str
    message: str


@dataclass(frozen=True, slots=True)
class Batched:
    """Outcome of a batch.

    `blocked`: another session held a row lock. `failure`: the values of some row
    are to blame. Either way nothing was changed or saved. `most_rows`: what the next one
    may have, where somebody limits the rate. `room`: transactions that a pass over a window of pages should have.
    """

    rows: int
    seconds: float
    blocked: bool = False
    failure: Failure | None = None
    most_rows: float | None = None
    room: int | None = None


@dataclass(frozen=True, slots=True)
class SetAside:
    """Record a row that fails, and save the cursor that leaves it behind, in one transaction.

    `sql` asks for the key of the row; a row that is gone by then is not recorded.
    Answer: how many rows the step has set aside by now, an int.
    """

    sql: str
    cursor: Cursor
    failure: Failure


@dataclass(frozen=True, slots=True)
class ListAside:
    """Ask which rows the step has set aside. Answer: a list of `RowAside`, oldest first."""


@dataclass(frozen=True, slots=True)
class RowAside:
    """A row that was set aside, by its key."""

    key: Key
    failure: Failure

    def __str__(self) -> str:
        said = self.failure.sqlstate
        by = "by its function" if said == BY_FUNCTION else f"SQLSTATE {said}"
        return f"{', '.join(self.key)}: {self.failure.message} ({by})"


@dataclass(frozen=True, slots=True)
class Assign:
    """Save where the step stands, and where each of its workers does in place of what was saved of them.

    Answer: None.
    """

    cursor: Cursor
    shares: tuple[Cursor, ...] = ()


@dataclass(frozen=True, slots=True)
class Spread:
    """Have several workers do what is left of a walk. Answer: a list of where each worker stands at its end."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Ask how far a walk is given to workers.

    Answer: the cursor of the step, and no other worker is answered before this one has yielded `Claimed`; or None
    where this worker should take no more.
    """


@dataclass(frozen=True, slots=True)
class Claimed:
    """Save how far the walk is given to workers, and the share of this one, in one transaction. Answer: None.

    Args:
        cursor: of the step; None: nothing was left to take.
    """

    cursor: Cursor | None = None
    share: Cursor | None = None


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


Effect = (
    Query
    | Look
    | Mark
    | Commit
    | Alone
    | Define
    | Note
    | Batch
    | Compute
    | SetAside
    | ListAside
    | Assign
    | Spread
    | Claim
    | Claimed
    | Pause
    | Progress
)
Performance = Generator[Effect, Any, None]
