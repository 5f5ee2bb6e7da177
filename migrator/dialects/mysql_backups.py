"""What MySQL and MariaDB say of backups: whether changes are logged, and the histories that backup programs leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from migrator.dialects.statistics import Rows

LOGGED = "SELECT @@global.log_bin"
HISTORIES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE (LOWER(table_schema), table_name) IN
  (('percona_schema', 'xtrabackup_history'), ('mysql', 'mariadb_backup_history'), ('mysql', 'backup_history'))
"""
"""Of XtraBackup and mariadb-backup (with --history), and of MySQL Enterprise Backup; where this role may see them."""
NEWEST = "SELECT TIMESTAMPDIFF(SECOND, MAX(end_time), NOW()) FROM `{schema}`.`{table}`"


@dataclass(frozen=True, slots=True)
class MySQLBackups:
    """`migrator.dialects.statistics.Backups` says what is asked."""

    def said(self, rows: Rows) -> Iterator[str]:
        if rows(LOGGED)[0][0]:
            yield "the binary log is on"
        else:
            yield "the binary log is off, so nothing can be rolled forward from a backup"
        for schema, table in rows(HISTORIES):
            age = rows(NEWEST.format(schema=schema, table=table))[0][0]
            if age is not None:
                yield f"{schema}.{table} has a backup that ended {int(age) / 3600:.1f} h ago"
