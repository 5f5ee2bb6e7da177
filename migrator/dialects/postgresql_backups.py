"""What PostgreSQL says of its own backups: the archive of its WAL, base backups under way, and those that were made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrator.dialects.statistics import Rows

ARCHIVER = """
SELECT current_setting('archive_mode') <> 'off',
       EXTRACT(epoch FROM clock_timestamp() - last_archived_time)::float8,
       last_failed_time > coalesce(last_archived_time, '-infinity')
FROM pg_catalog.pg_stat_archiver
"""
KNOWS_PROGRESS = "SELECT pg_catalog.to_regclass('pg_catalog.pg_stat_progress_basebackup') IS NOT NULL"
PROGRESS = "SELECT count(*) FROM pg_catalog.pg_stat_progress_basebackup"
MAY_LIST = "SELECT pg_catalog.has_function_privilege('pg_catalog.pg_ls_archive_statusdir()', 'EXECUTE')"
HISTORY = """
SELECT EXTRACT(epoch FROM clock_timestamp() - max(modification))::float8
FROM pg_catalog.pg_ls_archive_statusdir() WHERE name ~ '\\.backup\\.(ready|done)$'
"""
"""The server leaves such a file for every base backup, until it has been archived and a later one was made."""


@dataclass(frozen=True, slots=True)
class PostgreSQLBackups:
    """`migrator.dialects.statistics.Backups` says what is asked."""

    def said(self, rows: Rows) -> Iterator[str]:
        archives, age, failing = rows(ARCHIVER)[0]
        if not archives:
            yield "archive_mode is off, so nothing can be rolled forward from a backup"
        elif age is None:
            yield "no WAL was archived yet"
        else:
            yield f"WAL was archived {age / 60:.1f} min ago" + (", and failed since" if failing else "")
        if rows(KNOWS_PROGRESS)[0][0] and (running := rows(PROGRESS)[0][0]):
            yield f"base backups under way: {running}"
        if rows(MAY_LIST)[0][0] and (age := rows(HISTORY)[0][0]) is not None:
            yield f"a base backup ended {age / 3600:.1f} h ago"
