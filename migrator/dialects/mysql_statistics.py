"""Who is connected to MySQL or MariaDB, and which statements were run: `performance_schema`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from migrator.dialects.statistics import Client, Connected, Ran, Rows
from phases.dialects.mysql_statements import literal
from phases.observation import Counted, Counters
from phases.sql import COMPARED

WHETHER = """
SELECT @@global.performance_schema,
       EXISTS (SELECT 1 FROM information_schema.user_privileges WHERE privilege_type = 'PROCESS')
"""

OTHERS = """
WHERE p.id <> CONNECTION_ID() AND p.command NOT LIKE 'Binlog Dump%' AND p.command NOT IN ('Daemon', 'Slave_SQL')
  AND p.user NOT IN ('event_scheduler', 'system user') AND COALESCE(p.db, DATABASE()) = DATABASE()
"""
NAMED = f"""
SELECT COALESCE(a.attr_value, ''), p.user FROM information_schema.processlist p
LEFT JOIN performance_schema.session_connect_attrs a ON a.processlist_id = p.id AND a.attr_name = 'program_name'
{OTHERS} AND COALESCE(a.attr_value, '') NOT LIKE 'migrator %' ORDER BY 1, 2
"""
UNNAMED = f"SELECT '', p.user FROM information_schema.processlist p {OTHERS} ORDER BY 2"

COUNTING = """
SELECT COUNT(*) FROM performance_schema.setup_consumers
WHERE name IN ('global_instrumentation', 'thread_instrumentation', 'statements_digest') AND enabled = 'YES'
"""
SWITCHES = 3

RAN = """
SELECT COALESCE(digest, ''), COALESCE(digest_text, ''), count_star, last_seen
FROM performance_schema.events_statements_summary_by_digest
WHERE digest IS NOT NULL AND LOCATE({mark}, digest_text) = 0
  AND (schema_name = DATABASE() OR LOCATE(CONCAT('`', DATABASE(), '`'), digest_text) > 0) AND ({words})
"""
"""The same digest in two schemas is two rows, of which the second names this one: neither hides the other."""

COUNTERS = """
SELECT (SELECT COALESCE(SUM(count_star), 0) FROM performance_schema.events_statements_summary_by_digest
        WHERE digest IS NULL AND schema_name IS NULL),
       (SELECT MIN(first_seen) FROM performance_schema.events_statements_summary_by_digest WHERE digest IS NOT NULL)
"""
"""Statements that found no room are counted in one row. The oldest that is counted came soon after the beginning."""

HIDDEN = """
SELECT 0 /*M!100600 + (SELECT COALESCE(SUM(count_star), 0)
  FROM performance_schema.events_statements_summary_global_by_event_name
  WHERE event_name IN ('statement/com/Execute', 'statement/com/Bulk_execute', 'statement/sql/execute_sql')) */
"""
"""MySQL counts a prepared statement by its text, MariaDB only that one was executed."""


@dataclass(frozen=True, slots=True)
class MySQLStatistics:
    """`migrator.dialects.statistics.Statistics` says what is asked."""

    suffix: str = ""
    grant: str = "GRANT PROCESS ON *.* TO …; GRANT SELECT ON performance_schema.* TO …"

    def connected(self, rows: Rows) -> Connected:
        counting, others = rows(WHETHER)[0]
        if not others:
            return Connected(missing="this role sees no sessions but its own", remedy=self.grant)
        if not counting:
            return Connected(
                tuple(Client(*row) for row in rows(UNNAMED)),
                "performance_schema is off, so the server keeps no names of programs, only roles",
                "performance_schema = ON in the configuration of the server, and a restart",
            )
        return Connected(tuple(Client(*row) for row in rows(NAMED)))

    def ran(self, rows: Rows, words: Sequence[str]) -> Ran:
        counting, _ = rows(WHETHER)[0]
        if not counting:
            return Ran(
                missing="performance_schema is off, so the server counts no statements",
                remedy="performance_schema = ON in the configuration of the server, and a restart",
            )
        if rows(COUNTING)[0][0] < SWITCHES:
            return Ran(
                missing="performance_schema does not count statements by digest",
                remedy="UPDATE performance_schema.setup_consumers SET enabled = 'YES' WHERE name IN"
                " ('global_instrumentation', 'thread_instrumentation', 'statements_digest')",
            )
        wanted = [f"LOCATE({literal(word.lower())}, LOWER(digest_text)) > 0" for word in words]
        found = rows(RAN.format(mark=literal(COMPARED), words=" OR ".join(wanted) or "FALSE"))
        (lost, reset), hidden = rows(COUNTERS)[0], int(rows(HIDDEN)[0][0])
        partly = f"{hidden} executions of prepared statements, whose text this server does not count" if hidden else ""
        return Ran(tuple(merged(found)), Counters(aware(reset), int(lost)), partly=partly)


def merged(found: Sequence[tuple[str, str, int, datetime]]) -> list[Counted]:
    """Statements by digest; one that was run in two schemas is one."""
    kept: dict[str, Counted] = {}
    for digest, text, calls, last in found:
        seen, before = aware(last), kept.get(digest)
        if before is not None:
            calls, seen = calls + before.calls, max(filter(None, (seen, before.last)), default=None)
        kept[digest] = Counted(digest, text, "", calls, None, seen)
    return list(kept.values())


def aware(moment: datetime | None) -> datetime | None:
    """A moment as the server says it: sessions of ours have UTC for their time zone."""
    return None if moment is None else moment.replace(tzinfo=UTC)
