"""Metadata locks of MySQL and MariaDB: who holds them, when to ask for them, and what shuts a table for DDL.

Whoever has read a table in a transaction and goes on to write it while DDL waits for that table is the victim of a
deadlock: the server always ends those whose request is the weaker one (`MDL_context::find_deadlock`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from migrator.dialects.base import Shutting, Users
from phases.catalog import Server
from phases.dialects.mysql_statements import literal, works
from phases.model import Lock, TableName
from phases.sql import qualified

HOLDERS_MYSQL = """
SELECT DISTINCT t.processlist_id, CONCAT(COALESCE(t.processlist_user, ''), '@', COALESCE(t.processlist_host, '')),
       COALESCE(t.processlist_user, ''), LOWER(COALESCE(t.processlist_command, '')),
       COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), t.processlist_time, 0),
       COALESCE(t.processlist_info, ''), m.lock_type
FROM performance_schema.metadata_locks m JOIN performance_schema.threads t ON t.thread_id = m.owner_thread_id
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = t.processlist_id
WHERE m.object_type = 'TABLE' AND m.object_schema = {schema} AND m.object_name = {name}
  AND m.lock_status = 'GRANTED' AND t.processlist_id <> CONNECTION_ID()
"""

HOLDERS_PLUGIN = """
SELECT DISTINCT p.id, CONCAT(p.user, '@', SUBSTRING_INDEX(p.host, ':', 1)), p.user, LOWER(p.command),
       COALESCE(TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), p.time, 0), COALESCE(p.info, ''), m.lock_mode
FROM information_schema.metadata_lock_info m JOIN information_schema.processlist p ON p.id = m.thread_id
LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = p.id
WHERE m.lock_type = 'Table metadata lock' AND m.table_schema = {schema} AND m.table_name = {name}
  AND p.id <> CONNECTION_ID()
"""
"""Of MariaDB, where its plugin METADATA_LOCK_INFO is installed."""

HOLDERS_MARIADB = """
SELECT p.id, CONCAT(p.user, '@', SUBSTRING_INDEX(p.host, ':', 1)), p.user, LOWER(p.command),
       TIMESTAMPDIFF(SECOND, x.trx_started, NOW()), COALESCE(p.info, ''), 'TRANSACTION'
FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
WHERE p.id <> CONNECTION_ID() AND (p.db = {schema} OR p.db IS NULL)
"""
"""Without that plugin: every open transaction may hold the lock."""

USERS_MYSQL = """
SELECT COALESCE(SUM(h.asked), 0) AS users,
       COALESCE(SUM(NOT h.written AND (h.asked AND NOT h.autocommits OR h.tied)), 0) AS readers
FROM (SELECT SUM({asked}) > 0 AS asked, SUM({first} AND {writes}) > 0 AS written,
    SUM(NOT {asked} AND ({writes} OR {whole})) > 0 AS tied, EXISTS (
      SELECT 1 FROM performance_schema.events_transactions_current x
      WHERE x.thread_id = m.owner_thread_id AND x.state = 'ACTIVE' AND x.autocommit = 'YES') AS autocommits
  FROM performance_schema.metadata_locks m
  WHERE m.object_type = 'TABLE' AND ({asked} OR {tied})
    AND m.lock_status = 'GRANTED' AND m.owner_thread_id <> PS_CURRENT_THREAD_ID()
  GROUP BY m.owner_thread_id) AS h
"""
"""The first table is locked first: who has written it only finishes, while it is waited for, and may use the others.

Who has another one, and comes to that one then, has to be ended.
"""

QUICK_MYSQL = """
SELECT COUNT(DISTINCT CASE WHEN {asked} THEN m.owner_thread_id END) AS users, COUNT(DISTINCT m.owner_thread_id)
       - COUNT(DISTINCT CASE WHEN {first} AND {writes} THEN m.owner_thread_id END) AS readers
FROM performance_schema.metadata_locks m
WHERE m.object_type = 'TABLE' AND ({asked} OR {whole} OR {tied} AND {writes})
  AND m.lock_status = 'GRANTED' AND m.owner_thread_id <> PS_CURRENT_THREAD_ID()
"""
"""The same, and whoever only reads them counts, in a transaction or not."""

USERS_PLUGIN = """
SELECT COUNT(*) AS users, COALESCE(SUM(NOT h.written AND NOT h.autocommits), 0) AS readers
FROM (SELECT SUM({first} AND {writes}) > 0 AS written,
    COALESCE(MAX(x.trx_autocommit_non_locking), 0) AS autocommits
  FROM information_schema.metadata_lock_info m
  LEFT JOIN information_schema.innodb_trx x ON x.trx_mysql_thread_id = m.thread_id
  WHERE m.lock_type = 'Table metadata lock' AND {asked} AND m.thread_id <> CONNECTION_ID()
  GROUP BY m.thread_id) AS h
"""

QUICK_PLUGIN = """
SELECT COUNT(DISTINCT m.thread_id) AS users, COUNT(DISTINCT m.thread_id)
       - COUNT(DISTINCT CASE WHEN {first} AND {writes} THEN m.thread_id END) AS readers
FROM information_schema.metadata_lock_info m
WHERE m.lock_type = 'Table metadata lock' AND {asked} AND m.thread_id <> CONNECTION_ID()
"""

QUICK_MARIADB = """
SELECT COUNT(*) AS users, COALESCE(SUM(x.trx_tables_locked = 0 AND NOT x.trx_autocommit_non_locking), 0) AS readers
FROM information_schema.innodb_trx x WHERE x.trx_mysql_thread_id <> CONNECTION_ID()
"""
"""Of any database."""

USERS_MARIADB = """
SELECT COUNT(*) AS users,
       COALESCE(SUM(x.trx_tables_locked = 0 AND NOT x.trx_autocommit_non_locking), 0) AS readers
FROM information_schema.innodb_trx x JOIN information_schema.processlist p ON p.id = x.trx_mysql_thread_id
WHERE p.id <> CONNECTION_ID() AND (p.db IN ({schemas}) OR p.db IS NULL)
"""
"""Without that plugin: every transaction that has written nothing may have read the table."""

WRITES = "(m.lock_type NOT IN ('SHARED', 'SHARED_HIGH_PRIO', 'SHARED_READ'))"
WRITES_PLUGIN = "(m.lock_mode NOT IN ('MDL_SHARED', 'MDL_SHARED_HIGH_PRIO', 'MDL_SHARED_READ'))"

QUICK = 0.002
"""Seconds between two looks at locks: how long a short transaction takes."""
AGED = 0.12
"""Seconds after which the server says anew which transactions there are; asked more often, it says the same."""

TIED = """
SELECT constraint_schema, table_name,
       delete_rule IN ('CASCADE', 'SET NULL') OR update_rule IN ('CASCADE', 'SET NULL')
FROM information_schema.referential_constraints WHERE {referenced}
UNION ALL SELECT unique_constraint_schema, referenced_table_name, FALSE
FROM information_schema.referential_constraints WHERE {referencing}
UNION ALL SELECT t.table_schema, t.table_name, TRUE
FROM information_schema.triggers g JOIN information_schema.tables t
  ON t.table_schema = g.event_object_schema AND LOCATE(t.table_name, g.action_statement) > 0 WHERE {triggering}
"""
"""A table whose name a trigger has for something else only makes moments rarer."""

GUARD = """
SELECT IF(EXISTS ({question} HAVING readers > 0 OR users > 0 AND users < {crowd}), (SELECT 1 UNION SELECT 2), 0);
{sql}"""
"""Two rows where one may be are an error (not of DO on MariaDB), and what comes behind it in a packet is not run."""
NOT_NOW = "1242"

FEW_ROWS, FEW_BYTES = 20_000, 4 << 20
"""Of a table that is built again within a tenth of a second."""
SMALL = """
(SELECT COUNT(*) <= {rows} FROM (SELECT 1 FROM {table} LIMIT {most}) AS few)
AND (SELECT COALESCE(MAX(data_length + index_length), 0) <= {bytes} FROM information_schema.tables WHERE {named})"""

LOCKED_OUT = frozenset({"1099", "1100", "1192"})
"""Errors of a statement for which another table had to be locked, or that is not run behind such a lock."""

FORGOTTEN, CUT_OFF = 604800, 2
"""Seconds after which the server ends a session of ours that says nothing; the same while it keeps a table shut."""


def one(name: TableName, schema: str, table: str) -> str:
    """Condition that two columns name a table."""
    return f"({schema} = {literal(name.schema)} AND {table} = {literal(name.name)})"


def any_of(tables: Iterable[TableName], schema: str, table: str) -> str:
    """Condition that two columns name one of some tables."""
    return "(" + (" OR ".join(one(name, schema, table) for name in tables) or "FALSE") + ")"


def blockers(lock: Lock, server: Server) -> tuple[str, ...]:
    """Questions for sessions that hold a lock; the next one where the server does not know the one before."""
    questions = (HOLDERS_MYSQL,) if server.family == "mysql" else (HOLDERS_PLUGIN, HOLDERS_MARIADB)
    named = {"schema": literal(lock.table.schema), "name": literal(lock.table.name)}
    return tuple(question.format(**named) for question in questions)


def users(tables: Sequence[TableName], tied: Mapping[TableName, bool], server: Server) -> tuple[Users, ...]:
    """Questions for who uses tables; the next ones where the server does not know those before."""
    if server.family == "mysql":
        alone = users_mysql(tables, {})
        return (replace(alone, tied=users_mysql(tables, tied)) if tied else alone,)
    given = asked_for(tables, "m.table_schema", "m.table_name") | {"writes": WRITES_PLUGIN}
    schemas = ", ".join(dict.fromkeys(literal(table.schema) for table in tables))
    known = USERS_MARIADB.format(schemas=schemas)
    return Users(USERS_PLUGIN.format(**given), QUICK_PLUGIN.format(**given), None, QUICK), Users(
        known, QUICK_MARIADB, None, AGED
    )


def users_mysql(tables: Sequence[TableName], tied: Mapping[TableName, bool]) -> Users:
    """Questions for who uses tables, or keeps others from being locked as well."""
    columns = "m.object_schema", "m.object_name"
    given = asked_for(tables, *columns) | {"writes": WRITES, "tied": any_of(tied, *columns)}
    given |= {"whole": any_of([name for name, whole in tied.items() if whole], *columns)}
    return Users(USERS_MYSQL.format(**given), QUICK_MYSQL.format(**given), None, QUICK)


def asked_for(tables: Sequence[TableName], *columns: str) -> dict[str, str]:
    """Conditions that two columns name one of some tables, and the first of them that a statement locks."""
    first = min(tables, key=lambda name: (name.schema.encode(), name.name.encode()))
    return {"asked": any_of(tables, *columns), "first": one(first, *columns)}


def tied(tables: Sequence[TableName], server: Server) -> str:
    """Question for tables that LOCK TABLES locks as well, and whether reads of them wait, too; empty if there are none.

    Foreign keys tie them, and triggers: what a cascade or a trigger would write it locks like the table itself
    (`performance_schema.metadata_locks` shows it). MariaDB lets others write them.
    """
    if server.family != "mysql":
        return ""
    return TIED.format(
        referenced=any_of(tables, "unique_constraint_schema", "referenced_table_name"),
        referencing=any_of(tables, "constraint_schema", "table_name"),
        triggering=any_of(tables, "g.event_object_schema", "g.event_object_table"),
    )


def guarded(question: str, crowd: int, sql: str) -> str:
    """A statement that is run only if nobody would be ended over it, and nobody or as many as `crowd` use its tables.

    The server looks and asks for the lock within one packet: in between another transaction may begin.
    """
    return GUARD.format(question=question, crowd=crowd, sql=sql)


def shut(sql: str, locks: Sequence[Lock]) -> Shutting:
    """What shuts the tables of a statement before it.

    CREATE and DROP TRIGGER wait for writers first, and let in who reads: who goes on to write then is ended. ALTER
    TABLE has work to do between the look and its lock. What builds a table anew while others use it takes one lock
    before and one behind it: so a table with few rows is shut as well, and a large one is not.
    """
    tables = [qualified(lock.table) for lock in locks]
    if sql.startswith("CREATE TRIGGER"):
        shuts = any(f" ON {table} FOR EACH ROW " in sql for table in tables)
    else:
        shuts = sql.startswith(("DROP TRIGGER", "RENAME TABLE")) or "ALGORITHM=IN" in sql
    if not (tables and shuts):
        return Shutting()
    # Of a runner that is cut off in between the server ends the session, and with it the lock.
    limit, usual = (f"SET SESSION wait_timeout = {seconds}" for seconds in (CUT_OFF, FORGOTTEN))
    lock = f"LOCK TABLES {', '.join(f'{table} WRITE' for table in tables)}"
    provided = small([lock.table for lock in locks]) if works(sql) else ""
    return Shutting((limit,), lock, ("UNLOCK TABLES",), (usual,), LOCKED_OUT, provided)


def small(tables: Sequence[TableName]) -> str:
    """Question whether tables have few rows."""
    parts = [
        SMALL.format(
            table=qualified(table),
            rows=FEW_ROWS,
            most=FEW_ROWS + 1,
            bytes=FEW_BYTES,
            named=one(table, "table_schema", "table_name"),
        )
        for table in tables
    ]
    return f"SELECT {' AND '.join(parts)}"
