"""What brings the two shapes of rows back in line where verification found that they differ.

No trigger has seen who wrote such a row, so nobody but the user knows which of its sides is right.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations

from phases.model import Fill, Step, Verify

MOST_WAYS = 5
"""In which rows may differ: each combination of them is a walk."""


class Side(enum.StrEnum):
    """The side of a row that is right."""

    OLD = "old"
    NEW = "new"

    @property
    def other(self) -> Side:
        return Side.OLD if self is Side.NEW else Side.NEW


def repair(checked: Verify, migrate: Sequence[Step], contract: Sequence[Step], side: Side) -> Fill | None:
    """The backfill that makes one side of the rows that differ what the other says; None: there is none.

    Args:
        checked: the verification.
        migrate, contract: the steps of these phases; what undoes the contract fills the old side from the new.
        side: the one that is right.
    """
    name = f"repair {checked.target} from the {side} side"
    if given := checked.from_old if side is Side.OLD else checked.from_new:
        return replace(given, name=name, repeat=True)
    steps: Iterable[Step] = migrate if side is Side.OLD else [back for step in contract for back in step.undo]
    fill: Fill | None = None
    for step in steps:
        if isinstance(step, Fill):
            fill = step if step.table == checked.table and not step.copy and not step.function else None
        elif isinstance(step, Verify):
            if step.mismatch == checked.mismatch and fill is not None and fill.target == step.target:
                return replace(fill, name=name, pending=f"({checked.mismatch})", repeat=True)
            fill = None
    return None


def jointly(fills: Sequence[Fill]) -> list[Fill]:
    """What repairs rows that differ in several ways at once, those that differ in most ways first.

    Whoever writes one pair of columns of such a row, and not the other, has triggers fill the new side of the other
    from the old one (`phases.dual_write`, rule 4), whichever of them is right.

    Raises:
        ValueError: there are too many ways.
    """
    if len(fills) > MOST_WAYS:
        raise ValueError(f"rows differ in {len(fills)} ways, and no more than {MOST_WAYS} can be mended at once")
    found = []
    for number in range(len(fills), 1, -1):
        for some in combinations(fills, number):
            if len({fill.table for fill in some}) == 1:
                name = " and ".join(fill.name for fill in some)
                assignments = ", ".join(fill.assignments for fill in some)
                pending = " AND ".join(fill.pending for fill in some)
                found.append(replace(some[0], name=name, assignments=assignments, pending=pending))
    return found


def remedy(checked: Verify, side: Side, revision: str, *, other: bool) -> str:
    """What to do with rows that cannot be mended from a side.

    Args:
        other: whether they can be from the other one.
    """
    ways = [f"migrator verify {revision} --repair {side.other}"] if other else []
    if checked.by_hand or not other:
        ways.append(checked.by_hand or "write these rows by hand")
    return f"{', or '.join(ways)}; then: migrator verify {revision}"
