"""What a step costs on MySQL and MariaDB: rows are changed where they lie, and each change goes to the binary log.

Disk leans to the high side, as in `phases.estimates`. Redo is not counted: its files are used again and do not grow.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phases.dialects.mysql_statements import BUILT, works
from phases.estimates import BRIEF_SECONDS, Estimate, Rate, Rates, Size
from phases.model import Fill, Script, Step, TableName, Verify

EVENT_ROW = 12
"""Bytes of a row in the binary log beside its values, a share of the event's own header included."""
PER_STATEMENT = 300
"""Bytes of a DDL statement in the binary log."""
UNDO_ROW = 40
"""Bytes of a row's former version beside its former values; purged soon after."""
SLACK = 1 / 16
"""Part of a page that InnoDB leaves free: rows that grow by more split their pages."""
SPLIT = 1.25
"""By how much of its size a table grows where its pages are split."""
INDEX_ENTRY, INDEX_FULLNESS = 13, 0.9
NAME = re.compile(r'"((?:[^"]|"")+)"')
ASSIGNED = re.compile(r'"((?:[^"]|"")+)" = ')


@dataclass(frozen=True, slots=True)
class Log:
    """What is written to the binary log of a changed row.

    Args:
        on: there is one.
        whole: the row before and after; else its key and what has changed.
    """

    on: bool = True
    whole: bool = True


def table_of(step: Step) -> TableName | None:
    """The table whose size decides what a step costs; None for one that touches no rows."""
    if isinstance(step, Fill | Verify):
        return step.table
    if isinstance(step, Script) and step.locks and any(map(works, step.statements)):
        return step.locks[0].table
    return None


def written(step: Fill) -> tuple[str, ...]:
    """Columns that a backfill assigns, without those that are only kept from changing."""
    found = [name.replace('""', '"') for name in ASSIGNED.findall(step.assignments)]
    return tuple(name for name in found if f'"{name}" = "{name}"' not in step.assignments)


def estimate(step: Step, size: Size, rates: Rates, log: Log) -> Estimate:
    """What one step costs. `size` is of the table it works on."""
    match step:
        case Fill():
            found = fill_estimate(step, size, rates.fill, log)
        case Verify():
            seconds = rates.scan.seconds(size.heap) or BRIEF_SECONDS
            found = Estimate(size.counted, size.heap, seconds, source=rates.scan.source)
        case Script():
            parts = [statement_estimate(sql, size, rates) for sql in step.statements]
            found = added_up([part for part in parts if part.source] or parts)
            found = replace(found, wal=PER_STATEMENT * len(step.statements) if log.on else 0)
        case _:
            return Estimate()
    return replace(found, analysed=size.rows is not None or not found.source)


def fill_estimate(step: Fill, size: Size, rate: Rate, log: Log) -> Estimate:
    """Every row grows where it lies; where there is no room its page is split."""
    rows, width, key = size.counted, size.width(written(step)), size.width(names(step.key))
    images = 2 * size.row_bytes + width if log.whole else 2 * key + width
    grown = rows * width
    bloat = int(size.heap * SPLIT) if grown > size.heap * SLACK else 0
    return Estimate(
        rows,
        size.heap,
        rate.seconds(rows) or BRIEF_SECONDS,
        rows * (images + EVENT_ROW) if log.on else 0,
        grown + bloat,
        rows * (UNDO_ROW + width),
        rate.source,
        bloat=bloat,
    )


def statement_estimate(sql: str, size: Size, rates: Rates) -> Estimate:
    if not works(sql):
        return Estimate()
    if built := BUILT.match(sql):
        entries = int(size.counted * (INDEX_ENTRY + size.width(names(NAME.findall(built[1])))) / INDEX_FULLNESS)
        seconds = rates.index.seconds(size.heap) or BRIEF_SECONDS
        return Estimate(size.counted, size.heap, seconds, 0, entries, entries, rates.index.source)
    whole = size.heap + size.indexes
    seconds = rates.index.seconds(whole) or BRIEF_SECONDS
    return Estimate(size.counted, whole, seconds, 0, 0, int(whole * (1 + SLACK)), rates.index.source)


def added_up(parts: Sequence[Estimate]) -> Estimate:
    """Statements that run one after another, as one step."""
    return Estimate(
        max((part.rows for part in parts), default=0),
        sum(part.bytes for part in parts),
        sum(part.seconds for part in parts),
        0,
        sum(part.disk for part in parts),
        max((part.temporary for part in parts), default=0),
        next((part.source for part in parts if part.source), ""),
    )


def names(columns: Sequence[str]) -> tuple[str, ...]:
    """Columns of a key, without the quotes and the mark in front of them."""
    return tuple((NAME.findall(column) or [column])[0].replace('""', '"') for column in columns)
