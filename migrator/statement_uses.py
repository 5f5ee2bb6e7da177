"""Statements that a server has counted, by what they use of what a contract takes away."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from linters.mentions import Manner, Mentioned, may_use, mentioned
from migrator.dialects.statistics import Ran
from migrator.old_names import OldName
from phases.observation import Counted

KEPT = 20_000
"""Statements whose names are kept in memory: `--every` meets the same ones again and again."""


def words(names: Iterable[OldName]) -> list[str]:
    """What a statement that uses one of them has in its text."""
    return sorted({name.table.name for name in names})


def using(ran: Ran, name: OldName, dialect: str) -> list[tuple[Counted, str]]:
    """Statements that use it, or may, and how."""
    found = ((counted, manner(counted.text, name, dialect)) for counted in ran.statements)
    return [(counted, str(how)) for counted, how in found if how is not None]


def manner(text: str, name: OldName, dialect: str) -> Manner | None:
    """How a statement uses it; None: not at all."""
    if name.column is not None and not may_use(text, name.column, dialect):
        return None
    read = names_of(text, dialect)
    if read is not None:
        return read.manner(name.of_linter, name.column)
    said = text.casefold()
    parts = (name.table.name, name.column or "")
    # Of a text whose end is cut off the column may be what is missing.
    cut = said.rstrip().endswith("...")
    return Manner.UNKNOWN if cut or all(part.casefold() in said for part in parts) else None


@lru_cache(KEPT)
def names_of(text: str, dialect: str) -> Mentioned | None:
    """What a statement names; None where it cannot be read."""
    try:
        return mentioned(text, dialect)
    except ValueError:
        return None
