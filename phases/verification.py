"""Verification: every row compared, before anything may be contracted."""

from __future__ import annotations

from phases.catalog import Server
from phases.dialects.postgresql_backfill import TID_RANGE_SINCE
from phases.effects import Commit, Performance, Progress, Query
from phases.errors import Mismatched
from phases.model import Verify
from phases.sql import literal, qualified

WINDOW_PAGES = 8192
SAMPLE = 5


def perform_verify(step: Verify, server: Server) -> Performance:
    """Compare all rows, window by window, each in a snapshot of its own.

    A row that moves between two windows is not missed for good: whoever moved it
    went through the triggers.

    Raises:
        Mismatched: some rows differ.
    """
    windows = server.version >= TID_RANGE_SINCE
    end = int((yield Query(pages(step)))[0][0])
    compared = wrong = 0
    sample: tuple[str, ...] = ()
    # Before TID range scans every window would read the whole table.
    width = WINDOW_PAGES if windows else max(end, 1)
    for first in range(0, max(end, 1), width):
        last = min(first + width, end)
        where = f"ctid >= '({first},0)'::tid AND ctid < '({last},0)'::tid" if windows else "true"
        rows, differing, keys = (yield Query(comparison(step, where)))[0]
        compared, wrong = compared + rows, wrong + differing
        sample = (*sample, *(keys or ()))[:SAMPLE]
        yield Progress(last, end, "pages", compared)
    if wrong:
        raise Mismatched(str(step.table), compared, wrong, sample, step.fault)
    yield Commit(finishes=True)


def pages(step: Verify) -> str:
    regclass = f"{literal(qualified(step.table))}::regclass"
    return f"SELECT pg_catalog.pg_relation_size({regclass}) / current_setting('block_size')::int8"


def comparison(step: Verify, where: str) -> str:
    """Question for rows compared, rows that differ, and keys of some of them."""
    key = " || ', ' || ".join(f"({column})::text" for column in step.key) or "ctid::text"
    return (
        f"SELECT count(*), count(*) FILTER (WHERE {step.mismatch}),"
        f" (array_agg({key}) FILTER (WHERE {step.mismatch}))[1:{SAMPLE}]"
        f" FROM ONLY {qualified(step.table)} WHERE {where}"
    )
