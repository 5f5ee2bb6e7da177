"""What is asked of each family of servers about who is connected, and which statements were run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from phases.observation import Counted, Counters

Rows = Callable[[str], Sequence[Any]]
"""Asks a question, and gives its rows."""


@dataclass(frozen=True, slots=True)
class Client:
    """Sessions of others: what they call themselves, and their role."""

    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Connected:
    """Who is connected. `missing`: why names cannot be known, and `remedy`: what lets them be."""

    clients: tuple[Client, ...] = ()
    missing: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """Statements that a server has counted.

    Args:
        missing: why they cannot be known.
        partly: why some of them cannot.
        remedy: what lets them be.
    """

    statements: tuple[Counted, ...] = ()
    counters: Counters = field(default_factory=Counters)
    missing: str = ""
    partly: str = ""
    remedy: str = ""


class Statistics(Protocol):
    """What each family answers. Nothing here writes, and no question fails for want of a privilege that it can ask
    for beforehand."""

    @property
    def grant(self) -> str:
        """What lets a role see all of it, for people."""

    @property
    def suffix(self) -> str:
        """What is put behind every statement of this program, so that it is known among others; or nothing."""

    def connected(self, rows: Rows) -> Connected:
        """Sessions of others in this database."""

    def ran(self, rows: Rows, words: Sequence[str]) -> Ran:
        """Statements with one of some words in their text, whatever its case, but for those of this program."""


class Backups(Protocol):
    """What each family answers about backups: what it has seen of them, and never that one can be restored."""

    def said(self, rows: Rows) -> Iterable[str]:
        """What the server says, each in a few words."""
