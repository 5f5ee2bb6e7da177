"""Which database a record was made in: one that was copied inherits no permission to contract."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A database, as far as it says so.

    Args:
        system: identity of the server, which a physical copy shares where `takes_over` is false; empty: not known.
        database: what a database has that a copy of it on the same server has not.
        timeline: another one after a replica was promoted; None: not known.
        takes_over: a server that takes over from another has another identity, as a copy has.
        unknown: why it is not known which server this is.
    """

    system: str
    database: str
    timeline: int | None = None
    takes_over: bool = False
    unknown: str = ""

    @property
    def name(self) -> str:
        """As records keep it."""
        return f"{self.system}/{self.database}"

    def made(self, recorded: str | None) -> bool:
        """Whether a record was made here, as far as is known."""
        if recorded is None:
            return True
        system, _, database = recorded.rpartition("/")
        return database == self.database and (not system or not self.system or system == self.system)
