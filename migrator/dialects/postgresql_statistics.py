"""Who is connected to PostgreSQL, and which statements were run: `pg_stat_activity`, `pg_stat_statements`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from migrator.dialects.statistics import Client, Connected, Ran, Rows
from phases.observation import Counted, Counters
from phases.sql import literal

MARK = "/* migrator */"
"""Behind every statement of this program: it is kept with the text (before it, 18 leaves it out), so that none of
them is taken for one of an application."""

CLIENTS = """
SELECT coalesce(application_name, ''), coalesce(usename, '') FROM pg_catalog.pg_stat_activity
WHERE datname = current_database() AND pid <> pg_catalog.pg_backend_pid()
  AND coalesce(backend_type, 'client backend') = 'client backend'
  AND coalesce(application_name, '') NOT LIKE 'migrator %' ORDER BY 1, 2
"""

WHETHER = """
SELECT (SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e
        JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_stat_statements'),
       current_setting('pg_stat_statements.max', true), coalesce(current_setting('pg_stat_statements.track', true), ''),
       pg_catalog.pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')
"""

COLUMNS = """
SELECT c.relname, a.attname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE pg_catalog.quote_ident(n.nspname) = {schema} AND c.relname IN ('pg_stat_statements', 'pg_stat_statements_info')
"""

RAN = """
SELECT s.userid || ':' || s.queryid || {toplevel}, s.query, pg_catalog.pg_get_userbyid(s.userid)::text,
       s.calls, {since}
FROM {schema}.pg_stat_statements s
WHERE s.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND s.queryid IS NOT NULL AND s.calls > 0 AND pg_catalog.strpos(s.query, {mark}) = 0
  AND ({words})
"""

PRELOAD = "shared_preload_libraries = 'pg_stat_statements' in postgresql.conf, restart, then CREATE EXTENSION {name}"


@dataclass(frozen=True, slots=True)
class PostgreSQLStatistics:
    """`migrator.dialects.statistics.Statistics` says what is asked."""

    grant: str = "GRANT pg_read_all_stats TO …"
    suffix: str = f" {MARK}"

    def connected(self, rows: Rows) -> Connected:
        return Connected(tuple(Client(*row) for row in rows(CLIENTS)))

    def ran(self, rows: Rows, words: Sequence[str]) -> Ran:
        schema, size, track, allowed = rows(WHETHER)[0]
        if schema is None:
            return Ran(
                missing="the extension pg_stat_statements is not there",
                remedy=PRELOAD.format(name="pg_stat_statements"),
            )
        if size is None:
            return Ran(
                missing="pg_stat_statements is there, but not loaded", remedy=PRELOAD.format(name="if it is not there")
            )
        if track == "none":
            return Ran(missing="pg_stat_statements.track is none", remedy="pg_stat_statements.track = 'top'")
        if not allowed:
            return Ran(missing="this role sees no statements but its own", remedy=self.grant)
        known = {(table, column) for table, column in rows(COLUMNS.format(schema=literal(schema)))}
        return Ran(self._statements(rows, schema, known, words), self._counters(rows, schema, known))

    def _statements(
        self, rows: Rows, schema: str, known: set[tuple[str, str]], words: Sequence[str]
    ) -> tuple[Counted, ...]:
        # Since 14 a statement inside a function is counted apart, since 17 it is known since when.
        toplevel = "':' || s.toplevel" if ("pg_stat_statements", "toplevel") in known else "''"
        since = "s.stats_since" if ("pg_stat_statements", "stats_since") in known else "NULL"
        wanted = [f"pg_catalog.strpos(pg_catalog.lower(s.query), {literal(word.lower())}) > 0" for word in words]
        question = RAN.format(
            toplevel=toplevel, since=since, schema=schema, mark=literal(MARK), words=" OR ".join(wanted) or "false"
        )
        return tuple(Counted(*row) for row in rows(question))

    def _counters(self, rows: Rows, schema: str, known: set[tuple[str, str]]) -> Counters:
        if ("pg_stat_statements_info", "dealloc") not in known:
            return Counters()
        lost, reset = rows(f"SELECT dealloc, stats_reset FROM {schema}.pg_stat_statements_info")[0]
        return Counters(reset, lost)
