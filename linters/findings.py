"""What a linter says, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Category(Enum):
    """`HAZARD`: somebody waits, or the statement fails. `COMPATIBILITY`: statements of the live old version fail."""

    HAZARD = "hazard"
    COMPATIBILITY = "compatibility"
    UNANALYSED = "unanalysed"
    STYLE = "style"


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to know before a statement is run.

    Args:
        rule: the rule's id.
        message: what is found, in the names of the statement.
        effect: what it does to those who use the database.
        safer: what to do instead, as steps that can be run.
        operation: the operation of a revision that does it, as code; empty where there is none.
        line, column: where the statement begins, from 1.
        last_line: the line it ends on.
        lock: the strongest lock it takes on a table in use.
        tables: tables that are locked, read or written.
        assumed: what was not known and taken for the worse.
        fingerprint: the same for the same finding, wherever in the file it stands.
    """

    rule: str
    category: Category
    severity: Severity
    message: str
    effect: str
    safer: str
    file: str
    line: int
    column: int
    statement: str
    lock: str = ""
    tables: tuple[str, ...] = ()
    rewrites: tuple[str, ...] = ()
    scans: tuple[str, ...] = ()
    operation: str = ""
    assumed: str = ""
    fingerprint: str = field(default="", compare=False)
    last_line: int = 0
