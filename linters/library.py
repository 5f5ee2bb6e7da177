"""libpg_query as the package postgast ships it.

To import that package builds a class for each of its 270 nodes, which takes longer than most scripts are judged.
So its library and its description of the nodes are loaded from its files; a class is built when a node is met.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from linters.frozen import Frozen

LIBRARIES = ("libpg_query.so", "libpg_query.dylib", "pg_query.dll")


class Library(Frozen):
    """Text to messages of protobuf. Both raise `Error` with `cursorpos`, the character that is wrong."""

    parse: Callable[[str], Any]
    scan: Callable[[str], Any]
    Error: type[Exception]


class Problem(ctypes.Structure):
    """PgQueryError of pg_query.h."""

    _fields_ = (
        ("message", ctypes.c_char_p), ("funcname", ctypes.c_char_p), ("filename", ctypes.c_char_p),
        ("lineno", ctypes.c_int), ("cursorpos", ctypes.c_int), ("context", ctypes.c_char_p),
    )  # fmt: skip


class Answer(ctypes.Structure):
    """PgQueryProtobufParseResult and PgQueryScanResult, which are alike."""

    _fields_ = (
        ("size", ctypes.c_size_t), ("data", ctypes.c_void_p), ("stderr", ctypes.c_char_p),
        ("error", ctypes.POINTER(Problem)),
    )  # fmt: skip


class SyntaxProblem(Exception):
    """The text is no SQL."""

    def __init__(self, message: str, cursorpos: int) -> None:
        super().__init__(message)
        self.cursorpos = cursorpos


@cache
def library() -> Library:
    """The parser; by the package itself where its files are not where they were."""
    try:
        return from_files(folder())
    except (ImportError, OSError, LookupError, AttributeError, TypeError, StopIteration):
        import postgast

        return Library(postgast.parse, postgast.scan, postgast.PgQueryError)


def folder() -> Path:
    package = find_spec("postgast")
    if package is None or not package.submodule_search_locations:
        raise ImportError("postgast is not installed")
    return Path(package.submodule_search_locations[0])


def library_in(folder: Path) -> Path:
    return next(path for path in map(folder.joinpath, LIBRARIES) if path.is_file())


def from_files(folder: Path) -> Library:
    code = ctypes.CDLL(str(library_in(folder)))
    tree, tokens = messages((folder / "pg_query.desc").read_bytes(), ("pg_query.ParseResult", "pg_query.ScanResult"))
    parse = asking(code.pg_query_parse_protobuf, code.pg_query_free_protobuf_parse_result, tree.FromString)
    scan = asking(code.pg_query_scan, code.pg_query_free_scan_result, tokens.FromString)
    return Library(parse, scan, SyntaxProblem)


def asking(function: Any, free: Any, decode: Callable[[bytes], Any]) -> Callable[[str], Any]:
    function.argtypes, function.restype = (ctypes.c_char_p,), Answer
    free.argtypes, free.restype = (Answer,), None

    def ask(sql: str) -> Any:
        answer = function(sql.encode())
        try:
            if answer.error:
                problem = answer.error.contents
                raise SyntaxProblem((problem.message or b"unknown error").decode(), problem.cursorpos)
            return decode(ctypes.string_at(answer.data, answer.size))
        finally:
            free(answer)

    return ask


def messages(description: bytes, names: Iterable[str]) -> list[Any]:
    """Classes of messages; those of their fields are built when they are met.

    Made by what lies under protobuf's own modules for it: those import its implementation in Python too, unused,
    for a fifth of the time that linting a small file takes.
    """
    from google.protobuf.message import Message
    from google.protobuf.pyext import cpp_message

    pool = cpp_message._message.DescriptorPool()
    for file in files_of(description):
        pool.AddSerializedFile(file)
    made = []
    for name in names:
        described = pool.FindMessageTypeByName(name)
        members = {"DESCRIPTOR": described, "__module__": None}
        made.append(cpp_message.GeneratedProtocolMessageType(described.name, (Message,), members))
    return made


def files_of(description: bytes) -> Iterator[bytes]:
    """The members of a FileDescriptorSet: each is the tag of field 1, its length as a varint, and its bytes."""
    place = 0
    while place < len(description):
        place, length, shift = place + 1, 0, 0
        while True:
            byte = description[place]
            length |= (byte & 0x7F) << shift
            place, shift = place + 1, shift + 7
            if byte < 0x80:
                break
        yield description[place : place + length]
        place += length
