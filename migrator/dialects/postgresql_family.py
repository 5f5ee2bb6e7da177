"""PostgreSQL, as a family of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.dialects import postgresql
from migrator.dialects.base import Facts, Shutting, Trouble, Users
from migrator.dialects.postgresql_backups import PostgreSQLBackups
from migrator.dialects.postgresql_statistics import PostgreSQLStatistics
from migrator.dialects.statistics import Backups, Statistics
from migrator.errors import NotSupportedHere
from phases.catalog import Server
from phases.dialects.postgresql_backfill import blames_row
from phases.model import Lock, TableName
from phases.sql import literal, qualified

TROUBLES = {
    "55P03": Trouble.LOCK_TIMEOUT,
    "40P01": Trouble.DEADLOCK,
    "40001": Trouble.DEADLOCK,  # of what a trigger does elsewhere: our own transactions are READ COMMITTED
    "25P03": Trouble.LOST,
    "25P04": Trouble.LOST,
    "42501": Trouble.NOT_ALLOWED,
    "25006": Trouble.READ_ONLY,
    "57014": Trouble.CANCELLED,
}
"""40001 is what a replica says, too, when a row that is read there has to go. 25P03, 25P04: a session was ended for
being idle in a transaction, or in one for too long."""
OLDEST = (12, 0)
LOOPBACK = ("", "127.0.0.1", "::1")


def is_here(pid: int) -> bool:
    """Whether a server process is one of this machine: a tunnel ends on a loopback address, too."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class PostgreSQLFamily:
    """What differs on PostgreSQL; `migrator.dialects.base.Family` says what is asked."""

    names: tuple[str, ...] = ("postgresql",)
    packages: str = "postgres"
    commits_ddl: bool = False
    sends_several: bool = True
    waits_for_commits: bool = False
    piles_up: bool = True
    asks_replicas: bool = False
    reads_replicas: str = "GRANT pg_monitor to this role"
    may_log_less: str = ""
    ends_session: str = "SELECT pg_terminate_backend(pid)"
    statistics: Statistics = field(default_factory=PostgreSQLStatistics)
    backups: Backups = field(default_factory=PostgreSQLBackups)
    questions: Mapping[str, str] = field(
        default_factory=lambda: {
            "backend": postgresql.BACKEND_PID,
            "try lock": postgresql.TRY_RUNNER_LOCK,
            "clock": "SELECT clock_timestamp()",
        }
    )

    def announced(self, raw: Any) -> int | None:
        return int(raw.info.backend_pid)

    def arguments(self, application_name: str, query: Mapping[str, Any]) -> dict[str, Any]:
        # A pooler may hand our prepared statements to another session.
        return {"application_name": application_name[:63], "prepare_threshold": None}

    def facts(self, rows: Callable[[str], Sequence[Any]]) -> Facts:
        number, in_recovery, read_only, user, database, deadlock_ms = rows(postgresql.FACTS)[0]
        version = (number // 10000, number % 10000)
        if version < OLDEST:
            raise NotSupportedHere(f"PostgreSQL {version[0]} is too old; {OLDEST[0]} is the oldest supported")
        return Facts(Server("postgresql", version), in_recovery, read_only, user, database, deadlock_ms)

    def session_statements(self, server: Server) -> tuple[str, ...]:
        return postgresql.session_statements(server.version)

    def speaking(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return (), ()

    def answer_within(self, milliseconds: int) -> tuple[str, ...]:
        return (postgresql.statement_timeout(milliseconds),)

    def answered(self) -> tuple[str, ...]:
        return ()

    def code(self, problem: BaseException) -> str | None:
        return getattr(problem, "sqlstate", None)

    def trouble(self, code: str | None) -> Trouble:
        if code in TROUBLES:
            return TROUBLES[code]
        return Trouble.LOST if code is None or code[:2] in ("08", "57") else Trouble.OTHER

    def blames_row(self, code: str) -> bool:
        return blames_row(code)

    def passes(self, code: str) -> str:
        return ""

    def absent(self, code: str) -> bool:
        return False  # what was not finished has left nothing

    def named_lock(self, name: str) -> str:
        return f"SELECT pg_catalog.pg_try_advisory_lock({postgresql.lock_key(name)})"

    def owner(self) -> str:
        return postgresql.RUNNER_OWNER

    def blockers(self, lock: Lock, server: Server) -> tuple[str, ...]:
        return (postgresql.blockers_query(lock),)

    def conflicts(self, lock: Lock, held: str) -> bool:
        return postgresql.conflicts(lock.mode, held)

    def locking(self, locks: Sequence[Lock], timeout_ms: int, deadlock_ms: int, *, unread: bool) -> Iterator[str]:
        return postgresql.lock_statements(locks, timeout_ms, deadlock_ms, unread=unread)

    def closing(self, sql: str, timeout_ms: int, deadlock_ms: int) -> tuple[str, ...]:
        # Partitions are locked one by one, and whoever waits for the first waits until the last is granted.
        longest = postgresql.yielding(timeout_ms, deadlock_ms)
        limits = postgresql.lock_timeout(longest), postgresql.statement_timeout(longest)
        return (*limits, sql, postgresql.statement_timeout(0))

    def before_batch(self, timeout_ms: int, deadlock_ms: int) -> tuple[str, ...]:
        # Batch and cursor share the transaction: a crash of the server loses both or none.
        return (postgresql.batch_settings(postgresql.yielding(timeout_ms, deadlock_ms)),)

    def for_batches(self, timeout_ms: int) -> tuple[str, ...]:
        return ()  # what is asked between two batches waits for locks as ever

    def worker_lock(self, place: int) -> str:
        return postgresql.WORKER_LOCK

    def no_workers(self) -> str:
        return postgresql.NO_WORKERS

    def history(self, server: Server) -> str:
        return ""

    def writable(self, rows: Callable[[str], Sequence[Any]], database: str) -> tuple[str, ...]:
        return tuple(str(name) for (name,) in rows(postgresql.WRITABLE))

    def data_folder(self, rows: Callable[[str], Sequence[Sequence[Any]]]) -> Path | None:
        address, pid, folder = rows(postgresql.WHERE_IT_RUNS)[0]
        return Path(folder) if address in LOOPBACK and folder and is_here(pid) else None

    def oldest_transaction(self) -> str:
        return postgresql.OLDEST_TRANSACTION

    def logs_less(self) -> str:
        return ""

    def clients(self) -> tuple[str, str]:
        return "", postgresql.CLIENTS

    def users(self, tables: Sequence[TableName], tied: Mapping[TableName, bool], server: Server) -> tuple[Users, ...]:
        return ()

    def tied(self, tables: Sequence[TableName], server: Server) -> str:
        return ""

    def guarded(self, question: str, crowd: int, sql: str) -> tuple[str, str]:
        return sql, ""

    def shut(self, sql: str, locks: Sequence[Lock]) -> Shutting:
        return Shutting()

    def hurried(self, server: Server) -> tuple[str, ...]:
        return ()

    def before_ddl(self, timeout_ms: int) -> tuple[str, ...]:
        return ()

    def patience(self, timeout_ms: int) -> tuple[str, ...]:
        return (f"SET lock_timeout = {timeout_ms}",)

    def size(self, table: TableName) -> str:
        name = literal(qualified(table))
        return f"SELECT coalesce(pg_catalog.pg_relation_size(pg_catalog.to_regclass({name})), 0)"

    def updates(self, table: TableName) -> str:
        return postgresql.UPDATES.format(table=literal(qualified(table)))

    def look(self, table: TableName) -> str:
        return postgresql.LOOK.format(table=qualified(table), name=literal(qualified(table)))

    def replicas(self) -> str:
        return postgresql.REPLICAS
