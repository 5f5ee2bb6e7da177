"""A scratch database on a server of MySQL or MariaDB: made, used by one run, and dropped."""

from __future__ import annotations

import re
import uuid
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

from linters.mysql.tokens import Statement
from linters.mysql.ways import Algorithm
from migrator.errors import ConnectionFailed, DatabaseError, UsageError
from migrator.setting_values import mask, normalise_url
from migrator.shadow.asking import Accepted, alteration, ask, failed, tables_of, text_of, version_of
from migrator.shadow.confining import reason_against

if TYPE_CHECKING:
    import pymysql

PREFIX = "migrator_shadow_"
NOT_GIVEN = ("db", "database", "charset", "program_name")
"""What a URL may say of a connection, and is not heeded."""
IDENTITY = """
SELECT VERSION(), @@version_comment, CONCAT_WS(':', @@hostname, @@port, @@datadir), @@global.read_only,
    REPLACE(@@global.sql_mode, 'NO_BACKSLASH_ESCAPES', '')"""
# Two runs at once know each other by this lock of the session, which the server frees when a run is gone.
LOCK, IS_FREE = "SELECT GET_LOCK(%s, 0)", "SELECT IS_FREE_LOCK(%s)"
# This connection is idle while a statement of the script runs; what it drops may be held by one that ends.
PATIENT = "SET SESSION wait_timeout = 86400, lock_wait_timeout = 30"
ABANDONED = "SELECT schema_name FROM information_schema.schemata WHERE schema_name LIKE %s"
OTHERS = "SELECT LOWER(schema_name) FROM information_schema.schemata WHERE schema_name <> %s"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one statement did.

    Args:
        line: where it begins, from 1.
        table: the one it alters; empty for other statements.
        accepted: algorithm and lock, or the error.
        rows: rows that it wrote.
        family: `mysql` or `mariadb`.
    """

    line: int
    statement: str
    table: str
    accepted: Accepted
    rows: int
    family: str

    @property
    def rewrites(self) -> bool:
        algorithm = self.accepted.algorithm
        return algorithm is not None and algorithm >= Algorithm.INPLACE


class MySQLScratch:
    """A database of its own, dropped in the end; those that killed runs have left on this server are dropped first.

    Tables in it are empty: by which algorithm a table is changed is a matter of its definition.

    Args:
        url: of a server on which a database may be created. The database it names is not used.

    Attributes:
        family: `mysql` or `mariadb`, as the server says it is.
        version: of the server.

    Raises:
        ConnectionFailed: the server is not there, or lets nobody create a database.
        UsageError: it is read-only, or shows nobody the numbers of its tables.
    """

    def __init__(self, url: str) -> None:
        from sqlalchemy import make_url

        given = make_url(normalise_url(url))
        _, arguments = given.get_dialect()().create_connect_args(given)
        self.given = {key: value for key, value in arguments.items() if key not in NOT_GIVEN}
        self.own: pymysql.Connection | None = None
        self.created = False

    def __enter__(self) -> MySQLScratch:
        import pymysql

        try:
            self.admin = self._connect()
        except (pymysql.MySQLError, OSError) as problem:
            raise ConnectionFailed(f"no scratch database can be made: {words(problem)}") from problem
        try:
            self._identify()
            self._drop_abandoned()
            self._create()
        except BaseException as problem:
            self.__exit__(None, None, None)
            if isinstance(problem, pymysql.MySQLError):
                raise ConnectionFailed(f"no scratch database can be made: {words(problem)}") from problem
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        """Drop the database, and end what still runs in it: a statement holds its tables."""
        import pymysql

        if self.own is not None:
            with suppress(pymysql.MySQLError):
                self._rows(f"KILL {self.own.thread_id()}")
            with suppress(pymysql.MySQLError):
                self.own.close()
        if self.created:
            with suppress(pymysql.MySQLError), closing(self.admin if self.admin.open else self._connect()) as admin:
                admin.query(f"DROP DATABASE IF EXISTS `{self.name}`")
        elif self.admin.open:
            self.admin.close()

    def _connect(self, **more: Any) -> pymysql.Connection:
        import pymysql

        return pymysql.connect(autocommit=True, charset="utf8mb4", program_name="migrator shadow", **more, **self.given)

    def _rows(self, statement: str, *values: object) -> Sequence[Any]:
        with self.admin.cursor() as cursor:
            cursor.execute(statement, values or None)
            rows: Sequence[Any] = cursor.fetchall()
        return rows

    def _identify(self) -> None:
        self._rows(PATIENT)
        version, comment, place, read_only, self.sql_mode = self._rows(IDENTITY)[0]
        self.family = "mariadb" if "mariadb" in f"{version} {comment}".lower() else "mysql"
        self.version = version_of(version)
        if read_only in (1, "1", "ON"):
            raise UsageError("the server of --shadow is read-only, as replicas are", next_step="a server for tests")
        # A database that came by replication belongs to a run on another server.
        self.own_prefix = f"{PREFIX}{zlib.crc32(place.encode()):08x}_"
        self.name = f"{self.own_prefix}{uuid.uuid4().hex[:8]}"

    def _drop_abandoned(self) -> None:
        """Drop scratch databases of this server whose runs are gone, and end what still runs in them."""
        import pymysql

        for (name,) in self._rows(ABANDONED, self.own_prefix.replace("_", r"\_") + "%"):
            if re.fullmatch(rf"{self.own_prefix}[0-9a-f]{{8}}", name) and self._rows(IS_FREE, name)[0][0] == 1:
                for session in self._rows("SHOW PROCESSLIST"):
                    if session[3] == name:
                        with suppress(pymysql.MySQLError):
                            self._rows(f"KILL {int(session[0])}")
                self._rows(f"DROP DATABASE IF EXISTS `{name}`")

    def _create(self) -> None:
        if self._rows(LOCK, self.name)[0][0] != 1:
            raise ConnectionFailed(f"no scratch database can be made: the lock {self.name} is taken")
        # Without IF NOT EXISTS: what is there already is nobody's scratch.
        self._rows(f"CREATE DATABASE `{self.name}` CHARACTER SET utf8mb4")
        self.created = True
        self.others = frozenset(name for (name,) in self._rows(OTHERS, self.name))
        self._reopen()
        try:
            tables_of(self.admin, self.name, self.family == "mariadb")
        except Exception as problem:
            raise UsageError(
                f"the server of --shadow does not say which tables it wrote again: {words(problem)}",
                next_step="GRANT PROCESS ON *.* to the user of --shadow",
            ) from problem

    def _reopen(self) -> None:
        """A session that nobody has set anything in."""
        if self.own is not None:
            self.own.close()
        self.own = self._connect(database=self.name)
        self._run("SET SESSION sql_mode = %s", self.sql_mode)

    def _run(self, statement: str, *values: object) -> int:
        """Run a statement on the scratch database; rows that it wrote."""
        assert self.own is not None
        with self.own.cursor() as cursor:
            rows = cursor.execute(statement, values or None)
            written = 0 if cursor.description else rows
            while cursor.nextset():
                pass
        return written

    def refuses(self, statement: Statement) -> str:
        """Why a statement is not run here; empty where it stays in the scratch database."""
        return reason_against(statement, self.others)

    def prepare(self, schema: Iterable[Statement]) -> None:
        """Create a schema.

        Raises:
            DatabaseError: the server refuses it, or it would reach beyond the scratch database.
        """
        import pymysql

        self._run("SET foreign_key_checks = 0")
        for statement in schema:
            reason = self.refuses(statement)
            try:
                if not reason:
                    self._run(text_of(statement.tokens))
            except pymysql.MySQLError as problem:
                reason = words(problem)
            if reason:
                shown = text_of(statement.tokens[:6])
                raise DatabaseError(f"the schema cannot be created: {shown} …: {reason}")

    def run(self, script: Iterable[tuple[int, Statement]], in_transaction: bool = False) -> Iterator[Seen]:
        """Run a script up to its first error, statement by statement.

        Args:
            script: lines, and statements that `refuses` lets pass.
            in_transaction: whoever runs it begins a transaction first, which its first DDL ends.
        """
        self._reopen()
        if in_transaction:
            self._run("START TRANSACTION")
        for line, statement in script:
            seen = self.statement(line, statement)
            yield seen
            if seen.accepted.code:
                return
        self._run("COMMIT")

    def statement(self, line: int, statement: Statement) -> Seen:
        import pymysql

        text = text_of(statement.tokens)
        asked = alteration(statement.tokens)
        is_mariadb = self.family == "mariadb"
        if asked is not None:
            accepted = ask(
                asked, text, self._run, lambda: tables_of(self.admin, self.name, is_mariadb), self.version, is_mariadb
            )
            return Seen(line, text, asked.table, accepted, 0, self.family)
        try:
            return Seen(line, text, "", Accepted(), self._run(text), self.family)
        except pymysql.MySQLError as problem:
            return Seen(line, text, "", failed(problem), 0, self.family)


def words(problem: BaseException) -> str:
    """An error of the driver in words, without passwords."""
    text = problem.args[1] if len(problem.args) > 1 else problem
    return mask((str(text).strip().splitlines() or [type(problem).__name__])[0])
