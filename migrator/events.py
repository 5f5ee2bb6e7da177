"""What happens during a run, as values handed to an observer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from phases.effects import Progress, RowAside
from phases.model import Phase


@dataclass(frozen=True, slots=True)
class PhaseStarted:
    revision: str
    phase: str


@dataclass(frozen=True, slots=True)
class RolloutStep:
    """An action of a rollout, in words. `state`: `begun`, `done`, `failed`; `again`: a killed run had begun with it."""

    number: int
    words: str
    state: str
    reason: str = ""
    seconds: float = 0.0
    again: bool = False


@dataclass(frozen=True, slots=True)
class RolloutJudged:
    """What is said of an arm of a rollout by now: `pass`, `fail`, `insufficient_traffic` or `inconclusive`."""

    arm: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    """`shuts`: it takes a lock behind which reads and writes of an application wait."""

    revision: str
    phase: Phase
    name: str
    undoing: bool = False
    shuts: bool = False


@dataclass(frozen=True, slots=True)
class StepProgress:
    revision: str
    name: str
    progress: Progress


@dataclass(frozen=True, slots=True)
class BatchDone:
    """A batch of a backfill is committed: so many rows, and seconds with its commit."""

    name: str
    rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class LockRetried:
    """A lock was not granted in time; another try follows after `wait` seconds."""

    name: str
    attempt: int
    wait: float
    blockers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RowFailed:
    """A row was set aside: its key, and what the server said of it."""

    name: str
    row: RowAside


@dataclass(frozen=True, slots=True)
class NotChecked:
    """A question about the data took longer than `seconds`; `backstop` finds what is wrong later."""

    revision: str
    problem: str
    backstop: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Drifted:
    """A part of the schema that somebody changed by hand, and that does not keep an undo from running."""

    revision: str
    part: str
    was: str
    found: str


@dataclass(frozen=True, slots=True)
class Paused:
    name: str
    seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """Replicas are behind, or log or dead rows pile up, and nothing is done until that is over; said at every look.

    `name` is of a step, or of the revision whose contract has to wait; `seconds` have passed so far.
    """

    name: str
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Resumed:
    """The wait is over; it took `seconds`."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection was lost and is there again after `seconds`; the step goes on as the ledger says.

    `said`: which server took the place of the other, and what it has not got of what was committed.
    """

    name: str
    seconds: float
    said: str = ""


@dataclass(frozen=True, slots=True)
class Slowed:
    """The rate of a backfill was changed: it rests `rest` times as long as it writes, 0 not at all."""

    name: str
    rest: float
    reason: str


@dataclass(frozen=True, slots=True)
class Staffed:
    """So many workers are at a backfill from here on; `reason`: why not more."""

    name: str
    workers: int
    reason: str


@dataclass(frozen=True, slots=True)
class Vacuumed:
    """A table that autovacuum leaves alone is vacuumed while batches go on, or was, in `seconds`.

    `dead`: rows that wait for that, or are left. `problem`: why it was not done.
    """

    name: str
    table: str
    dead: int
    seconds: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Unwatched:
    """How far replicas are cannot be known; batches go on without them."""

    name: str
    reason: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Unjudged:
    """What piles up on the server cannot be known, or no wait makes it less; batches go on."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class LoggedAsSet:
    """Rows are logged as the server is set, and not by less, as was asked for."""

    reason: str


@dataclass(frozen=True, slots=True)
class StepFinished:
    """`lock_held_ms` runs from the moment the lock was granted to the end of the commit.

    MySQL and MariaDB do not say when a lock is granted: there `lock_at_most_ms` is how long the longest statement took
    behind whose lock others waited, that wait included, and `online` says that others went on while a statement worked.
    `lock_waited_ms` counts the tries in which the lock was not granted there.
    """

    revision: str
    phase: Phase
    name: str
    seconds: float
    lock_held_ms: float
    lock_waited_ms: float
    rows: int = 0
    undoing: bool = False
    lock_at_most_ms: float = 0.0
    online: bool = False


@dataclass(frozen=True, slots=True)
class StepStopped:
    """A step ended before its time: an error, or Ctrl-C."""

    name: str


@dataclass(frozen=True, slots=True)
class StateChanged:
    revision: str
    state: str


Event = (
    PhaseStarted
    | RolloutStep
    | RolloutJudged
    | StepStarted
    | StepProgress
    | BatchDone
    | LockRetried
    | RowFailed
    | NotChecked
    | Drifted
    | Paused
    | Waiting
    | Resumed
    | Reconnected
    | Slowed
    | Staffed
    | Vacuumed
    | Unwatched
    | Unjudged
    | LoggedAsSet
    | StepFinished
    | StepStopped
    | StateChanged
)
Observer = Callable[[Event], None]


def ignore(event: Event) -> None:
    """An observer that does nothing."""
