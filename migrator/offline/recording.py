"""What a revision sent, and where in its file it did so."""

from __future__ import annotations

import re
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from linters.collected import Item
from migrator.places import place_in

MOST_STATEMENTS = 20_000
MOST_OF_A_LINE = 2000
MOST_REPEATED = 200
"""Times that one statement may come from one line: it is a loop that waits for an answer."""
MOST_FAILURES = 3
"""Failures of one line after which the revision is left: it is a loop that waits for an answer."""
SHOWN_ROWS = "what follows depends on rows that only the database has; it is judged for one made-up row"
SHOWN_SCHEMA = "what follows depends on what is in the database; it is judged both ways"


class Endless(BaseException):
    """The revision goes on and on; no `except Exception` of its own may hold this up."""


@dataclass
class Recorder:
    """Collects what one run of a revision sends.

    Args:
        path: its file.
        lines: its text.
        present: what to answer where a revision asks whether something exists, and nobody knows.
    """

    path: Path
    lines: list[str]
    present: bool = False
    items: list[Item] = field(default_factory=list)
    asked: bool = False
    at: tuple[int, int] | None = None
    failures: Counter[int] = field(default_factory=Counter)
    made_up: Counter[tuple[int, str]] = field(default_factory=Counter)
    repeated: Counter[tuple[int, str]] = field(default_factory=Counter)
    supposing: bool = False

    def place(self) -> tuple[int, int]:
        """Line and column of the call in the revision that led here."""
        if self.at is not None:
            return self.at
        return place_in(self.path) or (1, 1)

    @contextmanager
    def standing_at(self, place: tuple[int, int]) -> Iterator[None]:
        """Statements that are sent later than they were asked for belong to where they were asked for."""
        before, self.at = self.at, place
        try:
            yield
        finally:
            self.at = before

    def sent(self, sql: str) -> None:
        if len(self.items) >= MOST_STATEMENTS:
            raise Endless(f"it sends more than {MOST_STATEMENTS} statements")
        line, column = self.place()
        self.repeated[line, sql] += 1
        self.repeated[line, ""] += 1
        if self.repeated[line, sql] > MOST_REPEATED or self.repeated[line, ""] > MOST_OF_A_LINE:
            raise Endless("it goes on and on")
        self.items.append(Item(sql.strip(), line, column, supposed=self.supposing))

    def problem(self, reason: str, place: tuple[int, int] | None = None) -> None:
        """Put down that something is not known; once for each line and reason."""
        line, column = place or self.place()
        if all(item.line != line or item.problem != reason for item in self.items):
            shown = self.lines[line - 1].strip() if line <= len(self.lines) else ""
            self.items.append(Item(shown, line, column, reason))

    def failed(self) -> None:
        """Put down the exception that is being handled, at the line of the revision that it comes from.

        Raises:
            Endless: this line has failed often enough.
        """
        problem = sys.exc_info()[1]
        if problem is None:
            return
        frames = [f for f in traceback.extract_tb(problem.__traceback__) if f.filename == str(self.path)]
        line = (frames[-1].lineno if frames else None) or self.place()[0]
        column = (frames[-1].colno or 0) + 1 if frames else 1
        self.problem(said(problem), (line, column))
        self.failures[line] += 1
        if self.failures[line] > MOST_FAILURES:
            raise Endless("it goes on and on")

    def reads_rows(self) -> None:
        self.supposing = True
        self.problem(SHOWN_ROWS)

    def has_more(self, sql: str) -> bool:
        """Whether a statement is sent, and given a made-up row: not twice from one line, so that loops end."""
        key = (self.place()[0], sql)
        self.made_up[key] += 1
        return self.made_up[key] == 1

    def exists(self) -> bool:
        """The answer where nobody knows."""
        self.asked = self.supposing = True
        self.problem(SHOWN_SCHEMA)
        return self.present


def said(problem: BaseException) -> str:
    """A problem of foreign code in one line."""
    first = re.sub(r"\(Background on this error.*", "", (str(problem).splitlines() or [""])[0]).strip()
    return f"it cannot be run without the database: {type(problem).__name__}: {first}".rstrip(": ")
