"""One statement that changes a schema, and what a dialect knows of it."""

from __future__ import annotations

from dataclasses import dataclass

from phases.model import Lock


@dataclass(frozen=True, slots=True)
class Change:
    """One statement and the table locks it takes.

    `done`, `otherwise`, `asks` and `unless` are of statements that commit by themselves, as in `phases.model.Script`.
    """

    sql: str
    locks: tuple[Lock, ...] = ()
    done: str = ""
    otherwise: str = ""
    asks: str = ""
    unless: str = ""


Changes = tuple[Change, ...]
