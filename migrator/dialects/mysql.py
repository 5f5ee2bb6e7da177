"""MySQL and MariaDB, as a family of servers.

There are no transactions around DDL here and no lock that is asked for by itself: every statement waits for
the metadata lock of its table, in whole seconds, and whoever comes later queues behind it.
"""

from __future__ import annotations

import hashlib
import math
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from migrator.dialects import mysql_locks
from migrator.dialects.base import Facts, Shutting, Trouble, Users
from migrator.dialects.mysql_backups import MySQLBackups
from migrator.dialects.mysql_statistics import MySQLStatistics
from migrator.dialects.statistics import Backups, Statistics
from migrator.errors import NotSupportedHere
from phases.catalog import Server
from phases.dialects.mysql_statements import SQL_MODE, literal
from phases.model import Lock, TableName
from phases.sql import qualified
from phases.staffing import MOST_WORKERS

OLDEST = {"mysql": (8, 0, 19), "mariadb": (10, 6, 0)}
"""MySQL 8.0.19 is the first that knows DROP CONSTRAINT; the ledger rests on CHECK, which is heeded since 8.0.16."""

FACTS = """
SELECT VERSION(), @@version_comment, @@global.read_only, CURRENT_USER(), DATABASE()
"""

TROUBLES = {
    "1205": Trouble.LOCK_TIMEOUT,
    "3572": Trouble.LOCK_TIMEOUT,
    "1213": Trouble.DEADLOCK,
    "1180": Trouble.DEADLOCK,
    **dict.fromkeys(("1044", "1045", "1142", "1143", "1227", "1370", "1419"), Trouble.NOT_ALLOWED),
    **dict.fromkeys(("1290", "1792", "1836"), Trouble.READ_ONLY),
    **dict.fromkeys(("1317", "1969", "3024"), Trouble.CANCELLED),
    **dict.fromkeys(("1053", "1927", "2006", "2013", "2014", "2055", "4031", "0"), Trouble.LOST),
    **dict.fromkeys(("1845", "1846", "4092"), Trouble.NOT_IN_PLACE),
}
"""By the number of the error. 1180: MariaDB may say only at COMMIT that a transaction has lost a deadlock, where it
skips locked rows. 4092: a table has been changed INSTANT as often as it may be."""

ROW_FAULTS = frozenset(
    "1048 1062 1264 1265 1292 1364 1365 1366 1406 1411 1416 1425 1441 1451 1452 1525 1582 1644 1690 1699 3140 3141"
    " 3143 3156 3819 3854 4025 4038 4078 4079".split()
)
"""Errors that blame the values of a row: constraints, types, divisions, and what triggers signal."""

UPSERTS = "run the same command again while nobody sends INSERT … ON DUPLICATE KEY UPDATE or REPLACE to the table"
PASSING = {
    "1062": f"where no row is there twice: {UPSERTS}; or do it with RebuildTable, which heeds them",
    "1799": "run the same command again in a quieter hour, or SET GLOBAL innodb_online_alter_log_max_size to more",
}
"""Errors of online DDL that writers cause, and what helps.

1062: what INSERT … ON DUPLICATE KEY UPDATE and REPLACE write and take back at once is applied in part, and seems to be
there twice; 1799: they wrote more than its log holds.
"""

ABSENT = frozenset({"1051", "1054", "1091", "1146", "1176", "1305", "1360", "1539"})
"""Errors that say that a table, column, key, routine, trigger or event is not there."""

RUNNER_LOCK = "CONCAT('migrator ', LEFT(SHA2(DATABASE(), 256), 40))"
"""Name of the lock that a runner holds; names are the whole server's, and have 64 characters at most."""

WORKER_LOCK = "CONCAT('migrator worker {place} ', LEFT(SHA2(DATABASE(), 256), 40))"
"""Name of the lock that each worker of a runner holds."""

FOUND_ROWS, MULTI_STATEMENTS = 1 << 1, 1 << 16
"""Capabilities of a client: an UPDATE counts rows that it finds as they should be, too, as SQLAlchemy expects of every
session; and a packet may have several statements (`mysql_locks.guarded`)."""

OWNER = f"""
SELECT p.id, CONCAT(p.user, '@', SUBSTRING_INDEX(p.host, ':', 1)), p.user,
       UTC_TIMESTAMP() - INTERVAL p.time SECOND
FROM information_schema.processlist p WHERE p.id = IS_USED_LOCK({RUNNER_LOCK})
"""

UNSEEN = """
SELECT 'performance_schema is off, so the server keeps no names of programs' WHERE NOT @@global.performance_schema
UNION ALL
SELECT 'this role sees no sessions but its own: GRANT PROCESS ON *.* TO …' WHERE NOT EXISTS
  (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'PROCESS')
"""
CLIENTS = """
SELECT p.id, COALESCE(a.attr_value, ''), NULL, SUBSTRING_INDEX(p.host, ':', 1)
FROM information_schema.processlist p LEFT JOIN performance_schema.session_connect_attrs a
  ON a.processlist_id = p.id AND a.attr_name = 'program_name'
WHERE p.id <> CONNECTION_ID() AND p.command NOT LIKE 'Binlog Dump%' AND p.command NOT IN ('Daemon', 'Slave_SQL')
  AND p.user NOT IN ('event_scheduler', 'system user') AND COALESCE(p.db, DATABASE()) = DATABASE()
  AND COALESCE(a.attr_value, '') NOT LIKE 'migrator %' ORDER BY p.id
"""
"""Sessions of others that are in this database, or in none. Since when they are there the server does not keep."""


HISTORY = {
    "mysql": "SELECT count FROM information_schema.innodb_metrics WHERE name = 'trx_rseg_history_len'",
    "mariadb": "SELECT CAST(variable_value AS UNSIGNED) FROM information_schema.global_status"
    " WHERE variable_name = 'INNODB_HISTORY_LIST_LENGTH'",
}
OLDEST_TRANSACTION = """
SELECT p.id, CONCAT(p.user, '@', SUBSTRING_INDEX(p.host, ':', 1)), p.user,
       TIMESTAMPDIFF(SECOND, x.trx_started, NOW())
FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
WHERE p.id <> CONNECTION_ID() ORDER BY x.trx_started LIMIT 1
"""


def seconds(milliseconds: int) -> int:
    """A wait as these servers know it: whole seconds, one at least."""
    return max(1, math.ceil(milliseconds / 1000))


WRITES = frozenset({"ALL", "ALL PRIVILEGES", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER"})


def writing(grant: str, database: str) -> str:
    """What of a line of `SHOW GRANTS` lets a role write in a database; empty where nothing does."""
    found = re.match(r"GRANT (.+?) ON (?:TABLE )?(\S+?)\.(\S+) TO ", grant)
    if found is None:
        return ""  # a role, whose own grants have lines of theirs; or a function or procedure
    given, schema, table = found.groups()
    wild = {"%": ".*", "*": ".*", "_": "."}
    pattern = re.sub(r"\\?.", lambda one: wild.get(one[0], re.escape(one[0].lstrip("\\"))), schema.strip('`"'))
    if not re.fullmatch(pattern, database):
        return ""
    verbs = [verb.strip().upper() for verb in re.sub(r"\([^)]*\)", "", given).split(",")]
    able = [verb for verb in verbs if verb in WRITES]
    return f"{', '.join(able)} on {schema}.{table}" if able else ""


@dataclass(frozen=True, slots=True)
class MySQLFamily:
    """What differs on MySQL and MariaDB; `migrator.dialects.base.Family` says what is asked."""

    names: tuple[str, ...] = ("mysql", "mariadb")
    packages: str = "mysql"
    commits_ddl: bool = True
    sends_several: bool = False
    waits_for_commits: bool = True
    piles_up: bool = False
    asks_replicas: bool = True
    reads_replicas: str = 'name them: replicas = ["mysql://…"]; or say that none has to be waited for: replicas = []'
    may_log_less: str = "GRANT SESSION_VARIABLES_ADMIN ON *.* TO … (MySQL) or GRANT BINLOG ADMIN ON *.* TO … (MariaDB)"
    ends_session: str = "KILL number"
    statistics: Statistics = field(default_factory=MySQLStatistics)
    backups: Backups = field(default_factory=MySQLBackups)
    questions: Mapping[str, str] = field(
        default_factory=lambda: {
            "backend": "SELECT CONNECTION_ID()",
            "try lock": f"SELECT GET_LOCK({RUNNER_LOCK}, 0)",
            "clock": "SELECT NOW(6)",
        }
    )

    def announced(self, raw: Any) -> int | None:
        return None  # a proxy may answer CONNECTION_ID() itself, with what it has announced

    def arguments(self, application_name: str, query: Mapping[str, Any]) -> dict[str, Any]:
        # Nobody listens on a socket of this machine, and a context for TLS takes longer than all the rest.
        local = {"ssl_disabled": True} if "unix_socket" in query else {}
        return {
            **local,
            "client_flag": FOUND_ROWS | MULTI_STATEMENTS,
            "program_name": application_name[:63],
            "charset": "utf8mb4",
            "init_command": f"SET SESSION sql_mode = '{SQL_MODE}', time_zone = '+00:00'",
        }

    def facts(self, rows: Callable[[str], Sequence[Any]]) -> Facts:
        version, comment, read_only, user, database = rows(FACTS)[0]
        family = "mariadb" if "mariadb" in f"{version} {comment}".lower() else "mysql"
        found = re.match(r"(?:5\.5\.5-)?(\d+)\.(\d+)\.(\d+)", version)
        release = tuple(map(int, found.groups())) if found else (0, 0, 0)
        if release < OLDEST[family]:
            oldest = ".".join(map(str, OLDEST[family]))
            raise NotSupportedHere(f"{family} {version} is too old; {oldest} is the oldest supported")
        if not database:
            raise NotSupportedHere(
                "the URL names no database", next_step=f"{family}://user:password@host:3306/database"
            )
        return Facts(Server(family, release), False, bool(read_only), user, database, 1000)

    def session_statements(self, server: Server) -> tuple[str, ...]:
        return (
            *self.answered(),
            "SET SESSION group_concat_max_len = 67108864",
            # A connection of ours that waits for a replica or a gate is idle, not forgotten.
            f"SET SESSION wait_timeout = {mysql_locks.FORGOTTEN}",
            "SET SESSION lock_wait_timeout = 1",
            "SET SESSION innodb_lock_wait_timeout = 1",
            # MySQL looks at its tables once a day, and MariaDB each time it is asked.
            "/*!80000 SET SESSION information_schema_stats_expiry = 0 *//*M!100600 DO 0 */",
            "SET SESSION foreign_key_checks = 1, SESSION unique_checks = 1",
        )

    def speaking(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        before = ("SET @migrator_sql_mode = @@SESSION.sql_mode", f"SET SESSION sql_mode = '{SQL_MODE}'")
        return before, ("SET SESSION sql_mode = @migrator_sql_mode",)

    def answer_within(self, milliseconds: int) -> tuple[str, ...]:
        # MySQL knows one of the two, MariaDB the other: a comment that is run says which.
        return (
            f"/*!80000 SET SESSION max_execution_time = {milliseconds} */"
            f"/*M!100600 SET SESSION max_statement_time = {milliseconds / 1000} */",
        )

    def answered(self) -> tuple[str, ...]:
        return ("/*!80000 SET SESSION max_execution_time = 0 *//*M!100600 SET SESSION max_statement_time = 0 */",)

    def code(self, problem: BaseException) -> str | None:
        first = problem.args[0] if problem.args else None
        return str(first) if isinstance(first, int) else None

    def trouble(self, code: str | None) -> Trouble:
        return Trouble.LOST if code is None else TROUBLES.get(code, Trouble.OTHER)

    def blames_row(self, code: str) -> bool:
        return code in ROW_FAULTS

    def passes(self, code: str) -> str:
        return PASSING.get(code, "")

    def absent(self, code: str) -> bool:
        return code in ABSENT

    def named_lock(self, name: str) -> str:
        own = hashlib.sha256(name.encode()).hexdigest()[:12]
        return f"SELECT GET_LOCK(CONCAT('migrator ', LEFT(SHA2(DATABASE(), 256), 40), ' {own}'), 0)"

    def owner(self) -> str:
        return OWNER

    def blockers(self, lock: Lock, server: Server) -> tuple[str, ...]:
        return mysql_locks.blockers(lock, server)

    def users(self, tables: Sequence[TableName], tied: Mapping[TableName, bool], server: Server) -> tuple[Users, ...]:
        return mysql_locks.users(tables, tied, server)

    def tied(self, tables: Sequence[TableName], server: Server) -> str:
        return mysql_locks.tied(tables, server)

    def guarded(self, question: str, crowd: int, sql: str) -> tuple[str, str]:
        return mysql_locks.guarded(question, crowd, sql), mysql_locks.NOT_NOW

    def shut(self, sql: str, locks: Sequence[Lock]) -> Shutting:
        return mysql_locks.shut(sql, locks)

    def conflicts(self, lock: Lock, held: str) -> bool:
        return True

    def locking(self, locks: Sequence[Lock], timeout_ms: int, deadlock_ms: int, *, unread: bool) -> tuple[str, ...]:
        return self.before_ddl(timeout_ms)

    def closing(self, sql: str, timeout_ms: int, deadlock_ms: int) -> tuple[str, ...]:
        return (*self.before_ddl(timeout_ms), sql)

    def before_batch(self, timeout_ms: int, deadlock_ms: int) -> tuple[str, ...]:
        return ()

    def for_batches(self, timeout_ms: int) -> tuple[str, ...]:
        # MariaDB can be told not to wait at all: who waits for nothing takes part in no deadlock.
        return (*self.before_ddl(timeout_ms), "/*M!100600 SET SESSION innodb_lock_wait_timeout = 0 */")

    def worker_lock(self, place: int) -> str:
        return f"SELECT GET_LOCK({WORKER_LOCK.format(place=place)}, 10)"

    def no_workers(self) -> str:
        places = range(1, MOST_WORKERS + 1)
        return f"SELECT {' AND '.join(f'IS_FREE_LOCK({WORKER_LOCK.format(place=place)})' for place in places)}"

    def hurried(self, server: Server) -> tuple[str, ...]:
        # Whoever has read a table in a transaction and writes it while DDL waits is the victim of a deadlock.
        return ("SET SESSION lock_wait_timeout = 0",) if server.family == "mariadb" else ()

    def before_ddl(self, timeout_ms: int) -> tuple[str, ...]:
        wait = seconds(timeout_ms)
        return (f"SET SESSION lock_wait_timeout = {wait}, SESSION innodb_lock_wait_timeout = {wait}",)

    def patience(self, timeout_ms: int) -> tuple[str, ...]:
        return self.before_ddl(timeout_ms)

    def size(self, table: TableName) -> str:
        return (
            "SELECT COALESCE(MAX(data_length), 0) FROM information_schema.tables"
            f" WHERE table_schema = {literal(table.schema)} AND table_name = {literal(table.name)}"
        )

    def updates(self, table: TableName) -> str:
        return ""

    def look(self, table: TableName) -> str:
        return f"SELECT 1 FROM {qualified(table)} LIMIT 1"

    def history(self, server: Server) -> str:
        return HISTORY[server.family]

    def data_folder(self, rows: Callable[[str], Sequence[Sequence[Any]]]) -> Path | None:
        host, folder = rows("SELECT @@hostname, @@datadir")[0]
        return Path(folder) if host == socket.gethostname() and folder else None

    def oldest_transaction(self) -> str:
        return OLDEST_TRANSACTION

    def logs_less(self) -> str:
        return "SET SESSION binlog_row_image = 'MINIMAL'"

    def clients(self) -> tuple[str, str]:
        return UNSEEN, CLIENTS

    def writable(self, rows: Callable[[str], Sequence[Any]], database: str) -> tuple[str, ...]:
        return tuple(said for (grant,) in rows("SHOW GRANTS") if (said := writing(str(grant), database)))

    def replicas(self) -> str:
        return ""
