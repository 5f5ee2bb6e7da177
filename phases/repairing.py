"""What brings the two shapes of rows back in line where verification found that they differ.

No trigger has seen who wrote such a row, so nobody but the user knows which of its sides is right.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Sequence
from dataclasses import replace

from phases.model import Fill, Step, Verify


class Side(enum.StrEnum):
    """The side of a row that is right."""

    OLD = "old"
    NEW = "new"


def repair(checked: Verify, migrate: Sequence[Step], contract: Sequence[Step], side: Side) -> Fill | None:
    """The backfill that makes one side of the rows that differ what the other says; None: there is none.

    Args:
        checked: the verification.
        migrate, contract: the steps of these phases; what undoes the contract fills the old side from the new.
        side: the one that is right.
    """
    steps: Iterable[Step] = migrate if side is Side.OLD else [back for step in contract for back in step.undo]
    fill: Fill | None = None
    for step in steps:
        if isinstance(step, Fill):
            fill = step if step.table == checked.table and not step.copy and not step.function else None
        elif isinstance(step, Verify):
            if step.mismatch == checked.mismatch and fill is not None and fill.target == step.target:
                name = f"repair {checked.target} from the {side} side"
                return replace(fill, name=name, pending=f"({checked.mismatch})", repeat=True)
            fill = None
    return None
