"""What has to be said to each family of servers about sessions, locks, errors and itself."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from migrator.dialects.statistics import Backups, Statistics
from phases.catalog import Server
from phases.model import Lock, TableName


class Trouble(enum.Enum):
    """What an error of a server means to a runner."""

    LOCK_TIMEOUT = "lock timeout"
    DEADLOCK = "deadlock"
    NOT_ALLOWED = "not allowed"
    READ_ONLY = "read only"
    CANCELLED = "cancelled"
    LOST = "connection lost"
    NOT_IN_PLACE = "not in place"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server says of itself and of the session.

    `deadlock_ms`: how long the server waits before it looks for a deadlock.
    """

    server: Server
    in_recovery: bool
    read_only: bool
    user: str
    database: str
    deadlock_ms: int


@dataclass(frozen=True, slots=True)
class Shutting:
    """Statements that shut tables before one of DDL, if there are any.

    Args:
        limits: set some time before.
        lock: right before.
        after: whatever became of it.
        usual: take the limits back, whether it was run or not.
        locked_out: errors of a statement that uses other tables than those, and is run again without.
        provided: question that has to be answered with true before; empty: it is done in any case.
    """

    limits: tuple[str, ...] = ()
    lock: str = ""
    after: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()
    locked_out: frozenset[str] = frozenset()
    provided: str = ""


@dataclass(frozen=True, slots=True)
class Users:
    """Questions for who uses some tables.

    Each is answered with two numbers: `users`, sessions that do, and `readers`, those of them that DDL would end if
    they went on to write.

    Args:
        full: says exactly that.
        quick: takes less time, and may count more readers.
        tied: the same, where whoever writes other tables that would be locked as well counts, too; None: there are
            none.
        pause: seconds between two of them.
    """

    full: str = ""
    quick: str = ""
    tied: Users | None = None
    pause: float = 0.0


class Family(Protocol):
    """One family of servers."""

    @property
    def names(self) -> tuple[str, ...]:
        """Names of SQLAlchemy's dialects for it."""

    @property
    def packages(self) -> str:
        """The extra that brings its driver."""

    @property
    def commits_ddl(self) -> bool:
        """Whether every DDL statement commits what comes before it."""

    @property
    def sends_several(self) -> bool:
        """Whether one text may have several statements (`migrator.at_once`)."""

    @property
    def waits_for_commits(self) -> bool:
        """Whether a batch waits for the disk when it is committed (`migrator.overlapping`)."""

    @property
    def questions(self) -> Mapping[str, str]:
        """Questions that every family answers: `backend` (a number of the session), `try lock`, `clock`."""

    def announced(self, raw: Any) -> int | None:
        """The number of its session that a connection of the driver was told as it was opened; None: it means nothing.

        A pooler that hands sessions round has to tell its clients numbers of its own: they cancel by them.
        """

    def arguments(self, application_name: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """What the driver is told when it connects; `query` is what the URL says besides."""

    def facts(self, rows: Callable[[str], Sequence[Any]]) -> Facts:
        """Ask the server what it is.

        Raises:
            NotSupportedHere: it is too old, or no database is chosen.
        """

    def session_statements(self, server: Server) -> tuple[str, ...]:
        """Statements that prepare a session of ours."""

    def speaking(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Statements before and after ours on a connection of somebody else's, so that they mean what they should."""

    def answer_within(self, milliseconds: int) -> tuple[str, ...]:
        """Limit a question in the open transaction."""

    def answered(self) -> tuple[str, ...]:
        """Take the limit back, where it lasts longer than the transaction."""

    def code(self, problem: BaseException) -> str | None:
        """The server's name for an error of its driver: SQLSTATE, or a number."""

    def trouble(self, code: str | None) -> Trouble: ...
    def blames_row(self, code: str) -> bool:
        """Whether an error is about the values of some row, so that other rows may still be changed."""

    def passes(self, code: str) -> str:
        """What helps where an error of DDL that lets writers go on comes from what they did; empty for other errors."""

    def absent(self, code: str) -> bool:
        """Whether an error says that what a statement drops or changes is not there."""

    def named_lock(self, name: str) -> str:
        """Question whether this session has a lock of that name by now, which lives as long as the session."""

    def owner(self) -> str:
        """Question for the session that holds the runner lock: number, name, role, since when."""

    def blockers(self, lock: Lock, server: Server) -> tuple[str, ...]:
        """Questions for sessions that hold a lock: number, name, role, state, seconds, statement, mode.

        The next one is for servers that do not know the one before.
        """

    def users(self, tables: Sequence[TableName], tied: Mapping[TableName, bool], server: Server) -> tuple[Users, ...]:
        """Questions for who uses tables.

        The next ones are for servers that do not know those before. None: DDL ends no transaction of others.

        Args:
            tied: tables that are locked as well (`tied`), and whether reads of them wait, too.
        """

    def tied(self, tables: Sequence[TableName], server: Server) -> str:
        """Question for tables that are locked when some others are shut; empty: there are none.

        It is answered with schema, name, and whether reads wait, too.
        """

    def guarded(self, question: str, crowd: int, sql: str) -> tuple[str, str]:
        """A statement behind a question of `users`, in one text, and the error that says that it was not run.

        Args:
            crowd: sessions that have to use the tables, if anybody does.
        """

    def shut(self, sql: str, locks: Sequence[Lock]) -> Shutting:
        """What shuts the tables of a statement that would let readers in while it waits for writers."""

    def conflicts(self, lock: Lock, held: str) -> bool:
        """Whether a mode that is held keeps a lock from being granted."""

    def locking(
        self, locks: Sequence[Lock], timeout_ms: int, deadlock_ms: int, *, unread: bool
    ) -> Iterable[str] | Iterator[str]:
        """Statements that take locks in a transaction, or limit the wait for those it takes by itself."""

    def closing(self, sql: str, timeout_ms: int, deadlock_ms: int) -> tuple[str, ...]:
        """A statement that takes the last locks of a transaction, and what limits the wait for all of them."""

    def before_batch(self, timeout_ms: int, deadlock_ms: int) -> tuple[str, ...]:
        """Statements before those of a batch, in its transaction."""

    def for_batches(self, timeout_ms: int) -> tuple[str, ...]:
        """Statements before the first batch of a session, which hold for all."""

    def worker_lock(self, place: int) -> str:
        """Question that takes the lock of a worker for the session; false where somebody has it."""

    def no_workers(self) -> str:
        """Question whether nobody holds the lock of a worker."""

    def hurried(self, server: Server) -> tuple[str, ...]:
        """Statements before one that commits by itself, so that it does not wait for its lock at all; none: it must."""

    def before_ddl(self, timeout_ms: int) -> tuple[str, ...]:
        """Statements before one that commits by itself."""

    def patience(self, timeout_ms: int) -> tuple[str, ...]:
        """Statements after which no statement of a session waits longer for a lock."""

    def size(self, table: TableName) -> str:
        """Question for the bytes of a table's rows."""

    def updates(self, table: TableName) -> str:
        """Question for the updates of a table, those that stayed on their page, and the age of the oldest snapshot.

        Empty: it does not matter there.
        """

    def look(self, table: TableName) -> str:
        """Question for a row of a table, any, which is answered at once."""

    @property
    def piles_up(self) -> bool:
        """Whether it says what piles up while a backfill runs: log for the archive and for slots, dead rows."""

    def history(self, server: Server) -> str:
        """Question for the transactions that are still to be purged; empty: there is no such history."""

    def data_folder(self, rows: Callable[[str], Sequence[Sequence[Any]]]) -> Path | None:
        """The folder of the data, where the server runs on this very machine; `rows` asks it."""

    def oldest_transaction(self) -> str:
        """Question for the oldest transaction of others that keeps old rows: number, name, role, seconds."""

    def logs_less(self) -> str:
        """Statement after which changes of rows are logged by key and what has changed; empty: there is none."""

    @property
    def may_log_less(self) -> str:
        """What lets a role do that, for people."""

    @property
    def ends_session(self) -> str:
        """What ends a session, for people."""

    @property
    def statistics(self) -> Statistics:
        """What it knows of sessions and statements of others."""

    @property
    def backups(self) -> Backups:
        """What it says of its backups."""

    def clients(self) -> tuple[str, str]:
        """Sessions of others in this database: two questions.

        The first is answered with why they cannot be known, or with no row; the other with number, application
        name, since when, and from where.
        """

    @property
    def asks_replicas(self) -> bool:
        """Whether replicas are asked themselves how far they are, because the server does not know."""

    @property
    def reads_replicas(self) -> str:
        """What has to be done so that it is known how far replicas are, for people."""

    def writable(self, rows: Callable[[str], Sequence[Any]], database: str) -> tuple[str, ...]:
        """What the role of a session may write in its database, for people: tables or grants; none: it reads."""

    def replicas(self) -> str:
        """Question for connected replicas, where the server knows how far they are."""
