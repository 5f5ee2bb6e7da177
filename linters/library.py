"""libpg_query as the package postgast ships it.

To import that package builds a class for each of its 270 nodes, which takes longer than most scripts are judged.
So its library and its description of the nodes are loaded from its files; a class is built when a node is met.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable
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
    except (ImportError, OSError, LookupError, AttributeError, StopIteration):
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
    """Classes of messages; those of their fields are built when they are met."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(description).file:
        pool.Add(file)
    return [message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names]
