"""What a server does with the statements of a script, one by one: locks, rewrites, scans, index builds, errors.

Truth has four sources: the locks that the backend holds, the files of tables and
indexes before and after, the counters of rows read in this transaction, and the
server's own debug messages. A statement that no transaction may hold runs beside
a second session with an open snapshot, for which it has to wait: while it waits,
its locks can be read.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from linters.source import Source
from linters.values import Mode
from migrator.errors import ConnectionFailed, DatabaseError
from migrator.shadow.observation import Observation
from migrator.shadow.sampling import fill
from migrator.shadow.state import (
    LOCKS,
    STATE,
    Table,
    both,
    built,
    merge,
    named,
    rewritten,
    strongest,
    tables_of,
    written,
)

if TYPE_CHECKING:
    import psycopg

OPTIONS = "-c client_min_messages=debug1"
TELLING = re.compile(r"^(rewriting|verifying|building index|existing constraints|validating|.* is implied by)")
NOT_HERE = ("createdb_stmt", "dropdb_stmt", "alter_system_stmt", "create_table_space_stmt", "drop_table_space_stmt",
            "create_subscription_stmt", "drop_subscription_stmt", "alter_subscription_stmt", "create_role_stmt",
            "alter_role_stmt", "alter_role_set_stmt", "drop_role_stmt", "grant_role_stmt", "alter_database_stmt",
            "alter_database_set_stmt", "copy_stmt")  # fmt: skip
"""Statements that reach beyond one database, or for files; they are not run."""
AS_IT_IS = ("transaction_stmt", "lock_stmt", "declare_cursor_stmt", "variable_set_stmt")
"""Statements that mean another thing inside a transaction than outside."""
OUTSIDE = ("25001", "2D000", "0A000")
"""Errors of statements that no transaction may hold."""
READABLE = """
SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND s.nspname !~ '^(pg_|information_schema)'"""
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE pid = %s AND NOT granted)"
TIMEOUTS = """
SELECT (extract(epoch FROM current_setting('lock_timeout')::interval) * 1000)::int,
    (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::int"""
POLL_SECONDS = 0.002
GATE_SECONDS = 30.0


class Scratch:
    """A database of its own, dropped in the end.

    Args:
        url: of a server on which a database may be created.
        timezone: of the sessions.

    Raises:
        ConnectionFailed: the server is not there, or lets nobody create a database.
    """

    def __init__(self, url: str, timezone: str = "UTC") -> None:
        self.timezone = timezone
        self.admin = re.sub(r"^postgresql\+\w+:", "postgresql:", url)
        self.name = f"migrator_shadow_{uuid.uuid4().hex[:12]}"
        self.messages: list[str] = []
        self.samples: dict[str, bytes] = {}

    def __enter__(self) -> Scratch:
        import psycopg

        try:
            with psycopg.connect(self.admin, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{self.name}" TEMPLATE template0'.encode())
        except psycopg.Error as problem:
            raise ConnectionFailed(f"no scratch database can be made: {first_line(problem)}") from problem
        try:
            self.own, self.gate, self.monitor = (self._connect() for _ in range(3))
            self.own.add_notice_handler(self._hear)
            self.version = self.own.info.server_version // 10000
        except BaseException:
            self._drop()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        for connection in (self.own, self.gate, self.monitor):
            connection.close()
        self._drop()

    def _drop(self) -> None:
        """Drop the database, and whatever still runs in it."""
        import psycopg

        with psycopg.connect(self.admin, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.name])
            connection.execute(f'DROP DATABASE IF EXISTS "{self.name}"'.encode())

    def _connect(self) -> psycopg.Connection:
        import psycopg

        options = f"{OPTIONS} -c timezone={self.timezone.replace(' ', chr(92) + ' ')}"
        return psycopg.connect(self.admin, dbname=self.name, autocommit=True, options=options, prepare_threshold=None)

    def _hear(self, diagnostic: Any) -> None:
        text = diagnostic.message_primary or ""
        if TELLING.match(text):
            self.messages.append(text)

    def prepare(self, schema: str) -> list[str]:
        """Create a schema, and put a few rows into each of its tables; returns those that stay empty.

        Raises:
            DatabaseError: the schema cannot be created.
        """
        import psycopg

        try:
            if schema in self.samples:
                self.own.execute(self.samples[schema])
                return []
            self.own.execute(schema.encode())
            empty, done = fill(self.own)
            if not empty:
                self.samples[schema] = "\n;".join((schema, *done)).encode()
            return empty
        except psycopg.Error as problem:
            raise DatabaseError(f"the schema cannot be created: {first_line(problem)}") from problem

    def fill(self) -> None:
        """Put a few rows into each table that has none."""
        self.reset()
        fill(self.own)

    def clean(self) -> None:
        """Leave an empty database behind, as it was in the beginning."""
        self.reset()
        found = self.own.execute(
            "SELECT format('DROP SCHEMA %I CASCADE', nspname) FROM pg_namespace"
            " WHERE nspname !~ '^(pg_|information_schema)'"
            " UNION ALL SELECT format('DROP PUBLICATION %I', pubname) FROM pg_publication"
        ).fetchall()
        drops = "; ".join(drop for (drop,) in found)
        self.own.execute(f"SET client_min_messages = warning; {drops}; CREATE SCHEMA public".encode())
        self.own.execute("DISCARD ALL")

    def reset(self) -> None:
        self.own.rollback()
        self.own.execute("DISCARD ALL")

    def works(self, statement: str) -> str:
        """Why a statement of an application fails, in a session of its own; empty where it does not. It is undone."""
        import psycopg

        self.reset()
        try:
            self.own.execute(f"BEGIN; {statement}".encode())
        except psycopg.Error as problem:
            return first_line(problem)
        finally:
            self.own.rollback()
        return ""

    def run(self, source: Source, in_transaction: bool = False) -> Iterator[Observation]:
        """Run a script up to its first error, statement by statement.

        Args:
            in_transaction: put it in one transaction.

        Raises:
            DatabaseError: that transaction cannot be committed.
        """
        self.reset()
        if in_transaction:
            self.own.execute("BEGIN")
        self.known: dict[int, Table] = {}
        self.held: dict[int, Mode] = {}
        self.public = set(self.tables())
        for piece in source.statements():
            line, text = source.place(piece.start)[0], source.text(piece)
            kind = piece.node.WhichOneof("node") if piece.node is not None else ""
            if kind in NOT_HERE:
                continue
            seen = self.statement(line, text, kind)
            yield seen
            if seen.error:
                return
            if seen.in_transaction and not self.inside():
                self.public = set(self.tables())
        if in_transaction:
            self.commit()

    def commit(self) -> None:
        import psycopg

        try:
            self.own.commit()
        except psycopg.Error as problem:
            raise DatabaseError(f"the transaction of the script fails in the end: {first_line(problem)}") from problem

    def tables(self) -> dict[int, Table]:
        return tables_of(self.own.execute(STATE))

    def statement(self, line: int, text: str, kind: str) -> Observation:
        """Run one statement, in a transaction of its own where the script has none open."""
        import psycopg

        inside = self.inside()
        if not inside:
            self.known, self.held = {}, {}
        before = self.tables() if inside or kind in AS_IT_IS else {}
        self.known = self.known or before
        timeouts = self.timeouts()
        self.messages.clear()
        locks: dict[int, Mode] = {}
        rows, problem = 0, None
        after = before
        try:
            if inside or kind in AS_IT_IS:
                rows = self.own.execute(text.encode()).rowcount
                after, locks = (self.tables(), self.locks()) if self.inside() else (before, {})
            else:
                with self.own.transaction():
                    # The counters start anew whenever the session is idle, so both looks are in one transaction.
                    before = self.known = self.tables()
                    rows = self.own.execute(text.encode()).rowcount
                    after, locks = self.tables(), self.locks()
        except psycopg.Error as found:
            problem = found
            if not inside and found.sqlstate in OUTSIDE:
                after, locks, problem = self.gated(text)
        taken = {oid: mode for oid, mode in locks.items() if mode > self.held.get(oid, Mode.NONE)}
        self.held = locks if inside else {}
        shared = [t for t in self.known.values() if t.oid in self.public]
        return Observation(
            line=line,
            statement=text,
            locks=named(locks, shared),
            taken=named(taken, shared),
            rewrites=rewritten(shared, before, after),
            scans=tuple(t.name for t in both(shared, before, after) if after[t.oid].read > before[t.oid].read),
            builds=built(shared, before, after),
            views=tuple(t.name for t in shared if t.kind == "m"),
            rows=rows if kind == "create_table_as_stmt" else written(shared, before, after),
            error=first_line(problem) if problem else "",
            code=(problem.sqlstate or "") if problem else "",
            messages=tuple(self.messages),
            lock_timeout=timeouts[0],
            statement_timeout=timeouts[1],
            in_transaction=inside,
        )

    def inside(self) -> bool:
        return self.own.info.transaction_status.name != "IDLE"

    def timeouts(self) -> tuple[int, int]:
        if self.own.info.transaction_status.name == "INERROR":
            return 0, 0
        return self.own.execute(TIMEOUTS).fetchone()  # type: ignore[return-value]

    def locks(self) -> dict[int, Mode]:
        return strongest(self.own.execute(LOCKS, [self.own.info.backend_pid]).fetchall())

    def gated(self, text: str) -> tuple[dict[int, Table], dict[int, Mode], Any]:
        """Run a statement outside any transaction, beside a session it has to wait for; tables, locks and its error."""
        import psycopg

        failed: list[psycopg.Error] = []

        def run() -> None:
            try:
                self.own.execute(text.encode())
            except psycopg.Error as problem:
                failed.append(problem)

        locks: dict[int, Mode] = {}
        pid = self.own.info.backend_pid
        worker = threading.Thread(target=run)
        with self.closed_gate():
            worker.start()
            until = time.monotonic() + GATE_SECONDS
            while worker.is_alive() and time.monotonic() < until:
                merge(locks, self.monitor.execute(LOCKS, [pid]).fetchall())
                if self.monitor.execute(WAITING, [pid]).fetchone()[0]:  # type: ignore[index]
                    merge(locks, self.monitor.execute(LOCKS, [pid]).fetchall())
                    break
                time.sleep(POLL_SECONDS)
        while worker.is_alive():
            merge(locks, self.monitor.execute(LOCKS, [pid]).fetchall())
            time.sleep(POLL_SECONDS)
        worker.join()
        return self.tables(), locks, failed[0] if failed else None

    @contextmanager
    def closed_gate(self) -> Iterator[None]:
        """A second session that reads: whatever waits for readers or for old snapshots waits for it."""
        self.gate.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        try:
            names = self.gate.execute(READABLE).fetchone()[0]  # type: ignore[index]
            self.gate.execute(f"LOCK TABLE {names} IN ACCESS SHARE MODE".encode() if names else b"SELECT 1")
            for name in names.split(", ") if names else ():
                self.gate.execute(f"EXPLAIN SELECT FROM {name}".encode())  # the planner locks indexes too
            yield
        finally:
            self.gate.rollback()


def first_line(problem: BaseException) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0]


def observe(source: Source, schema: str, server: str) -> list[Observation]:
    """Run a script on a scratch copy of a schema.

    Args:
        source: the script.
        schema: SQL that creates what the script finds: a dump, or nothing.
        server: URL of a server on which a database may be created; it is dropped in the end.

    Raises:
        ConnectionFailed: the server is not there.
        DatabaseError: the schema cannot be created.
    """
    with Scratch(server) as scratch:
        scratch.prepare(schema)
        return list(scratch.run(source))
