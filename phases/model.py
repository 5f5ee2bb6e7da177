"""What a migration is made of: phases, locks, statements and steps.

Everything here is a frozen value that survives a round trip through JSON
(`phases.encoding`), because the ledger keeps the steps of a revision from the
moment it starts: a rerun after a crash, an abort or a restore works from what
was really started, not from what the revision file says by then.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass


class Phase(enum.StrEnum):
    """The four stretches of a change, in the order they run."""

    EXPAND = "expand"
    MIGRATE = "migrate"
    CONTRACT = "contract"
    PURGE = "purge"


class LockMode(enum.StrEnum):
    """Table locks of PostgreSQL, weakest first, and the one of MySQL and MariaDB.

    Source: PostgreSQL manual, "Explicit Locking", table-level lock modes.
    """

    ACCESS_SHARE = "ACCESS SHARE"
    ROW_SHARE = "ROW SHARE"
    ROW_EXCLUSIVE = "ROW EXCLUSIVE"
    SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"
    SHARE = "SHARE"
    SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
    EXCLUSIVE = "EXCLUSIVE"
    ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
    METADATA = "METADATA"
    """Of MySQL and MariaDB, whatever a statement does: exclusive, at its beginning and at its end."""

    @property
    def blocks(self) -> str:
        """Which statements of an application wait behind this lock."""
        if self in (LockMode.ACCESS_EXCLUSIVE, LockMode.METADATA):
            return "reads and writes"
        if self in (LockMode.SHARE, LockMode.SHARE_ROW_EXCLUSIVE, LockMode.EXCLUSIVE):
            return "writes"
        return "other DDL" if self is LockMode.SHARE_UPDATE_EXCLUSIVE else "nothing"


@dataclass(frozen=True, slots=True)
class TableName:
    """A table by its exact name: never quoted, never folded, never split at dots."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock that a step takes on one table before it changes anything.

    `by` is the statement that takes it where LOCK TABLE would take more: of a view it
    locks all that the view reads.
    """

    table: TableName
    mode: LockMode
    by: str = ""


@dataclass(frozen=True, slots=True)
class Loss:
    """What an undo would throw away.

    `count` is a query of one number: the rows whose data exists nowhere else.
    Above zero the undo is refused unless the user asks for it by name.
    """

    what: str
    count: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to be done; a subclass says of which kind it is.

    `name` is unique within a phase of a revision and the same on every run.
    `undo` holds the steps that take this one back, in the order they run.
    `stays`: nothing can take it back, and it harms nobody: an abort leaves it.
    `meanwhile`: it serves those who write while the change is under way, and is left out where nobody does.
    """

    name: str
    undo: tuple[Step, ...] = ()
    loses: Loss | None = None
    stays: bool = False
    meanwhile: bool = False

    @property
    def shuts(self) -> bool:
        """Whether reads and writes of an application wait behind a lock of it."""
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction(Step):
    """Statements that commit together, and together with their record.

    `locks` are taken first, in this order, so that the time waited and the time
    held can be told apart. `scans` marks a statement that reads the whole table
    (a validation): it runs without a statement timeout, under a weak lock.
    `reprepares` marks statements that change the type of a column under its name:
    PostgreSQL then refuses every statement a session prepared before ("cached plan
    must not change result type"), so it runs only when no session can hold one.
    `recreates` names the objects that are dropped and created again, or replaced.
    `unread` marks statements that nobody has looked into: what they lock is not known.
    `bounded` marks statements that work behind a lock others wait for: waiting for the lock and the
    statements have half the lock timeout each, and are undone where that is not enough.
    `closing` are locks that the last statement takes, behind all the others: where it does not get them, it alone is
    tried again.
    """

    statements: tuple[str, ...]
    locks: tuple[Lock, ...] = ()
    scans: bool = False
    reprepares: bool = False
    recreates: tuple[str, ...] = ()
    unread: bool = False
    bounded: bool = False
    closing: tuple[Lock, ...] = ()

    @property
    def online(self) -> bool:
        """Whether its locks keep others out at the beginning and the end of a statement alone, not while it works."""
        return False

    @property
    def shuts(self) -> bool:
        return not self.online and any(lock.mode.blocks == "reads and writes" for lock in self.locks)


IN_TRANSACTION = "rows"
"""In place of a question: the statement changes rows, and commits together with the record that it is done."""
BY_SCHEMA = "schema"
"""In place of a question: the statement is done once the digest of the schema is another one than before it."""
OF_SESSION = "session"
"""In place of a question: the statement sets something of the session, which whoever goes on has to set again."""
ASKED = "/* what was asked */"
"""In a statement: the place of the number that its question is answered with."""
REPEATABLE = ""
"""In place of a question: the statement may be run again."""
LETS_OTHERS_ON = re.compile(r"\bLOCK\s*=\s*NONE\b", re.IGNORECASE)
"""In a statement: rows are read and written while it works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script(Transaction):
    """Statements of a server whose DDL commits by itself: one after another, each journalled before it is run.

    Whoever runs it again after a crash asks whether the statement that was under way is done.

    `done` has, for each statement, a question that is answered with a row once its effect is
    there, or one of `IN_TRANSACTION`, `BY_SCHEMA`, `OF_SESSION`, `REPEATABLE`. `otherwise` has what is run where
    the server cannot do a statement in place; empty where the step then fails. `digest` asks for
    one text that changes with the schema; needed only for `BY_SCHEMA`. `asks` has, where one is given at all,
    a question for each statement: its answer, a number, is put in the place of `ASKED` when the statement is run.
    `unless` likewise: its answer, a row each, says what must not be there then.
    """

    done: tuple[str, ...]
    otherwise: tuple[str, ...]
    digest: str = ""
    asks: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @property
    def online(self) -> bool:
        return all(LETS_OTHERS_ON.search(statement) for statement in self.statements)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildIndex(Step):
    """An index built CONCURRENTLY, outside any transaction.

    `state` asks the server how far it is: no row (absent), or one boolean
    (valid or not). `create_inside` is the plain form for databases nobody uses.
    """

    table: TableName
    index: str
    create: str
    create_inside: str
    drop: str
    drop_inside: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveIndex(Step):
    """An index dropped CONCURRENTLY, outside any transaction."""

    table: TableName
    index: str
    drop: str
    drop_inside: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill(Step):
    """Rows brought to the target shape in small transactions (a backfill).

    `assignments` is the SET list and `pending` the condition of rows still to
    do, both SQL over the table's own columns. `stripe` is an integer key column
    (quoted) by which rows of a heap page are told apart; `key` the quoted
    columns of a primary or unique NOT NULL key. `repeat` makes the walk start
    again while it finds rows: needed where no trigger covers rows that move.
    `copy`, where it is given, makes rows of a second table instead: the statement
    in front of the rows to copy, and behind them; on MySQL and MariaDB the statement, the join and the condition
    that leave out what is copied, what is behind them, and the second table where both have the same key.
    `function`, where it is given, names what computes the rows in the program itself: it is given the key and the
    columns `reads`, and its answers go to the columns `writes` (both quoted). `types` are those of the key, then
    those of `writes`. `claims`: the rows are locked by a statement of their own first, so that what is read of
    another table is what it says by then. `index`: which index (quoted) has the key, where a server may scan the table
    instead.
    """

    table: TableName
    target: str
    assignments: str
    pending: str
    stripe: str | None = None
    key: tuple[str, ...] = ()
    repeat: bool = False
    single_statement: str = ""
    copy: tuple[str, ...] = ()
    function: str = ""
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    claims: bool = False
    index: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verify(Step):
    """Every row compared; `mismatch` is the condition of a row that is wrong.

    `key` holds the quoted columns by which a wrong row is named to the user. `fault`
    says what is wrong with one ("have no value"); empty where its two shapes differ.
    `twin`, where the two shapes are in two tables with one key, lets chunks be compared by hashes: schema and name of
    the other table, then for this one and for the other a whole number that is made of all a row says and the
    condition of rows that say anything, then the quoted key of the other.
    `from_old` and `from_new`, where the two shapes are in two tables, bring rows that differ back in line from that
    side; `by_hand` says what else somebody can do who knows what is right. `index` is as of `Fill`.
    """

    table: TableName
    target: str
    mismatch: str
    key: tuple[str, ...] = ()
    fault: str = ""
    twin: tuple[str, ...] = ()
    from_old: Fill | None = None
    from_new: Fill | None = None
    by_hand: str = ""
    index: str = ""


PhasedSteps = tuple[tuple[Phase, Step], ...]
"""Steps in the order they run."""

AnyStep = Transaction | Script | BuildIndex | RemoveIndex | Fill | Verify
"""The kinds of step an executor must know."""
