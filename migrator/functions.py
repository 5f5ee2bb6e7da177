"""Functions of the user's that compute rows in a backfill: found by their names, and called with batches of rows."""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from migrator.errors import RevisionError
from phases.effects import BY_FUNCTION, Compute, Failure
from phases.model import Fill
from phases.operations import Backfill

if TYPE_CHECKING:
    from migrator.migration import Migration

KNOWN = (bool, int, float, str, bytes, Decimal, date, time, timedelta, UUID, list)
"""Types of values that are written."""

Function = Callable[[Sequence[Mapping[str, Any]]], Any]


class Functions:
    """Calls functions, one at a time whoever asks, the asynchronous ones in one event loop.

    Args:
        find: the function of a revision by the name that its step has.
    """

    def __init__(self, find: Callable[[str, str], Function]) -> None:
        self.find = find
        self.loop: asyncio.Runner | None = None
        self.lock = threading.Lock()

    def compute(self, revision: str, step: Fill, asked: Compute) -> list[tuple[Any, ...]] | Failure:
        """The values of rows, in the order of the columns that the step writes.

        Raises:
            RevisionError: there is no such function.
        """
        function = self.find(revision, step.function)
        given = [dict(zip(asked.names, row, strict=True)) for row in asked.rows]
        try:
            with self.lock:  # it need not know of threads
                found = function(given)
                if inspect.isawaitable(found):
                    found = self._awaited(found)
            return answers(found, len(given), [name[1:-1].replace('""', '"') for name in step.writes])
        except Exception as problem:  # of the user's code: whatever it is, it is about these rows
            return Failure(BY_FUNCTION, f"{type(problem).__name__}: {problem}")

    def _awaited(self, found: Any) -> Any:
        async def wait() -> Any:
            return await found

        if self.loop is None:
            self.loop = asyncio.Runner()
        return self.loop.run(wait())

    def close(self) -> None:
        if self.loop is not None:
            self.loop.close()
            self.loop = None


def answers(found: Iterable[Any], rows: int, writes: Sequence[str]) -> list[tuple[Any, ...]]:
    """What a function has returned, row by row.

    Raises:
        ValueError: not one answer for each row, or other columns than those that are written.
    """
    listed = list(found)
    if len(listed) != rows:
        raise ValueError(f"it was given {rows} rows, and returned {len(listed)}")
    return [tuple(map(plain, values(answer, writes))) for answer in listed]


def values(answer: Any, writes: Sequence[str]) -> Sequence[Any]:
    if isinstance(answer, Mapping):
        if set(answer) != set(writes):
            raise ValueError(f"it returned {sorted(map(str, answer))} for a row; written are {sorted(writes)}")
        return [answer[name] for name in writes]
    if len(writes) == 1:
        return [answer]
    raise ValueError(f"it returned {type(answer).__name__} for a row; return a dict of {', '.join(writes)}")


def plain(value: Any) -> Any:
    """A value as every driver takes it; a dict goes to a column of JSON.

    Raises:
        TypeError: no driver knows such a value.
    """
    if isinstance(value, dict):
        return json.dumps(value)
    if value is not None and not isinstance(value, KNOWN):
        raise TypeError(f"it returned a value of type {type(value).__name__}, which no column holds")
    return value


def function_of(migration: Migration | None, name: str) -> Function:
    """A function that a migration has, or one by its module.

    Raises:
        RevisionError: it is not there.
    """
    for operation in migration.operations if migration is not None else ():
        if isinstance(operation, Backfill) and operation.function == name and operation.call is not None:
            return operation.call
    module, _, attribute = name.rpartition(":")
    try:
        function: Function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as problem:
        raise RevisionError(
            f"the function {name} of a backfill is not there: {problem}",
            next_step="put it back where it was, and run the same command again",
        ) from None
    return function
