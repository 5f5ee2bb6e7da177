"""Questions to a PostgreSQL server about sessions, locks and itself."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence

from phases.model import Lock, LockMode
from phases.sql import literal, qualified

PATIENT_LOCK_TIMEOUT_MS = 3000

RUNNER_LOCK = 0x6D696772
"""Key of the advisory lock that a runner holds: the letters "migr"."""

CONFLICTS: dict[LockMode, frozenset[LockMode]] = {
    LockMode.SHARE_UPDATE_EXCLUSIVE: frozenset(list(LockMode)[3:]),
    LockMode.SHARE: frozenset(list(LockMode)[2:]) - {LockMode.SHARE},
    LockMode.SHARE_ROW_EXCLUSIVE: frozenset(list(LockMode)[2:]),
    LockMode.EXCLUSIVE: frozenset(list(LockMode)[1:]),
    LockMode.ACCESS_EXCLUSIVE: frozenset(LockMode),
}
"""Which held modes keep a wanted one waiting (manual, "Conflicting Lock Modes")."""

SESSION = (
    # No statement of ours may be cut short by a limit made for the application …
    "SET statement_timeout = 0",
    "SET idle_in_transaction_session_timeout = 0",
    # … and what we send must mean the same whatever the role's settings are.
    "SET standard_conforming_strings = on",
    "SET row_security = off",
    # To compile a query of the catalog takes ten times as long as to run it: 1.1 s, on PostgreSQL 15.
    "SET jit = off",
)

SINCE_14 = (
    # Without this the server works on, and keeps the runner lock, long after a killed client is gone.
    "SET client_connection_check_interval = '1s'",
)

SINCE_17 = ("SET transaction_timeout = 0",)

FACTS = """
SELECT current_setting('server_version_num')::int, pg_is_in_recovery(),
       current_setting('transaction_read_only') = 'on', current_user, current_database(),
       (SELECT setting::int FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout')
"""

OWNER = """
SELECT a.pid, a.application_name, a.usename, a.backend_start
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND l.classid = 0 AND l.objid = {key}
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
"""

BLOCKERS = """
SELECT DISTINCT ON (a.pid) a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''),
       coalesce(a.state, ''), coalesce(extract(epoch FROM clock_timestamp() - a.xact_start), 0)::float8,
       coalesce(a.query, ''), replace(upper(regexp_replace(l.mode, '(?<=[a-z])(?=[A-Z])', ' ', 'g')), ' LOCK', '')
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a USING (pid)
WHERE l.locktype = 'relation' AND l.granted AND l.pid <> pg_catalog.pg_backend_pid()
  AND l.relation = pg_catalog.to_regclass({table})
  AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
ORDER BY a.pid, a.xact_start
"""


SESSIONS = """
SELECT pid, coalesce(application_name, ''), coalesce(usename, '') FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND pid <> pg_catalog.pg_backend_pid()
  AND coalesce(backend_type, 'client backend') = 'client backend' ORDER BY backend_start
"""
"""Sessions of this database. Names are visible to every role, kinds of backends only to some."""


CLIENTS = """
SELECT pid, coalesce(application_name, ''), backend_start, pg_catalog.host(client_addr)
FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND pid <> pg_catalog.pg_backend_pid()
  AND coalesce(backend_type, 'client backend') = 'client backend'
  AND coalesce(application_name, '') NOT LIKE 'migrator %' ORDER BY backend_start, pid
"""
"""Sessions of others in this database. Start and address are NULL for roles without pg_read_all_stats."""


REPLICAS = """
SELECT pg_catalog.quote_ident(coalesce(nullif(r.application_name, ''), 'pid ' || r.pid))
         || coalesce(' (' || pg_catalog.host(r.client_addr) || ')', ''),
       r.state IS NULL, r.write_lsn IS NOT NULL, pg_catalog.pg_wal_lsn_diff(r.replay_lsn, '0/0')::bigint,
       extract(epoch FROM r.replay_lag)::float8,
       pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_flush_lsn(), '0/0')::bigint
FROM pg_catalog.pg_stat_replication r
WHERE coalesce(r.state, 'streaming') IN ('streaming', 'catchup')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.active_pid = r.pid AND s.slot_type = 'logical')
ORDER BY r.application_name, r.pid
"""
"""Connected replicas, and up to where the WAL could be on them. All but names is NULL for roles without pg_monitor."""

WAL_POSITION = """
SELECT pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_insert_lsn(), '0/0')::bigint,
       current_setting('wal_block_size')::int
"""
"""What is written, flushed or not: a transaction that did not wait for the flush is visible already."""


ARCHIVE = """
SELECT current_setting('archive_mode') <> 'off',
       pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE'),
       CASE WHEN a.last_failed_time > coalesce(a.last_archived_time, '-infinity') THEN a.last_failed_wal ELSE '' END,
       coalesce(a.last_archived_wal, ''), pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()),
       pg_catalog.pg_size_bytes(current_setting('wal_segment_size'))
FROM pg_catalog.pg_stat_archiver a
"""
"""Every role may ask this; the queue itself only members of pg_monitor."""
ARCHIVE_QUEUE = "SELECT count(*) FROM pg_catalog.pg_ls_archive_statusdir() WHERE name LIKE '%.ready'"

SLOTS = """
SELECT s.slot_name::text,
       coalesce(pg_catalog.pg_wal_lsn_diff(pg_catalog.pg_current_wal_lsn(), s.restart_lsn), 0)::bigint,
       s.active, {status}
FROM pg_catalog.pg_replication_slots s WHERE s.restart_lsn IS NOT NULL OR {status} = 'lost'
"""
SLOT_STATUS_SINCE = (13, 0)

WRITABLE = """\
SELECT n.nspname || '.' || c.relname
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'f')
  AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
  AND (pg_catalog.has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    OR pg_catalog.has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
ORDER BY 1"""
"""What the role of a session may write, whomever it has that from."""


def slots(version: tuple[int, ...]) -> str:
    """Question for the WAL that replication slots keep; one that has lost it keeps none."""
    status = "coalesce(s.wal_status, '')" if version >= SLOT_STATUS_SINCE else "''"
    return SLOTS.format(status=status)


TABLE_ROWS = """
SELECT s.n_live_tup, s.n_dead_tup, s.vacuum_count + s.autovacuum_count,
       current_setting('autovacuum')::boolean AND current_setting('track_counts')::boolean
         AND NOT coalesce(c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off',
           'autovacuum_enabled=0', 'autovacuum_enabled=no'], false)
FROM pg_catalog.pg_stat_all_tables s JOIN pg_catalog.pg_class c ON c.oid = s.relid
WHERE s.relid = pg_catalog.to_regclass({table})
"""

VACUUM = "VACUUM (SKIP_LOCKED, TRUNCATE FALSE) {table}"
"""Without TRUNCATE it takes no lock that readers wait for."""
GENTLY = ("SET vacuum_cost_delay = '2ms'", "SET vacuum_cost_limit = 400")
"""As autovacuum rests, and twice as fast: at full speed it fills the log that commits of others wait for."""
CANCEL = "SELECT pg_catalog.pg_cancel_backend({pid})"
OTHERS_AT_WORK = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND backend_type = 'client backend' AND application_name NOT LIKE 'migrator %'
  AND coalesce(state_change > clock_timestamp() - interval '10 s', true))
"""
"""What a session does, not every role may see: then it may be at work."""

UPDATES = """
SELECT s.n_tup_upd, s.n_tup_hot_upd, (
  SELECT coalesce(max(extract(epoch FROM clock_timestamp() - held.since)), 0)::float8 FROM (
    SELECT CASE WHEN a.state = 'active' AND a.backend_xid IS NULL THEN a.query_start ELSE a.xact_start END AS since
    FROM pg_catalog.pg_stat_activity a
    WHERE a.datname = current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
      AND coalesce(a.application_name, '') NOT LIKE 'migrator %'
      AND coalesce(a.backend_type, '') <> 'autovacuum worker'
    UNION ALL SELECT p.prepared FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database()) AS held)
FROM pg_catalog.pg_stat_all_tables s WHERE s.relid = pg_catalog.to_regclass({table})
"""
"""Updates, those of them that stayed on their page, and the seconds for which others keep pages from being pruned."""

OLDEST_TRANSACTION = """
SELECT a.pid, coalesce(a.application_name, ''), coalesce(a.usename, ''),
       extract(epoch FROM clock_timestamp() - a.xact_start)::float8
FROM pg_catalog.pg_stat_activity a
WHERE a.datname = current_database() AND (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
  AND coalesce(a.application_name, '') NOT LIKE 'migrator %' AND coalesce(a.backend_type, '') <> 'autovacuum worker'
  AND a.xact_start IS NOT NULL
UNION ALL SELECT NULL, p.gid, p.owner, extract(epoch FROM clock_timestamp() - p.prepared)::float8
FROM pg_catalog.pg_prepared_xacts p WHERE p.database = current_database()
ORDER BY 4 DESC LIMIT 1
"""
"""The one that is prepared for a commit of two phases has no number of a session."""

WHERE_IT_RUNS = """
SELECT coalesce(host(inet_server_addr()), ''), pg_catalog.pg_backend_pid(),
       (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'data_directory')
"""

LOOK = """
SELECT count(*) FROM ONLY {table} WHERE ctid = (
  SELECT ('(' || floor(random() * pg_catalog.pg_relation_size({name}) / current_setting('block_size')::float8)::bigint
    || ',1)')::tid)
"""
"""A row of any page: the first row of all may lie behind many dead ones."""

STATISTICS_SCHEMA = """
SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'
"""

WITH_STAR = """
SELECT s.query FROM {schema}.pg_stat_statements s
WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND s.query ~* {star} AND s.query ~* {table} ORDER BY s.calls DESC LIMIT 1
"""
STAR = r"(select|distinct|returning|,)\s+(([[:alnum:]_$]+|\"[^\"]+\")\s*[.]\s*)?[*]"


def statements_with_star(schema: str, table: str) -> str:
    """Question for a statement that reads all columns of a table; `schema` quoted, `table` a pattern."""
    word = rf"(^|[^[:alnum:]_$]){table}($|[^[:alnum:]_$])"
    return WITH_STAR.format(schema=schema, star=literal(STAR), table=literal(word))


def session_statements(version: tuple[int, ...]) -> tuple[str, ...]:
    """Statements that prepare a session of ours."""
    statements: tuple[str, ...] = SESSION
    if version >= (14, 0):
        statements += SINCE_14
    if version >= (17, 0):
        statements += SINCE_17
    return statements


def lock_timeout(milliseconds: int) -> str:
    return f"SET LOCAL lock_timeout = {milliseconds}"


def statement_timeout(milliseconds: int) -> str:
    return f"SET LOCAL statement_timeout = {milliseconds}"


def batch_settings(lock_timeout_ms: int) -> str:
    """Limit the wait for locks of a transaction, and let nobody wait for its commit: in one round trip."""
    return (
        f"SELECT pg_catalog.set_config('lock_timeout', '{lock_timeout_ms}ms', true),"
        " pg_catalog.set_config('synchronous_commit', 'off', true)"
    )


def yielding(timeout_ms: int, deadlock_ms: int) -> int:
    """A lock timeout under which it is never somebody else who is ended for a deadlock with us.

    No order of locks is safe: a DELETE locks a referenced table before the referencing one, an INSERT
    after it. But whoever waits for us begins after we have begun, and the server looks for a
    deadlock `deadlock_timeout` later: by then we have let go. Half of it leaves time for the way to the server.
    """
    return max(1, min(timeout_ms, deadlock_ms // 2))


def is_waited_for(lock: Lock) -> bool:
    """Whether readers or writers wait for it."""
    return bool(lock.by) or lock.mode is not LockMode.SHARE_UPDATE_EXCLUSIVE


def lock_statements(
    locks: Sequence[Lock],
    timeout_ms: int,
    deadlock_ms: int,
    *,
    unread: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[str]:
    """Take locks: first the one that no reader or writer waits for, patiently, then the real ones, briefly.

    Autovacuum holds that same lock, and steps aside only for somebody who has waited for
    `deadlock_timeout` (1 s): longer than anybody may queue behind an exclusive lock.
    Whoever waits for the first of the real ones waits until the last is granted, so all
    of them together have no longer than one may take.

    Args:
        deadlock_ms: the server's `deadlock_timeout`.
        unread: the statements behind the locks may take any others.
        clock: seconds, of any beginning; asked before each of the real locks.
    """
    yield lock_timeout(max(PATIENT_LOCK_TIMEOUT_MS, timeout_ms))
    for lock in locks:
        if not lock.by:
            yield f"LOCK TABLE ONLY {qualified(lock.table)} IN {LockMode.SHARE_UPDATE_EXCLUSIVE} MODE"
    real = [lock for lock in locks if is_waited_for(lock)]
    if unread or len(real) > 1:
        timeout_ms = yielding(timeout_ms, deadlock_ms)
    begun = clock()
    left = timeout_ms
    yield lock_timeout(left)
    for lock in real:
        if left != (left := max(1, timeout_ms - int((clock() - begun) * 1000))):  # 0 would be for ever
            yield lock_timeout(left)
        yield lock.by or f"LOCK TABLE ONLY {qualified(lock.table)} IN {lock.mode} MODE"


def blockers_query(lock: Lock) -> str:
    return BLOCKERS.format(table=literal(qualified(lock.table)))


def conflicts(wanted: LockMode, held: str) -> bool:
    return any(mode.value == held for mode in CONFLICTS.get(wanted, frozenset()))


def lock_key(name: str) -> int:
    """Key of an advisory lock that has a name: 64 bits with a sign."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


WORKERS = 0x6D696777
"""Key of the advisory lock that the workers of a runner share: the letters "migw"."""
WORKER_LOCK = f"SELECT pg_catalog.pg_try_advisory_lock_shared({WORKERS})"
NO_WORKERS = f"""
SELECT CASE WHEN pg_catalog.pg_try_advisory_lock({WORKERS}) THEN pg_catalog.pg_advisory_unlock({WORKERS}) ELSE false END
"""
TRY_RUNNER_LOCK = f"SELECT pg_catalog.pg_try_advisory_lock({RUNNER_LOCK})"
RUNNER_OWNER = OWNER.format(key=RUNNER_LOCK)
BACKEND_PID = "SELECT pg_catalog.pg_backend_pid()"
