"""What mends rows that differ where the two shapes are in two tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from phases.model import Fill, Verify
from phases.sql import qualified


def both_ways(compared: Verify, orphans: Verify, old: Fill, new: Fill, *, required: bool) -> tuple[Verify, Verify]:
    """The comparison of a table with a second one that both versions write, with what mends what it finds.

    Args:
        compared: rows of the first table that differ from those of the second.
        orphans: rows of the second that have none in the first. Neither side can mend these: the second has not got
            the other columns, and whether a row may go is for somebody to say who has looked at it.
        old, new: what mends rows that differ, from either side.
        required: a row of the second table has to have values: where the first has none, it has to go.
    """
    second = qualified(orphans.table)
    gone = f"insert their rows into {qualified(compared.table)}, or: DELETE FROM {second} WHERE {orphans.mismatch}"
    emptied = f"delete rows of {second} whose row in {qualified(compared.table)} has no values" if required else ""
    return replace(compared, from_old=old, from_new=new, by_hand=emptied), replace(orphans, by_hand=gone)


def copied_again(compared: Verify, extra: Sequence[Verify], strays: Sequence[Fill], copied: Fill) -> tuple[Verify, ...]:
    """The comparison of a table with its copy, with what makes the copy anew where it differs.

    Args:
        compared: rows of the table that are not in its copy, or not the same.
        extra: rows of the copy, or of each of its partitions, that are not in the table.
        strays: for each of these, what deletes such rows, and those that are not the same.
        copied: what copies rows that are missing.
    """
    others = (replace(each, from_old=gone) for each, gone in zip(extra, strays, strict=True))
    return replace(compared, from_old=copied), *others
