"""Rates of earlier runs: kept with the events of the ledger, so that an abort does not forget them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from sqlalchemy import select

from migrator.dialects import family
from migrator.ledger import store, tables
from phases.estimates import Rates, measured_rate, table_of
from phases.model import BuildIndex, Fill, Transaction, Verify

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.ledger.records import StepRecord

KIND = "measured"
SAMPLES = 50
"""Newest samples that count: a server changes with the years."""


def remember(connection: Connection, record: StepRecord, *, rows: int, builds: int, seconds: float) -> None:
    """Keep what a finished step says about the server's speed, in the transaction that finishes it.

    Args:
        rows: changed by this run of a backfill.
        builds: index builds this run carried out.
        seconds: the run took.
    """
    step, amount = record.step, 0
    if isinstance(step, Fill):
        what, amount = "fill", rows
    elif isinstance(step, BuildIndex):
        what, amount = "index", heap_bytes(connection, record) if builds == 1 else 0
    elif isinstance(step, Verify):
        what, amount = "scan", 0 if record.attempts else heap_bytes(connection, record)  # it may have gone on midway
    elif isinstance(step, Transaction) and step.scans:
        what, amount = "scan", heap_bytes(connection, record)
    if amount > 0:
        detail = {"what": what, "amount": amount, "seconds": seconds}
        store.record_event(connection, KIND, revision=record.revision, step=record.name, detail=detail)


def heap_bytes(connection: Connection, record: StepRecord) -> int:
    table = table_of(record.step)
    if table is None:
        return 0
    sql = family(connection.dialect.name).size(table)
    bound = connection.execution_options(no_parameters=True).exec_driver_sql(sql)
    return int(bound.scalar_one())


def rates(connection: Connection) -> Rates:
    """How fast the server was; what is assumed where it has done nothing of the kind."""
    events = tables.events
    wanted = select(events.c.detail).where(events.c.kind == KIND).order_by(events.c.id.desc()).limit(SAMPLES * 3)
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for (detail,) in connection.execute(wanted):
        if len(found[detail["what"]]) < SAMPLES:
            found[detail["what"]].append((float(detail["amount"]), float(detail["seconds"])))
    assumed = Rates()
    return Rates(
        measured_rate(found["fill"], assumed.fill),
        measured_rate(found["index"], assumed.index),
        measured_rate(found["scan"], assumed.scan),
    )
