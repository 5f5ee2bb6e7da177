"""A script as text: what is SQL in it, where each statement begins, and what is not SQL.

The parser counts bytes from 0; people count lines and columns from 1.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from linters.frozen import Frozen
from linters.parsing import parse, scan

BLANK = re.compile(rb"(?:\s+|--[^\n]*(?:\n|$)|/\*.*?\*/|;)*", re.S)
COPY_DATA = re.compile(
    rb"^(\s*COPY\b[^;]*\bFROM\s+STDIN\b[^;\n]*;[^\n]*\n)(.*?)^\\\.[ \t]*(?:\n|\Z)", re.I | re.S | re.M
)
PSQL_LINE = re.compile(rb"^[ \t]*\\[^\n]*", re.M)
PSQL_INCLUDE = re.compile(rb"^[ \t]*\\(?:i|ir|include|include_relative|gexec|copy)\b", re.M)
VARIABLE = re.compile(rb"(?<![:\w]):(?:'\w+'|\"\w+\"|[A-Za-z_]\w*)|%\(\w+\)s|(?<!%)%s")
TEMPLATE = re.compile(rb"\{\{|\{%|\$\{\w|<%|@\w+@")


class Piece(Frozen):
    """A statement of a script: its node, or why there is none. `start`, `end`: bytes.

    `supposed`: whether it is run, or what is in it, depends on what only the database has.
    """

    start: int
    end: int
    node: Any = None
    problem: str = ""
    supposed: bool = False


@dataclass
class Source:
    """The text of a script.

    Raises:
        ValueError: it is no text, or holds a NUL character, which would hide what follows from the parser.
    """

    name: str
    data: bytes
    first_line: int = 1
    problems: list[Piece] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.data.startswith(b"\xef\xbb\xbf"):
            self.data = b"   " + self.data[3:]
        if b"\0" in self.data:
            raise ValueError("there is a NUL character in it, which would hide what follows")
        self.data.decode()  # refuse what is no UTF-8, with the place

    @cached_property
    def line_starts(self) -> list[int]:
        return [0, *(found.end() for found in re.finditer(rb"\n", self.data))]

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1; the column in characters."""
        line = bisect_right(self.line_starts, offset) - 1
        column = len(self.data[self.line_starts[line] : offset].decode(errors="replace")) + 1
        return line + self.first_line, column

    def text(self, piece: Piece) -> str:
        return self.data[piece.start : piece.end].decode(errors="replace").strip()

    def readable(self) -> bytes:
        """The script with everything that is not SQL blanked out, byte for byte."""
        data = self.data
        self.problems.clear()
        if b"\\" in data:
            for found in PSQL_INCLUDE.finditer(data):
                end = data.find(b"\n", found.end())
                line = data[found.start() : end if end > 0 else len(data)].decode(errors="replace").strip()
                self.problems.append(Piece(found.start(), found.end(), problem=f"{line} brings in what is not here"))
            data = COPY_DATA.sub(without_rows, data)
            data = PSQL_LINE.sub(lambda m: blank(m[0]), data)
        return data

    def statements(self) -> Iterator[Piece]:
        """Statement by statement; what cannot be read is a piece with the reason."""
        data = self.readable()
        yield from self.problems
        try:
            tree = parse(data.decode())
        except ValueError:
            yield from one_by_one(data)
            return
        for item in tree.stmts:
            end = item.stmt_location + item.stmt_len if item.stmt_len else len(data)
            match = BLANK.match(data, item.stmt_location, end)
            yield Piece(match.end() if match else item.stmt_location, end, item.stmt)


def without_rows(match: re.Match[bytes]) -> bytes:
    """COPY … FROM STDIN as a statement, its rows blanked out."""
    return match[1] + blank(match[0][len(match[1]) :])


def blank(data: bytes) -> bytes:
    return re.sub(rb"[^\n]", b" ", data)


def one_by_one(data: bytes) -> Iterator[Piece]:
    """Split where a semicolon ends a statement, and parse each by itself: one that is broken hides no other."""
    for start, end in split(data):
        match = BLANK.match(data, start, end)
        start = match.end() if match else start
        text = data[start:end]
        if not text.strip(b" \t\r\n;"):
            continue
        if TEMPLATE.search(text):
            yield Piece(start, end, problem="it is a template: what it becomes is not known")
            continue
        try:
            found = parse(VARIABLE.sub(placeholder, text).decode()).stmts
        except ValueError as problem:
            yield Piece(start, end, problem=f"it cannot be read: {problem}")
            continue
        for item in found:
            yield Piece(start, end, item.stmt)


def placeholder(match: re.Match[bytes]) -> bytes:
    """A variable of psql or a driver as a parameter, or as a name where only a name can stand."""
    return b"$1".ljust(len(match[0])) if match[0][:1] == b"%" or b'"' not in match[0] else b"v".ljust(len(match[0]))


def split(data: bytes) -> Iterator[tuple[int, int]]:
    """Bounds of statements in text that does not parse as a whole."""
    try:
        tokens = scan(data.decode())
    except ValueError:  # an unfinished string or comment: the rest is one piece
        yield 0, len(data)
        return
    start = 0
    for token in tokens:
        if data[token.start : token.end] == b";":
            yield start, token.end
            start = token.end
    yield start, len(data)
