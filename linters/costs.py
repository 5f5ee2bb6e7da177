"""What a statement costs those who use the database, as values."""

from __future__ import annotations

from linters.values import Mode, Name


class Cost:
    """Locks, and the work that is done while they are held.

    Attributes:
        locks: the strongest mode on each relation.
        scans: relations that are read from end to end.
        rewrites: relations that are written again, with all their indexes.
        builds: relations of which an index is built.
        error: why the server would refuse the statement.
        why: why a rewrite or a scan is needed, or is not.
        assumed: what was not known and was taken for the worse.
        level: the lock in the words of a server that has no modes: NONE, SHARED or EXCLUSIVE.
    """

    def __init__(self) -> None:
        self.locks: dict[Name, Mode] = {}
        self.scans: list[Name] = []
        self.rewrites: list[Name] = []
        self.builds: list[Name] = []
        self.error = self.why = self.assumed = self.level = ""

    def lock(self, name: Name, mode: Mode) -> None:
        if self.locks.get(name, Mode.NONE) < mode:
            self.locks[name] = mode

    @property
    def works(self) -> bool:
        """Whether it takes longer the more rows there are."""
        return bool(self.scans or self.rewrites or self.builds)
