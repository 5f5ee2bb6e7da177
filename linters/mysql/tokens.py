"""Tokens and statements of MySQL and MariaDB: comments that are run, DELIMITER, bodies of procedures.

Text is read as Latin-1, so that a character is a byte; names and strings are decoded where they are used.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from typing import NamedTuple

from linters.source import Piece, Source

TOKEN = re.compile(
    r"""(?P<blank>[\s\xa0]+)
    |(?P<comment>\#[^\n]*|--(?=[\s\x00-\x1f]|$)[^\n]*)
    |(?P<hint>/\*(?P<run>M?!)(?P<number>\d{5,6})?)
    |(?P<block>/\*)
    |(?P<close>\*/)
    |(?P<word>(?:@@?)?[A-Za-z_$\x80-\xff][\w$\x80-\xff]*)
    |(?P<number_>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[\w$]*)
    |(?P<quoted>`(?:[^`]|``)*`)
    |(?P<string>'(?:[^'\\]|''|\\.)*'|"(?:[^"\\]|""|\\.)*")
    |(?P<template>\{\{.*?\}\}|\{%.*?%\}|\$\{.*?\})
    |(?P<sign>:=|<=>|<>|!=|>=|<=|&&|\|\||<<|>>|->>?|.)""",
    re.X | re.S,
)
DELIMITER = re.compile(r"(?i)delimiter[ \t]+(\S+)[^\n]*")
CLIENT = re.compile(r"(?i)(?:source|\\\.)[ \t]+([^\n;]+)[^\n]*")
COMPOUND = frozenset({"TRIGGER", "PROCEDURE", "FUNCTION", "EVENT", "PACKAGE"})
ENDINGS = frozenset({"IF", "LOOP", "REPEAT", "WHILE", "FOR"})
UNREAD = range(50700, 100000)
"""Numbers of comments that MariaDB leaves to MySQL."""


class Token(NamedTuple):
    """`kind`: word, quoted, string, number, sign or template. `upper`: a word in capitals, else its text."""

    kind: str
    text: str
    upper: str
    start: int
    end: int


class Statement(NamedTuple):
    """The tokens of one statement, without its delimiter."""

    tokens: tuple[Token, ...]
    dialect: str
    release: tuple[int, ...]
    ansi_quotes: bool = False


class Unfinished(ValueError):
    """A string, a name or a comment does not end; `at` is where it begins."""

    def __init__(self, at: int, what: str) -> None:
        super().__init__(what)
        self.at = at


def runs(comment: re.Match[str], dialect: str, release: tuple[int, ...]) -> bool:
    """Whether the server runs what stands in `/*!80000 … */` or `/*M!100500 … */`."""
    if comment["run"] == "M!" and dialect != "mariadb":
        return False
    if comment["number"] is None:
        return True
    number = int(comment["number"])
    if dialect == "mariadb" and comment["run"] == "!" and number in UNREAD:
        return False
    major, minor, patch = (*release, 99, 99)[:3]
    return number <= major * 10000 + minor * 100 + patch


def tokens(text: str, dialect: str, release: tuple[int, ...], start: int = 0) -> Iterator[Token]:
    """Tokens from `start` on, comments left out.

    Raises:
        Unfinished: a string or comment does not end.
    """
    at, inside, size = start, 0, len(text)
    while at < size:
        found = TOKEN.match(text, at)
        if found is None:
            raise Unfinished(at, "it cannot be read")
        kind, at = found.lastgroup or "", found.end()
        if kind in ("blank", "comment"):
            continue
        if kind in ("hint", "run", "number", "block"):
            if found["hint"] and runs(found, dialect, release):
                inside += 1
                continue
            end = after_comment(text, at)
            if end < 0:
                raise Unfinished(found.start(), "a comment does not end")
            at = end
        elif kind == "close" and inside:
            inside -= 1
        else:
            word = found[0]
            if kind == "sign" and word in "'\"`":
                raise Unfinished(found.start(), "a string or a name does not end")
            upper = word.upper() if kind == "word" else word
            yield Token("number" if kind == "number_" else kind, word, upper, found.start(), at)


def after_comment(text: str, at: int) -> int:
    """Where a comment ends that began before `at`, with those inside it; -1 where it does not."""
    depth = 1
    for found in re.finditer(r"/\*!|\*/", text[at:]):
        depth += 1 if found[0] == "/*!" else -1
        if depth == 0:
            return at + found.end()
    return -1


class Splitter:
    """Splits a script into statements as the client does.

    Args:
        source: the script.
        dialect: `mysql` or `mariadb`.
        release: the server's version, which decides on comments that are run.
    """

    def __init__(self, source: Source, dialect: str, release: tuple[int, ...]) -> None:
        self.text, self.dialect, self.release = source.data.decode("latin-1"), dialect, release
        self.delimiter = ";"
        self.found: list[Token] = []
        self.depth = 0

    def pieces(self) -> Iterator[Piece]:
        at = 0
        while True:
            try:
                moved = yield from self.from_here(at)
            except Unfinished as problem:
                start = self.found[0].start if self.found else problem.at
                yield Piece(start, len(self.text), problem=f"it cannot be read: {problem}")
                return
            if moved is None:
                yield from self.flush()
                return
            at = moved

    def from_here(self, start: int) -> Generator[Piece, None, int | None]:
        """Statements up to where the tokens have to be read anew: that place, None at the end."""
        for token in tokens(self.text, self.dialect, self.release, start):
            if not self.found and (moved := (yield from self.command(token))) is not None:
                return moved
            if self.ends(token):
                yield from self.flush()
                if len(self.delimiter) > 1 or token.text != ";":
                    return token.start + max(len(self.delimiter) if token.text != "\\" else 2, 1)
                continue
            self.follow(token)
            self.found.append(token)
        return None

    def command(self, token: Token) -> Generator[Piece, None, int | None]:
        """DELIMITER and SOURCE, which are commands of the client."""
        if token.upper == "DELIMITER" and (line := DELIMITER.match(self.text, token.start)):
            self.delimiter = line[1]
            return line.end()
        if (token.upper == "SOURCE" or token.text == "\\") and (line := CLIENT.match(self.text, token.start)):
            yield Piece(token.start, line.end(), problem=f"{line[0].strip()} brings in what is not here")
            return line.end()
        return None

    def ends(self, token: Token) -> bool:
        if self.delimiter != ";":
            return self.text.startswith(self.delimiter, token.start)
        if token.text == "\\" and self.text[token.start + 1 : token.start + 2] in ("g", "G"):
            return True
        return token.text == ";" and self.depth <= 0

    def follow(self, token: Token) -> None:
        """Count BEGIN and END in the body of a procedure: its semicolons end no statement."""
        if token.kind != "word" or self.delimiter != ";":
            return
        before = self.found[-1].upper if self.found else ""
        if token.upper == "ATOMIC" and before == "NOT" and self.found[0].upper == "BEGIN":
            self.depth = 1
        elif token.upper in ("BEGIN", "CASE") and before != "END" and self.is_compound():
            self.depth += 1
        elif token.upper == "END" and self.depth:
            self.depth -= 1
        elif token.upper in ENDINGS and before == "END" and self.is_compound():
            self.depth += 1

    def is_compound(self) -> bool:
        first = self.found[0].upper if self.found else ""
        return (first == "CREATE" and any(t.upper in COMPOUND for t in self.found[:12])) or (
            first == "BEGIN" and len(self.found) > 1 and self.found[1].upper == "NOT"
        )

    def flush(self) -> Iterator[Piece]:
        found, self.found, self.depth = tuple(self.found), [], 0
        if not found:
            return
        start, end = found[0].start, found[-1].end
        if any(token.kind == "template" for token in found):
            yield Piece(start, end, problem="it is a template: what it becomes is not known")
        else:
            yield Piece(start, end, Statement(found, self.dialect, self.release))
