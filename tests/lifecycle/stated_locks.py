"""Locks that statements of a step take beyond those that the step has taken by then: PostgreSQL's own word for it.

Partitions of a table that is locked may be locked behind it: who comes through the table waits for that one.
"""

from __future__ import annotations

from contextlib import contextmanager

INSTALL = """
CREATE TABLE public.unstated_locks (statement text, relation text, mode text);
CREATE FUNCTION public.strong_locks() RETURNS TABLE (relation oid, rank int, mode text) LANGUAGE sql AS '
  SELECT l.relation, pg_catalog.array_position(ARRAY[''ShareLock'', ''ShareRowExclusiveLock'', ''ExclusiveLock'',
           ''AccessExclusiveLock''], l.mode), l.mode
  FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE l.pid = pg_catalog.pg_backend_pid() AND l.granted AND c.relkind IN (''r'', ''p'', ''v'', ''m'')
    AND n.nspname NOT LIKE ALL (ARRAY[''pg_%'', ''migr%''])
    AND l.mode IN (''ShareLock'', ''ShareRowExclusiveLock'', ''ExclusiveLock'', ''AccessExclusiveLock'')';
CREATE FUNCTION public.before_ddl() RETURNS event_trigger LANGUAGE plpgsql AS '
BEGIN
  IF pg_catalog.current_setting(''stated.transaction'', true) IS DISTINCT FROM pg_catalog.txid_current()::text
     AND pg_catalog.current_query() NOT LIKE ''DO /* lock %'' THEN
    PERFORM pg_catalog.set_config(''stated.transaction'', pg_catalog.txid_current()::text, false),
      pg_catalog.set_config(''stated.relations'', (SELECT pg_catalog.string_agg(oid::text, '','')
        FROM pg_catalog.pg_class WHERE relkind IN (''r'', ''p'', ''v'', ''m'')), false),
      pg_catalog.set_config(''stated.locks'', (SELECT coalesce(pg_catalog.json_object_agg(s.relation, s.rank), ''{}'')
        FROM (SELECT l.relation, max(l.rank) AS rank FROM public.strong_locks() l GROUP BY 1) s)::text, false);
  END IF;
END';
CREATE FUNCTION public.after_ddl() RETURNS event_trigger LANGUAGE plpgsql AS '
BEGIN
  INSERT INTO public.unstated_locks SELECT pg_catalog.current_query(), l.relation::pg_catalog.regclass::text, l.mode
  FROM public.strong_locks() l
  WHERE pg_catalog.current_query() LIKE ''%/* migr%'' AND pg_catalog.current_query() NOT LIKE ''DO /* lock %''
    AND l.relation::text = ANY (pg_catalog.string_to_array(pg_catalog.current_setting(''stated.relations''), '',''))
    AND l.rank > coalesce((pg_catalog.current_setting(''stated.locks'')::json ->> l.relation::text)::int, 0)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = l.relation
      AND (pg_catalog.current_setting(''stated.locks'')::json ->> i.inhparent::text)::int >= l.rank);
END';
CREATE EVENT TRIGGER before_ddl ON ddl_command_start WHEN TAG IN ({tags}) EXECUTE FUNCTION public.before_ddl();
CREATE EVENT TRIGGER after_ddl ON ddl_command_end WHEN TAG IN ({tags}) EXECUTE FUNCTION public.after_ddl();
"""
KINDS = "TABLE", "TRIGGER", "VIEW", "MATERIALIZED VIEW", "FUNCTION", "POLICY", "SEQUENCE", "TYPE", "STATISTICS", "RULE"
TAGS = ", ".join(f"'{verb} {kind}'" for verb in ("CREATE", "ALTER", "DROP") for kind in KINDS)
"""Not INDEX: one is built by several transactions, under a lock that nobody waits for."""


@contextmanager
def stated_locks(database):
    """Fail where a statement locked a table that its step had not locked as strongly before."""
    with database.connect() as connection:
        connection.execute(INSTALL.replace("{tags}", TAGS))
    yield
    found = database.rows("SELECT DISTINCT statement, relation, mode FROM public.unstated_locks")
    if found:
        raise AssertionError("\n".join(": ".join(row) for row in found))
