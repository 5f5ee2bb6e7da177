"""Sizes, the binary log and the disk of MySQL and MariaDB, for the estimates of a plan."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from migrator.database import rows_of
from phases.dialects.mysql_backfill import base_type
from phases.dialects.mysql_statements import literal
from phases.estimates import Size
from phases.estimates_mysql import Log
from phases.model import TableName

if TYPE_CHECKING:
    from sqlalchemy import Connection

FRESH = "/*!80000 SET SESSION information_schema_stats_expiry = 0 */"
"""MySQL remembers sizes for a day otherwise; MariaDB reads the version in the comment as none of its own."""
SIZES = """
SELECT table_name, table_rows, data_length, index_length FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name IN ({names})
"""
WIDTHS = """
SELECT table_name, column_name, column_type, COALESCE(character_octet_length, 0) FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name IN ({names})
"""
LOG = "SELECT @@log_bin, @@global.binlog_row_image"
LOG_KEPT = 1 << 62
"""The binary log stays until it expires, days later: all of it counts."""

BYTES = {
    "tinyint": 1,
    "smallint": 2,
    "mediumint": 3,
    "int": 4,
    "bigint": 8,
    "float": 4,
    "double": 8,
    "decimal": 8,
    "date": 3,
    "time": 4,
    "datetime": 8,
    "timestamp": 7,
    "year": 1,
    "enum": 2,
    "set": 8,
    "bit": 8,
    "uuid": 16,
}
TYPICAL = 20
"""Bytes of a text or of bytes that may be longer: the server keeps no average."""


def sizes(connection: Connection, tables: Sequence[TableName]) -> Iterator[tuple[TableName, Size]]:
    """How large tables are. Widths of columns are those of their types, made to fit the size of the table."""
    if not tables:
        return
    named = {"names": ", ".join(literal(table.name) for table in tables)}
    connection.exec_driver_sql(FRESH)
    widths: dict[str, dict[str, int]] = {}
    for table, column, type_, octets in rows_of(connection, WIDTHS.format(**named)):
        widths.setdefault(table, {})[column] = BYTES.get(base_type(type_), min(int(octets) or TYPICAL, TYPICAL))
    known = {table.name: table for table in tables}
    for table, rows, data, indexes in rows_of(connection, SIZES.format(**named)):
        counted = int(rows) if rows is not None else None
        yield known[table], Size(counted, int(data or 0), int(indexes or 0), widths.get(table, {}))


def log(connection: Connection, image: str) -> Log:
    """What is logged of a changed row; `image` is the setting `binlog_row_image`."""
    on, whole = rows_of(connection, LOG)[0]
    return Log(bool(on), str(whole).upper() == "FULL" and image != "minimal")
