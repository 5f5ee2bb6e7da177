"""What is known of one statement, as frozen values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

ACCESS_EXCLUSIVE = "ACCESS EXCLUSIVE"
SHARE_ROW_EXCLUSIVE = "SHARE ROW EXCLUSIVE"
SHARE_UPDATE_EXCLUSIVE = "SHARE UPDATE EXCLUSIVE"


@dataclass(frozen=True, slots=True)
class Name:
    """A name with its schema, exact."""

    schema: str
    name: str

    def __str__(self) -> str:
        return ".".join('"' + part.replace('"', '""') + '"' for part in (self.schema, self.name))


@dataclass(frozen=True, slots=True)
class AddedColumn:
    """A column that a statement creates. `type` and `default` are SQL."""

    name: str
    type: str
    not_null: bool = False
    default: str | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """What a statement changes.

    Args:
        creates: relations whose names it takes.
        table: the table it creates, or adds columns or an index to.
        is_new: the table is created by the statement itself.
        columns: columns it creates.
        key: columns of the primary key of a created table.
        locks: tables that are locked, each with the mode.
        reads: columns of existing tables it depends on; None stands for all of a table.
        undo: SQL that takes it back; empty where it leaves with something else, or stays.
        undo_locks: what that SQL locks.
        index: name of an index that is built concurrently, and so outside any transaction.
    """

    creates: tuple[Name, ...] = ()
    table: Name | None = None
    is_new: bool = False
    columns: tuple[AddedColumn, ...] = ()
    key: tuple[str, ...] = ()
    locks: tuple[tuple[Name, str], ...] = ()
    reads: tuple[tuple[Name, str | None], ...] = ()
    undo: str = ""
    undo_locks: tuple[tuple[Name, str], ...] = ()
    index: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a statement may run while the database is in use.

    `reason` and `remedy` are empty for a safe one; the remedy is code to paste.
    """

    statement: str
    summary: str
    safe: bool
    reason: str = ""
    remedy: str = ""
    effect: Effect = field(default_factory=Effect)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a judge has to know about the database.

    Args:
        schema: where unqualified names live.
        volatile: whether an expression may give another value at every call.
        constrained: names of types that are, or contain, a domain with NOT NULL or CHECK.
    """

    schema: str
    volatile: Callable[[str], bool]
    constrained: frozenset[str] = frozenset()


class Unsafe(Exception):
    """Why a statement may not run.

    Attributes:
        reason: what it would do to those who use the database.
        remedy: what to write instead.
    """

    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy
