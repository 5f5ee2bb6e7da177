"""Dual writes as values: which columns mirror which, and how each is computed.

A dialect turns them into triggers. The rules they follow, in this order:

1. A statement that leaves both sides saying the same changes nothing.
2. UPDATE: the side that changed wins. INSERT: the side that is not what its
   default gives was written. Both sides carry the same default wherever that
   default is the same for both when evaluated twice in one statement (constant
   or stable), so an explicit NULL is told from a value that was not given.
3. Both sides written and different: the new side wins, unless the session says
   `SET migrator.writes = 'old'`.
4. Neither side written and the sides differ: the row is not filled yet, and is
   filled by this very statement. Without this rule an unrelated UPDATE would
   move an unfilled row behind the backfill, which would never see it again.
"""

from __future__ import annotations

from dataclasses import dataclass

from phases.catalog import Column, Volatility
from phases.model import TableName


@dataclass(frozen=True, slots=True)
class DualWrite:
    """Two columns of one table that hold the same value under two names.

    `fills_old` turns rule 4 around while a contract is being restored: then it
    is the old column that lags behind.
    """

    table: TableName
    name: str
    old: Column
    new: str
    fills_old: bool = False

    @property
    def shared_default(self) -> str | None:
        """The default that both sides can carry; None where evaluating it twice gives two values."""
        if self.old.default is None or self.old.default_volatility is Volatility.VOLATILE:
            return None
        return self.old.default

    @property
    def default_is_unshareable(self) -> bool:
        """The old side gets a value by itself that the new side cannot be compared with."""
        return self.has_identity or (self.old.default is not None and self.shared_default is None)

    @property
    def has_identity(self) -> bool:
        return self.old.sequence is not None and self.old.sequence.identity is not None


@dataclass(frozen=True, slots=True)
class NullFill:
    """A column that gets a value where a writer leaves it NULL.

    `expression` is over the table's other columns.
    """

    table: TableName
    name: str
    column: Column
    expression: str
