"""Comments that silence a finding: `-- migrator: disable=RULE[,RULE] reason [until=2027-01-31]`.

One stands before a statement or on a line of it; `disable-file=` holds for the whole script. A reason is required.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from linters.findings import Finding
from linters.frozen import Frozen
from linters.source import Piece, Source

MARK = b"migrator:"
COMMENT = re.compile(rb"(?:--|#|/\*)[ \t]*migrator:[ \t]*(disable[^\s=]*)([^\n]*)")
RULES = re.compile(r"\s*=\s*([\w-]+(?:\s*,\s*[\w-]+)*)(?:\s+|$)(.*)")
UNTIL = re.compile(r"\buntil\s*=\s*(\S+)")
WITHOUT_REASON, UNUSED, EXPIRED = "suppression-without-reason", "unused-suppression", "expired-suppression"


class Complaint(Frozen):
    """What is wrong with a comment: the rule that says so, and why."""

    rule: str
    message: str
    piece: Piece


@dataclass(slots=True)
class Suppression:
    """A comment that silences rules on the lines `first` to `last`."""

    rules: tuple[str, ...]
    first: int
    last: int
    piece: Piece
    used: set[str] = field(default_factory=set)

    def silences(self, finding: Finding) -> bool:
        if finding.rule not in self.rules or not self.first <= finding.line <= self.last:
            return False
        self.used.add(finding.rule)
        return True


def suppressed(
    source: Source, findings: Sequence[Finding], pieces: Sequence[Piece], on: Collection[str],
    known: Collection[str], today: date,
) -> tuple[list[Finding], list[Complaint]]:  # fmt: skip
    """The findings that are left, and what is wrong with the comments.

    Args:
        pieces: all statements of the script, in order.
        on: rules that are asked; a comment about another one is not called unused.
        known: all rules there are.
        today: the day after whose eve `until` is over.
    """
    lines = sorted((source.place(piece.start)[0], source.place(piece.end)[0]) for piece in pieces)
    found: list[Suppression] = []
    complaints: list[Complaint] = []
    for comment in COMMENT.finditer(source.data):
        made = read(source, comment, lines, today)
        if isinstance(made, Complaint):
            complaints.append(made)
        else:
            found.append(made)
    left = [finding for finding in findings if not any(each.silences(finding) for each in found)]
    return left, complaints + [each for suppression in found for each in unused(suppression, on, known)]


def read(
    source: Source, comment: re.Match[bytes], lines: Sequence[tuple[int, int]], today: date
) -> Suppression | Complaint:
    piece = Piece(comment.start(), comment.end())
    word, rest = comment[1].decode(errors="replace"), comment[2].decode(errors="replace").replace("*/", "")
    given = RULES.match(rest)
    if word not in ("disable", "disable-file") or given is None:
        return Complaint(UNUSED, f"{word}{rest.rstrip()} is not understood: -- migrator: disable=RULE reason", piece)
    until = UNTIL.search(given[2])
    if until is not None:
        try:
            over = date.fromisoformat(until[1])
        except ValueError:
            return Complaint(UNUSED, f"{until[0]} is no date; write until=2027-01-31", piece)
        if over < today:
            return Complaint(EXPIRED, f"{given[1]} is silenced until {over} only", piece)
    if not re.search(r"\w", UNTIL.sub("", given[2])):
        return Complaint(WITHOUT_REASON, f"{given[1]} is silenced without a reason, so it is not", piece)
    first, last = (0, 1 << 60) if word == "disable-file" else covered(source, comment.start(), lines)
    return Suppression(tuple(re.split(r"\s*,\s*", given[1])), first, last, piece)


def covered(source: Source, offset: int, lines: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """The lines of the statement that a comment is about: the one around it, else the next."""
    line, column = source.place(offset)
    around = [bounds for bounds in lines if bounds[0] <= line <= bounds[1]]
    alone = not source.data[offset - column + 1 : offset].strip()
    if around and not (alone and all(bounds[0] == line for bounds in around)):
        return around[0][0], around[-1][1]
    place = bisect_left(lines, (line, 0))
    return lines[place] if place < len(lines) else (line, line)


def unused(suppression: Suppression, on: Collection[str], known: Collection[str]) -> Iterator[Complaint]:
    for rule in suppression.rules:
        if rule not in known:
            yield Complaint(UNUSED, f"there is no rule {rule}", suppression.piece)
        elif rule in on and rule not in suppression.used:
            yield Complaint(UNUSED, f"{rule} finds nothing there", suppression.piece)
