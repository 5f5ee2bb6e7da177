"""What a plan will cost on this database: sizes from its statistics, rates from its ledger, disk from its host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from linters.expressions import PostgresExpressions
from migrator import local_disk
from migrator.database import rows_of
from migrator.dialects import family
from migrator.errors import PlanRefused
from migrator.measuring import rates
from migrator.planning import Plan, PlannedStep
from phases.estimates import Estimate, Rates, Size, Total, estimate, table_of, total
from phases.model import BuildIndex, Fill, Phase, TableName
from phases.sql import qualified

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.database import Session
    from migrator.settings import Settings

SIZES = """
SELECT n.nspname, c.relname, c.reltuples::float8, c.relpages, pg_catalog.pg_relation_size(c.oid),
       pg_catalog.pg_indexes_size(c.oid), current_setting('block_size')::int
FROM unnest(CAST(:names AS text[])) AS named(name)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(named.name)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
"""

WIDTHS = """
SELECT n.nspname, c.relname, a.attname,
       coalesce(s.avg_width * (1 - s.null_frac), CASE WHEN a.attlen > 0 THEN a.attlen ELSE 32 END)::float8
FROM unnest(CAST(:names AS text[])) AS named(name)
JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(named.name)
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_catalog.pg_stats s
  ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = a.attname AND NOT s.inherited
"""

MAX_WAL = "SELECT setting::int8 * 1024 * 1024 FROM pg_catalog.pg_settings WHERE name = 'max_wal_size'"

Key = tuple[str, Phase, str]


@dataclass(frozen=True, slots=True)
class PlanEstimate:
    """What the steps still to do cost.

    Args:
        steps: by revision, phase and name of the step.
        tables: those that were never analysed.
        free: bytes free on the disk; None where nobody knows.
        free_source: who says so.
        log: what the server's log is called.
    """

    steps: Mapping[Key, Estimate]
    tables: tuple[TableName, ...]
    total: Total
    free: int | None
    free_source: str
    log: str = "WAL"

    @property
    def missing(self) -> int:
        """Bytes that are too few."""
        return max(0, self.total.needed - self.free) if self.free is not None else 0


def estimated(
    session: Session, settings: Settings, plan: Plan, phases: Sequence[Phase] = tuple(Phase), *, ask_host: bool = True
) -> PlanEstimate:
    """Estimate every step that is still to do. Writes nothing.

    Args:
        phases: count only these.
        ask_host: look at the disk, where the server runs on this machine and no size was given.
    """
    found = [(item.revision, s) for item in plan.revisions for s in item.remaining if s.phase in phases]
    with session.transaction() as connection:
        known = READERS[plan.server.family](connection, settings, found, plan)
    steps = {(name, s.phase, s.step.name): cost for (name, s), cost in known.costs}
    free, source = known.disk if ask_host else (None, "")
    if settings.free_disk is not None:
        free, source = settings.free_disk, settings.source("free_disk")
    unknown = tuple(table for table, size in known.sizes.items() if size.rows is None)
    return PlanEstimate(steps, unknown, total(list(steps.values()), known.log_kept), free, source, known.log)


Steps = Sequence[tuple[str, PlannedStep]]


@dataclass(frozen=True, slots=True)
class Known:
    """What a server was asked.

    Args:
        costs: of each step.
        log_kept: bytes of log that stay on the disk at most.
        log: its name.
        disk: bytes free on it, and who says so.
    """

    costs: Sequence[tuple[tuple[str, PlannedStep], Estimate]]
    sizes: Mapping[TableName, Size]
    log_kept: int
    log: str
    disk: tuple[int | None, str]


def on_postgresql(connection: Connection, settings: Settings, found: Steps, plan: Plan) -> Known:
    del settings  # what is written to the log of a row is the same for everybody
    tables = tuple(dict.fromkeys(table for _, s in found if (table := table_of(s.step)) is not None))
    sizes = dict(read_sizes(connection, tables))
    max_wal = int(connection.exec_driver_sql(MAX_WAL).scalar_one())
    made = tuple(costs(found, sizes, read_rates(connection), plan))
    return Known(made, sizes, max_wal, "WAL", free_disk(connection))


def on_mysql(connection: Connection, settings: Settings, found: Steps, plan: Plan) -> Known:
    from migrator import estimating_mysql
    from phases import estimates_mysql

    del plan
    tables = tuple(dict.fromkeys(t for _, s in found if (t := estimates_mysql.table_of(s.step)) is not None))
    sizes = dict(estimating_mysql.sizes(connection, tables))
    speed, log = read_rates(connection), estimating_mysql.log(connection, settings.binlog_row_image)
    made = []
    for name, planned in found:
        table = estimates_mysql.table_of(planned.step)
        size = sizes.get(table, Size()) if table else Size()
        made.append(((name, planned), estimates_mysql.estimate(planned.step, size, speed, log)))
    return Known(made, sizes, estimating_mysql.LOG_KEPT, "binary log", free_disk(connection))


READERS: Mapping[str, Callable[[Connection, Settings, Steps, Plan], Known]] = {
    "postgresql": on_postgresql,
    "mysql": on_mysql,
    "mariadb": on_mysql,
}


def costs(
    found: Sequence[tuple[str, PlannedStep]], sizes: dict[TableName, Size], speed: Rates, plan: Plan
) -> Iterator[tuple[tuple[str, PlannedStep], Estimate]]:
    """Each step with its estimate; what a backfill writes is known to the steps after it."""
    sql = PostgresExpressions()
    for name, planned in found:
        step, table = planned.step, table_of(planned.step)
        columns: tuple[str, ...] = ()
        size = sizes.get(table, Size()) if table else Size()
        if isinstance(step, BuildIndex):
            columns = sql.index_columns(step.create)
        elif isinstance(step, Fill):
            columns, read = sql.assigned(step.assignments)
            size = size.with_columns(columns, size.width(c for c in read if c in size.widths) or Size().width(("",)))
            sizes[step.table] = size
        yield (name, planned), estimate(step, size, speed, plan.server, columns)


def read_sizes(connection: Connection, tables: Sequence[TableName]) -> Iterator[tuple[TableName, Size]]:
    from sqlalchemy import text

    names = {"names": [qualified(table) for table in tables]}
    widths: dict[TableName, dict[str, int]] = {}
    for schema, table, column, width in connection.execute(text(WIDTHS.replace("::", r"\:\:")), names):
        widths.setdefault(TableName(schema, table), {})[column] = round(width)
    for schema, table, tuples, pages, heap, indexes, block in connection.execute(
        text(SIZES.replace("::", r"\:\:")), names
    ):
        name = TableName(schema, table)
        yield name, Size(known_rows(tuples, pages, heap // block), heap, indexes, widths.get(name, {}))


def known_rows(tuples: float, pages: int, now: int) -> int | None:
    """Rows of the statistics, at the size the table has by now; None where it was never analysed.

    Before PostgreSQL 14 a table that was never analysed has 0 pages and 0 rows.
    """
    if tuples < 0 or (pages == 0 and now > 0):
        return None
    return round(tuples * now / pages) if pages else 0


def read_rates(connection: Connection) -> Rates:
    from migrator.ledger import schema

    return rates(connection) if schema.installed(connection) is not None else Rates()


def free_disk(connection: Connection) -> tuple[int | None, str]:
    """Bytes free on the server's disk, and who says so."""
    found = local_disk.disk(family(connection.dialect.name), lambda sql: rows_of(connection, sql))
    return (found.free, found.name) if found else (None, "unknown: give --free-disk SIZE")


def refuse_shortage(found: PlanEstimate) -> None:
    """Refuse a plan that the disk has no room for.

    Raises:
        PlanRefused: with what is needed and what is free.
    """
    if not found.missing or found.free is None:
        return
    raise PlanRefused(
        f"the disk has no room for this: about {size_text(found.total.needed)} are needed,"
        f" {size_text(found.free)} are free ({found.free_source})",
        next_step="make room, or do less at a time (--to REVISION); where more is free than that: --free-disk SIZE",
        needed=found.total.needed,
        free=found.free,
    )


def size_text(size: float) -> str:
    """Bytes for people, in the units of PostgreSQL."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TB"


def time_text(seconds: float) -> str:
    """A duration for people."""
    if seconds < 1:
        return "under a second"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
