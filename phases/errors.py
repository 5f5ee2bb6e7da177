"""Why a migration cannot be planned."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from phases.effects import RowAside
    from phases.model import TableName


class Refused(Exception):
    """An operation that would be unsafe, or whose intent is not clear.

    Attributes:
        reason: what is wrong, in the user's own names.
        remedy: what to write or type instead; may be empty.
        operation: which operation of the migration it is about, from 0; None where that is not known.
    """

    def __init__(self, reason: str, *, remedy: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.operation: int | None = None


def nearest(word: str, known: Iterable[str]) -> str:
    """Say which known word was probably meant; empty where none is near."""
    match = difflib.get_close_matches(word, list(known), n=1)
    return f'did you mean "{match[0]}"?' if match else ""


class Held(Exception):
    """Rows that another session would not let go of.

    Attributes:
        table: the table they are in.
        batches: batches that are still to do.
    """

    def __init__(self, table: TableName, batches: int) -> None:
        super().__init__(f'rows of "{table}"')
        self.table, self.batches = table, batches


class Unchanged(Exception):
    """Rows that a backfill could not change, and has set aside.

    Attributes:
        table: the table they are in.
        rows: all of them.
        limit: how many may be set aside, where the backfill stopped for that; None: it went on to its end.
    """

    def __init__(self, table: TableName, rows: tuple[RowAside, ...], limit: int | None = None) -> None:
        super().__init__(f'{len(rows)} rows of "{table}"')
        self.table, self.rows, self.limit = table, rows, limit


class Mismatched(Exception):
    """Rows that are not what they should be.

    Attributes:
        table: exact name.
        compared, mismatches: rows.
        sample: keys of some of the rows that differ.
    """

    def __init__(
        self, table: str, compared: int, mismatches: int, sample: tuple[str, ...], fault: str = "", by_hand: str = ""
    ) -> None:
        self.table, self.compared, self.mismatches, self.sample = table, compared, mismatches, sample
        said = fault or "differ"
        self.reason = f'{mismatches} of {compared} rows of "{table}" {said} (for example {"; ".join(sample)})'
        writers = "find out who writes past the triggers (session_replication_role, disabled triggers), "
        repair = "" if fault else "; or say which side is right: migrator verify REVISION --repair old"
        rest = f"; what that does not mend: {by_hand}" if by_hand else ""
        self.remedy = f"{'' if fault else writers}mend the rows, then run the same command again{repair}{rest}"
        super().__init__(self.reason)
