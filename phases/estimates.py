"""What a step will cost, worked out from sizes and rates: arithmetic, and nothing else.

The constants come from the measurements that the README quotes. Estimates of disk
lean to the high side, because too much costs nothing and too little an outage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from phases.catalog import Server
from phases.dialects.postgresql_backfill import TID_RANGE_SINCE
from phases.model import BuildIndex, Fill, RemoveIndex, Step, TableName, Transaction, Verify

PAGE = 8192
ROW_OVERHEAD = 28
"""Bytes of a heap row beside its values: header and line pointer."""
INDEX_OVERHEAD = 12
"""Bytes of an index entry beside its key: header and line pointer."""
INDEX_FULLNESS = 0.9
UNKNOWN_WIDTH = 16
"""Bytes of a value nothing is known about."""
WAL_PER_ROW = 100
WAL_MARGIN = 1.25
WAL_PER_STATEMENT = 2 * PAGE
STRIPED_GROWTH, PLAIN_GROWTH = 0.25, 1.1
"""By how much of its size the heap grows in a backfill: in stripes (PostgreSQL 14 and later), and without."""
STRIPED_INDEXED, PLAIN_INDEXED = 0.25, 1.0
"""Share of the rows that get index entries of their own because the update was not heap-only."""
BRIEF_SECONDS = 0.05
"""Of a step that touches no rows."""
SAMPLES_AT_LEAST = 1000
"""Rows or bytes below which a sample says nothing about a rate."""
MEASURED, ASSUMED = "measured on this database", "assumed"


@dataclass(frozen=True, slots=True)
class Rate:
    """Rows or bytes in a second, and where the figure comes from."""

    per_second: float
    source: str = ASSUMED

    def seconds(self, amount: float) -> float:
        return max(0.0, amount) / self.per_second


@dataclass(frozen=True, slots=True)
class Rates:
    """How fast the server is.

    Args:
        fill: rows in a second of a backfill.
        index: bytes of heap in a second of an index build.
        scan: bytes of heap in a second of a comparison or validation.
    """

    fill: Rate = Rate(50_000.0)
    index: Rate = Rate(30.0 * 1024 * 1024)
    scan: Rate = Rate(200.0 * 1024 * 1024)


def measured_rate(samples: Sequence[tuple[float, float]], otherwise: Rate) -> Rate:
    """The rate of earlier runs, each an amount and its seconds; another one where they say too little."""
    telling = [(amount, seconds) for amount, seconds in samples if amount >= SAMPLES_AT_LEAST and seconds > 0]
    if not telling:
        return otherwise
    return Rate(sum(amount for amount, _ in telling) / sum(seconds for _, seconds in telling), MEASURED)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a table is.

    Args:
        rows: of the statistics; None where it was never analysed.
        heap: bytes of the table itself, without what is stored apart.
        indexes: bytes of all its indexes.
        widths: average bytes of a value, by column.
    """

    rows: int | None = 0
    heap: int = 0
    indexes: int = 0
    widths: Mapping[str, int] = field(default_factory=dict)

    @property
    def row_bytes(self) -> int:
        return ROW_OVERHEAD + sum(self.widths.values())

    @property
    def counted(self) -> int:
        """Rows; from the size of the table where the statistics do not say."""
        return max(0, self.rows) if self.rows is not None else max(0, self.heap) // self.row_bytes

    def width(self, columns: Iterable[str]) -> int:
        """Bytes of the values of some columns together."""
        return sum(self.widths.get(column, UNKNOWN_WIDTH) for column in columns)

    def with_columns(self, columns: Iterable[str], width: int) -> Size:
        """The same table with columns it has no statistics for, each of a width."""
        return replace(self, widths={**dict.fromkeys(columns, width), **self.widths})


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a step costs. All figures are zero or more.

    Args:
        rows: it goes through.
        bytes: it reads.
        seconds: it takes, without waiting for locks.
        wal: bytes of write-ahead log.
        disk: bytes the database is larger by afterwards.
        bloat: those of them that hold no data: former versions of rows, and their index entries.
        temporary: further bytes while it runs.
        source: where the rate comes from; empty for a step that touches no rows.
        analysed: False where rows were worked out from the size of the table.
    """

    rows: int = 0
    bytes: int = 0
    seconds: float = BRIEF_SECONDS
    wal: int = 0
    disk: int = 0
    temporary: int = 0
    source: str = ""
    analysed: bool = True
    bloat: int = 0


def estimate(step: Step, size: Size, rates: Rates, server: Server, columns: Sequence[str] = ()) -> Estimate:
    """What one step costs.

    Args:
        size: of the table it works on.
        columns: those an index has, or a backfill writes.
    """
    match step:
        case Fill():
            found = fill_estimate(size, rates.fill, server, columns)
        case BuildIndex():
            found = index_estimate(size, rates.index, columns)
        case Verify():
            found = scan_estimate(size, rates.scan)
        case Transaction() if step.scans:
            found = replace(scan_estimate(size, rates.scan), wal=WAL_PER_STATEMENT)
        case Transaction():
            return Estimate(wal=WAL_PER_STATEMENT * len(step.statements))
        case _:
            return Estimate(wal=WAL_PER_STATEMENT)
    return replace(found, analysed=size.rows is not None)


def fill_estimate(size: Size, rate: Rate, server: Server, columns: Sequence[str]) -> Estimate:
    """Every row is written once more; most of the old versions are used again where the walk is striped."""
    striped = server.version >= TID_RANGE_SINCE
    growth, indexed = (STRIPED_GROWTH, STRIPED_INDEXED) if striped else (PLAIN_GROWTH, PLAIN_INDEXED)
    rows, added = size.counted, size.counted * size.width(columns)
    entries = int(size.indexes * indexed)
    # Each page is written once in full, each row once more as a record of its own.
    wal = (size.heap + rows * (size.row_bytes + WAL_PER_ROW)) * WAL_MARGIN + entries
    bloat = int(size.heap * growth) + entries
    seconds = rate.seconds(rows) or BRIEF_SECONDS
    return Estimate(rows, size.heap, seconds, int(wal), bloat + added, source=rate.source, bloat=bloat)


def index_estimate(size: Size, rate: Rate, columns: Sequence[str]) -> Estimate:
    """The table is read twice, and the keys are sorted before they are written."""
    rows = size.counted
    entries = max(PAGE, int(rows * (INDEX_OVERHEAD + size.width(columns)) / INDEX_FULLNESS))
    seconds = rate.seconds(size.heap) or BRIEF_SECONDS
    return Estimate(rows, 2 * size.heap, seconds, entries, entries, entries, source=rate.source)


def scan_estimate(size: Size, rate: Rate) -> Estimate:
    return Estimate(size.counted, size.heap, rate.seconds(size.heap) or BRIEF_SECONDS, source=rate.source)


@dataclass(frozen=True, slots=True)
class Total:
    """What several steps cost together.

    Args:
        needed: bytes that have to be free: what stays, the most that is there for a while, and
            the log as far as the server keeps it.
    """

    seconds: float
    wal: int
    disk: int
    needed: int


def total(estimates: Sequence[Estimate], max_wal: int) -> Total:
    """Add up steps that run one after another.

    Args:
        max_wal: bytes of log the server keeps between checkpoints (`max_wal_size`).
    """
    disk = sum(item.disk for item in estimates)
    wal = sum(item.wal for item in estimates)
    temporary = max((item.temporary for item in estimates), default=0)
    seconds = sum(item.seconds for item in estimates)
    return Total(seconds, wal, disk, disk + temporary + min(wal, max(0, max_wal)))


def table_of(step: Step) -> TableName | None:
    """The table whose size decides what a step costs; None for one that touches no rows."""
    if isinstance(step, BuildIndex | RemoveIndex | Fill | Verify):
        return step.table
    if isinstance(step, Transaction) and step.scans and step.locks:
        return step.locks[0].table
    return None
