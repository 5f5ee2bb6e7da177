"""Statements that were collected from somewhere else than an SQL file, each with the place it comes from."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from linters.frozen import Frozen, changed
from linters.source import Piece, Source


class Item(Frozen):
    """A statement, or several, or something that is none.

    Args:
        text: SQL; where `problem` is given, what stands there, to be shown.
        line, column: where it comes from, from 1.
        problem: why what is run there is not known.
        supposed: whether it is run, or what is in it, depends on what only the database has.
    """

    text: str
    line: int
    column: int = 1
    problem: str = ""
    supposed: bool = False


class Statement(Source):
    """SQL that a driver sends: no lines of psql, no rows of COPY."""

    def readable(self) -> bytes:
        return self.data


@dataclass
class Collected(Source):
    """Items in the order they run, each read by itself: one that is broken hides no other."""

    starts: list[int] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)

    def place(self, offset: int) -> tuple[int, int]:
        item = self.items[max(bisect_right(self.starts, offset) - 1, 0)]
        return item.line, item.column

    def statements(self) -> Iterator[Piece]:
        return self.pieces(lambda source: source.statements())

    def pieces(self, split: Callable[[Source], Iterable[Piece]]) -> Iterator[Piece]:
        """The statements of all items.

        Args:
            split: cuts a script into statements, as the dialect of the server does.
        """
        for start, item in zip(self.starts, self.items, strict=True):
            data = item.text.encode()
            if item.problem:
                yield Piece(start, start + len(data), problem=item.problem)
                continue
            for piece in split(Statement(self.name, data)):
                yield changed(piece, start=start + piece.start, end=start + piece.end, supposed=item.supposed)


def collected(name: str, items: Iterable[Item]) -> Collected:
    """A script of items.

    Args:
        name: the file they come from.
    """
    found = [readable(item) for item in items] or [Item("", 1)]
    starts, data = [], b""
    for item in found:
        starts.append(len(data))
        data += item.text.encode() + b";\n"
    return Collected(name, data, starts=starts, items=found)


def readable(item: Item) -> Item:
    """The item; as a problem where its text could not be read as a whole."""
    if "\0" not in item.text:
        return item
    shown = item.text.replace("\0", " ")
    return changed(item, text=shown, problem="there is a NUL character in it, which would hide what follows")
