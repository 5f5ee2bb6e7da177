"""What one statement did on a server."""

from __future__ import annotations

from dataclasses import dataclass, field

from linters.values import Mode


@dataclass(frozen=True, slots=True)
class Observation:
    """What one statement did.

    Args:
        line: where it begins, from 1.
        locks: the strongest mode held on each table that others can use, when it was done.
        taken: those of them that it took itself.
        rewrites, scans, builds: tables that were written again, read from end to end, or got an index.
        views: materialized views among these names: nobody but a refresh writes to them.
        rows: rows of tables in use that it wrote, or copied into a table it made.
        error: what the server said, with its SQLSTATE in `code`.
        messages: what the server said it was doing.
        lock_timeout, statement_timeout: milliseconds in force, 0 for none.
        in_transaction: whether the script had a transaction open.
    """

    line: int
    statement: str
    locks: dict[str, Mode] = field(default_factory=dict)
    taken: dict[str, Mode] = field(default_factory=dict)
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    builds: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    rows: int = 0
    error: str = ""
    code: str = ""
    messages: tuple[str, ...] = ()
    lock_timeout: int = 0
    statement_timeout: int = 0
    in_transaction: bool = False

    def blocked(self, table: str) -> bool:
        """Whether somebody has to wait for this statement to let go of the table."""
        mode = self.locks.get(table, Mode.NONE)
        return mode.blocks_reads if table in self.views else mode.blocks_writes

    @property
    def work(self) -> tuple[str, ...]:
        """Tables on which it worked, rows and all, while others had to wait."""
        worked = dict.fromkeys((*self.rewrites, *self.scans, *self.builds))
        return tuple(table for table in worked if self.blocked(table))
