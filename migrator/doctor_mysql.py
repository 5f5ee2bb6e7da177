"""What would stop a migration on MySQL or MariaDB: privileges, settings, open transactions, leftovers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from migrator.errors import DatabaseError
from migrator.introspection_mysql import MySQLReader
from migrator.replication import Watch
from phases.dialects.mysql_budget import FEW, limit

if TYPE_CHECKING:
    from migrator.database import Session
    from migrator.settings import Settings

Said = tuple[str, str, str, str]
"""Level, subject, text and remedy."""

LOG = "SELECT @@log_bin, @@binlog_format, @@global.binlog_row_image"
LOCK_INFO = """
SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'METADATA_LOCK_INFO' AND plugin_status = 'ACTIVE'
"""
ALGORITHMS = (
    ("mariadb", (10, 6), "columns are added, dropped and moved INSTANT; indexes are built while rows are written"),
    ("mysql", (8, 0, 29), "columns are added and dropped INSTANT; indexes are built while rows are written"),
    ("mysql", (8, 0, 28), "columns are added last and renamed INSTANT; dropping one writes the table again"),
    ("mysql", (8, 0, 19), "columns are added last INSTANT; dropping one writes the table again"),
)
"""What servers do in which way, newest first; tried on them by the tests."""
PROCESS = "SELECT COUNT(*) FROM information_schema.innodb_trx"
OLD_TRANSACTIONS = """
SELECT p.id, CONCAT(p.user, '@', SUBSTRING_INDEX(p.host, ':', 1)), TIMESTAMPDIFF(SECOND, x.trx_started, NOW())
FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
WHERE x.trx_started < NOW() - INTERVAL 1 MINUTE AND p.id <> CONNECTION_ID() ORDER BY 3 DESC LIMIT 5
"""
OWN_TRIGGERS = """
SELECT event_object_table, trigger_name FROM information_schema.triggers
WHERE trigger_schema = DATABASE() AND LEFT(trigger_name, 1) <> '~' AND trigger_name NOT LIKE 'migrator#_%' ESCAPE '#'
ORDER BY 1, 2 LIMIT 20
"""
CASCADES = """
SELECT table_name, constraint_name FROM information_schema.referential_constraints
WHERE constraint_schema = DATABASE() AND LEFT(table_name, 9) <> 'migrator_'
  AND ('CASCADE' IN (delete_rule, update_rule) OR 'SET NULL' IN (delete_rule, update_rule)) ORDER BY 1, 2 LIMIT 20
"""
OTHER_ENGINES = """
SELECT table_name, engine FROM information_schema.tables WHERE table_schema = DATABASE()
  AND LEFT(table_name, 9) <> 'migrator_' AND table_type = 'BASE TABLE' AND engine <> 'InnoDB' ORDER BY 1 LIMIT 20
"""
WITHOUT_KEY = """
SELECT t.table_name FROM information_schema.tables t
WHERE t.table_schema = DATABASE() AND t.table_type = 'BASE TABLE' AND LEFT(t.table_name, 9) <> 'migrator_'
  AND NOT EXISTS (SELECT 1 FROM information_schema.statistics s JOIN information_schema.columns c
    ON c.table_schema = s.table_schema AND c.table_name = s.table_name AND c.column_name = s.column_name
    WHERE s.table_schema = t.table_schema AND s.table_name = t.table_name AND s.non_unique = 0
    GROUP BY s.index_name HAVING MAX(c.is_nullable) = 'NO')
ORDER BY 1 LIMIT 20
"""
LEFTOVERS = """
SELECT CONCAT('trigger ', trigger_name, ' on ', event_object_table) FROM information_schema.triggers
WHERE trigger_schema = DATABASE() AND LEFT(trigger_name, 10) = '~migrator_'
UNION ALL
SELECT CONCAT('column ', table_name, '.', column_name) FROM information_schema.columns
WHERE table_schema = DATABASE() AND LEFT(column_name, 10) = '_migrator_'
UNION ALL
SELECT CONCAT('table ', table_name) FROM information_schema.tables
WHERE table_schema = DATABASE() AND LEFT(table_name, 10) IN ('_migrator_', '~migrator_')
"""


def look(session: Session, settings: Settings) -> Iterator[Said]:
    """Look at what differs on these servers. Writes nothing."""
    yield from privileges(session)
    yield from server(session)
    yield from replicas(session, settings)
    yield from tables(session)


def server(session: Session) -> Iterator[Said]:
    family, version = session.server.family, session.server.version
    text = next(said for name, since, said in ALGORITHMS if name == family and version >= since)
    yield ("ok", "algorithms", f"{text}; nothing is ever copied behind a lock", "")
    logged, form, image = session.query(LOG)[0]
    if logged:
        yield ("ok", "binary log", f"binlog_format {form}, binlog_row_image {image}", "")
    if logged and form == "STATEMENT":
        text = "the binary log has statements: what triggers and backfills do may come out otherwise on a replica"
        yield ("warning", "binary log", text, "SET GLOBAL binlog_format = ROW")
    if family == "mariadb" and not session.query(LOCK_INFO):
        text = "who holds a metadata lock is not known: every open transaction is named"
        yield ("warning", "locks", text, "INSTALL SONAME 'metadata_lock_info'")


def replicas(session: Session, settings: Settings) -> Iterator[Said]:
    if not settings.replica_lag:
        return
    watch = Watch(session, settings.replica_lag, urls=settings.replicas)
    verdict, reading = watch.look(), watch.readings[-1]
    if verdict.unknown:
        yield ("warning", "replicas", f"{verdict.unknown}: no batch waits for them", session.family.reads_replicas)
    elif verdict.reason:
        yield ("warning", "replicas", verdict.reason, "batches wait until it is not")
    elif reading.replicas:
        yield ("ok", "replicas", f"{', '.join(each.name for each in reading.replicas)}: not behind", "")


def privileges(session: Session) -> Iterator[Said]:
    with session.transaction() as connection:
        reader = MySQLReader(connection)
        lacking, may_lock = reader.powerless()(""), reader.may_lock()
    if lacking:
        yield ("problem", "triggers", f"triggers cannot be created: {lacking}", "see the message, as an administrator")
    else:
        yield ("ok", "triggers", "triggers can be created", "")
    if not may_lock:
        text = (
            "tables cannot be shut while triggers are made: transactions that read one and write it then can be ended"
        )
        yield ("warning", "privileges", f"{text} (1213)", "GRANT LOCK TABLES ON …")
    try:
        session.query(PROCESS)
    except DatabaseError:
        text = "other sessions are not seen: neither blockers are named, nor sessions of old builds, nor replicas"
        yield ("warning", "privileges", text, "GRANT PROCESS ON *.* TO …")
        return
    for number, name, seconds in session.query(OLD_TRANSACTIONS):
        text = f"connection {number} {name} has been in a transaction for {seconds} s: every ALTER waits for it"
        yield ("warning", "activity", text, f"KILL {number}, if nobody needs it")


def versions(session: Session) -> Iterator[Said]:
    """Tables that can soon not be changed INSTANT any more."""
    with session.transaction() as connection:
        found = MySQLReader(connection).row_versions() or {}
    most = limit(session.server)
    for table, count in sorted(found.items()):
        if count > most * (1 - FEW):
            text = f"{table} may be changed INSTANT {most - count} more times (of {most})"
            remedy = f"in a quiet hour: ALTER TABLE {table} ENGINE=InnoDB, ALGORITHM=INPLACE, LOCK=NONE"
            yield ("warning", "row versions", text, remedy)


def tables(session: Session) -> Iterator[Said]:
    yield from versions(session)
    for table, engine in session.query(OTHER_ENGINES):
        text = f"{table} is of engine {engine}: it cannot be migrated"
        yield ("warning", "engine", text, f"ALTER TABLE {table} ENGINE=InnoDB")
    for (table,) in session.query(WITHOUT_KEY):
        text = f"{table} has no key of NOT NULL columns: no backfill of it"
        yield ("warning", "keys", text, "add a primary key in a maintenance window")
    found = session.query(OWN_TRIGGERS)
    if found:
        named = ", ".join(f"{trigger} on {table}" for table, trigger in found)
        yield ("ok", "triggers", f"triggers of your own, which fire before ours: {named}", "")
    for table, key in session.query(CASCADES):
        text = f"foreign key {key} of {table} changes rows without firing triggers: its columns cannot be renamed"
        yield ("warning", "cascades", text, "drop it in an earlier revision, where that matters")
