"""What revisions claim of a table, and who has to wait for whom."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from phases.errors import Refused
from phases.operations import Operation, Touch
from phases.operations.base import admit

if TYPE_CHECKING:
    from migrator.ledger.records import RevisionRecord
    from phases.catalog import Catalog
    from phases.dialects.base import Dialect
    from phases.model import TableName


def claims(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> Iterator[Touch]:
    """What a revision touches, each operation seen on the catalog its predecessors leave.

    Raises:
        Refused: two operations touch what one of them must have alone.
    """
    earlier: list[tuple[Operation, tuple[Touch, ...], tuple[Touch, ...]]] = []
    for number, operation in enumerate(operations):
        try:
            admit(operation, catalog, dialect)
            touched, alone = operation.touches(catalog, dialect), operation.alone(catalog, dialect)
            refuse_company(operation, touched, alone, earlier)
            catalog = operation.outcome(catalog, dialect)
        except Refused as refusal:
            refusal.operation = number
            raise
        earlier.append((operation, touched, alone))
        yield from touched


def refuse_company(
    operation: Operation,
    touched: Sequence[Touch],
    alone: Sequence[Touch],
    earlier: Sequence[tuple[Operation, Sequence[Touch], Sequence[Touch]]],
) -> None:
    """Refuse what an operation of the same revision has to have alone."""
    for other, their_touched, their_alone in earlier:
        pairs = [(mine, theirs) for mine in touched for theirs in their_alone]
        pairs += [(mine, theirs) for mine in alone for theirs in their_touched]
        if any(mine.overlaps(theirs) for mine, theirs in pairs):
            raise Refused(
                f"cannot {other.describe()} and {operation.describe()} in one revision",
                remedy="write two revisions; the second waits for the contract of the first",
            )


def refuse_overlap(touched: Sequence[Touch], busy: Mapping[str, Sequence[Touch]]) -> None:
    for other, claimed in busy.items():
        for mine in touched:
            if any(mine.overlaps(theirs) for theirs in claimed):
                what = f'"{mine.table}"' + (f'."{mine.part}"' if mine.part else "")
                raise Refused(
                    f"{what} is still being changed by revision {other}, whose contract is not done",
                    remedy=f"finish it first: migrator apply --phase contract --to {other}",
                )


def in_flight_claims(
    operations: Sequence[Operation], catalog: Catalog, dialect: Dialect, record: RevisionRecord
) -> Sequence[Touch]:
    """What a started revision still claims: nothing once its contract is done."""
    return () if record.state in ("contracted", "purging", "purged") else named(operations, catalog, dialect)


def named(operations: Sequence[Operation], catalog: Catalog, dialect: Dialect) -> Sequence[Touch]:
    """What operations touch, as far as what they name is there."""
    found: list[Touch] = []
    for operation in operations:
        try:
            found += operation.touches(catalog, dialect)
        except Refused:
            continue  # what it names is not there, so nothing can overlap with it
    return found


def shared(touched: Sequence[Sequence[Touch]]) -> Mapping[TableName, frozenset[str]]:
    """The parts of each table that several operations of a revision are about.

    Args:
        touched: of each operation; one that says nothing of what it touches may be about all.
    """
    found: dict[TableName, set[str]] = {}
    for number, mine in enumerate(touched):
        others = [theirs for other, theirs in enumerate(touched) if other != number]
        silent = not all(others)
        for touch in mine:
            if touch.part and (silent or any(touch.overlaps(other) for theirs in others for other in theirs)):
                found.setdefault(touch.table, set()).add(touch.part)
    return {table: frozenset(parts) for table, parts in found.items()}
