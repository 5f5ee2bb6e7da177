"""Reads by the old shape, some of them compared with the same read by the new one.

The application always gets what the old read says. How many reads are compared is bounded three times: by a share
of all, by a number a second, and by a share of the time; what a comparison raises is counted and goes no further.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypedDict, TypeVar, Unpack, overload

from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from migrator.app.binds import engine_of, known_to
from migrator.app.observing import (
    SHADOW_READ_MISMATCHES,
    SHADOW_READ_SECONDS,
    SHADOW_READS,
    logger,
    observer,
)
from migrator.app.ticking import ticker_of
from migrator.errors import UsageError
from migrator.ledger.shadow_reads import KEYS, ShadowReport, record

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from migrator.app.binds import Bind

P = ParamSpec("P")
T = TypeVar("T")


class Allowance:
    """How many comparisons there may be: so many a second, and no more of each second than a share."""

    def __init__(self, per_second: float, share: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._share, self._clock = per_second, share, clock
        self._count, self._seconds, self._at = max(1.0, per_second), share, clock()
        self._changing = threading.Lock()

    def take(self) -> bool:
        """Take one, if one is left."""
        with self._changing:
            now = self._clock()
            passed, self._at = now - self._at, now
            self._count = min(max(1.0, self._per_second), self._count + passed * self._per_second)
            self._seconds = min(self._share, self._seconds + passed * self._share)
            if self._count < 1 or self._seconds <= 0:
                return False
            self._count -= 1
            return True

    def spend(self, seconds: float) -> None:
        """Account for what one has cost; what is too much is saved later."""
        with self._changing:
            self._seconds -= seconds


@dataclass(eq=False)
class Comparisons:
    """What is compared, and what was found."""

    name: str
    revision: str
    sample: float
    allowance: Allowance
    key: Callable[..., object] | None
    compared: int = 0
    mismatched: int = 0
    failed: int = 0
    keys: list[str] = field(default_factory=list)
    changing: threading.Lock = field(default_factory=threading.Lock)

    def wanted(self) -> bool:
        return (self.sample >= 1 or random.random() < self.sample) and self.allowance.take()

    def report(self) -> ShadowReport:
        with self.changing:
            return ShadowReport(self.name, self.revision, self.compared, self.mismatched, self.failed, tuple(self.keys))

    def take(self, found: ShadowReport) -> None:
        """Count no more what has been recorded."""
        with self.changing:
            self.compared -= found.compared
            self.mismatched -= found.mismatched
            self.failed -= found.failed
            self.keys = self.keys[len(found.keys) :]

    def count(self, same: bool | None, seconds: float, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Count one comparison. `same`: None where the new read raised."""
        self.allowance.spend(seconds)
        with self.changing:
            self.compared += same is not None
            self.mismatched += same is False
            self.failed += same is None
            if not same and len(self.keys) < KEYS:
                self.keys.append(self._asked(args, kwargs))
        observer().count(SHADOW_READS, name=self.name)
        observer().time(SHADOW_READ_SECONDS, seconds, name=self.name)
        if not same:
            observer().count(SHADOW_READ_MISMATCHES, name=self.name)

    def _asked(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        try:
            return str(self.key(*args, **kwargs)) if self.key is not None else ""
        except Exception as problem:
            return f"key= raised {type(problem).__name__}"


class ShadowRead(Generic[P, T]):
    """A read that is compared. Call it like the old one."""

    def __init__(
        self,
        old: Callable[P, T],
        new: Callable[P, T],
        comparisons: Comparisons,
        equal: Callable[[Any, Any], bool],
    ) -> None:
        self._old, self._new, self._comparisons, self._equal = old, new, comparisons, equal

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        found = self._old(*args, **kwargs)
        if self._comparisons.wanted():
            self._compare(found, args, kwargs)
        return found

    def report(self) -> ShadowReport:
        """What was found so far in this process."""
        return self._comparisons.report()

    def _compare(self, found: T, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        began, same = time.perf_counter(), None
        try:
            with guarded(args, kwargs):
                same = self._equal(found, self._new(*args, **kwargs))
        except Exception as problem:
            logger.warning("the new read of %s failed: %s", self._comparisons.name, problem)
        self._comparisons.count(same, time.perf_counter() - began, args, kwargs)


class AsyncShadowRead(Generic[P, T]):
    """The same of reads that are awaited."""

    def __init__(
        self,
        old: Callable[P, Awaitable[T]],
        new: Callable[P, Awaitable[T]],
        comparisons: Comparisons,
        equal: Callable[[Any, Any], bool],
    ) -> None:
        self._old, self._new, self._comparisons, self._equal = old, new, comparisons, equal

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        found = await self._old(*args, **kwargs)
        if self._comparisons.wanted():
            await self._compare(found, args, kwargs)
        return found

    def report(self) -> ShadowReport:
        """What was found so far in this process."""
        return self._comparisons.report()

    async def _compare(self, found: T, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        began, same = time.perf_counter(), None
        try:
            async with guarded_async(args, kwargs):
                same = self._equal(found, await self._new(*args, **kwargs))
        except Exception as problem:
            logger.warning("the new read of %s failed: %s", self._comparisons.name, problem)
        self._comparisons.count(same, time.perf_counter() - began, args, kwargs)


@contextmanager
def guarded(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Iterator[None]:
    """Let a statement that fails take nothing of the transaction with it, of a session that is among the arguments.

    What the session has not written yet is written before, as the old read would have done.
    """
    session = next((value for value in (*args, *kwargs.values()) if isinstance(value, Session)), None)
    if session is None:
        yield
        return
    with session.begin_nested(), session.no_autoflush:
        yield


@asynccontextmanager
async def guarded_async(args: tuple[Any, ...], kwargs: dict[str, Any]) -> AsyncIterator[None]:
    session = next((value for value in (*args, *kwargs.values()) if isinstance(value, AsyncSession)), None)
    if session is None:
        yield
        return
    async with session.begin_nested():
        with session.no_autoflush:
            yield


def equal_values(one: Any, other: Any) -> bool:
    return bool(one == other)


_all: dict[tuple[str, str], Comparisons] = {}


class Bounds(TypedDict, total=False):
    """What else `shadow_read` is given."""

    revision: str
    sample: float
    per_second: float
    share: float
    equal: Callable[[Any, Any], bool]
    key: Callable[..., object] | None


@overload
def shadow_read(  # type: ignore[overload-overlap]
    name: str, old: Callable[P, Coroutine[Any, Any, T]], new: Callable[P, Awaitable[T]], **options: Unpack[Bounds]
) -> AsyncShadowRead[P, T]: ...


@overload
def shadow_read(name: str, old: Callable[P, T], new: Callable[P, T], **options: Unpack[Bounds]) -> ShadowRead[P, T]: ...


def shadow_read(
    name: str,
    old: Callable[..., Any],
    new: Callable[..., Any],
    *,
    revision: str = "",
    sample: float = 0.01,
    per_second: float = 10.0,
    share: float = 0.02,
    equal: Callable[[Any, Any], bool] = equal_values,
    key: Callable[..., object] | None = None,
) -> ShadowRead[Any, Any] | AsyncShadowRead[Any, Any]:
    """Make a read that gives what the old one does, and compares some of its answers with the new one.

    Where a session is among the arguments the new read runs behind a savepoint, so that what fails in it does not
    take the transaction with it.

    Args:
        name: of the read, in metrics and reports.
        old, new: functions of the same arguments; both async or neither.
        revision: full name of the revision whose shapes they read; `migrator verify` shows it beside that.
        sample: share of the reads that are compared.
        per_second: comparisons a second, at most.
        share: of the time, seconds a second that comparing may take. What one takes beyond is saved afterwards.
        equal: whether two answers say the same.
        key: what is kept of the arguments of a read that differed: no more of a person than may be in a log.

    Raises:
        UsageError: a bound is out of range, or only one of the reads is async.
    """
    if not (0 <= sample <= 1 and 0 < share <= 1 and per_second > 0):
        raise UsageError(f"shadow_read({name!r}): sample and share are between 0 and 1, per_second is above 0")
    if iscoroutinefunction(old) is not iscoroutinefunction(new):
        raise UsageError(f"shadow_read({name!r}): one of the two reads is async", next_step="make both so, or neither")
    comparisons = Comparisons(name, revision, sample, Allowance(per_second, share), key)
    _all[name, revision] = comparisons
    kind: Any = AsyncShadowRead if iscoroutinefunction(old) else ShadowRead
    made: ShadowRead[Any, Any] | AsyncShadowRead[Any, Any] = kind(old, new, comparisons, equal)
    return made


def record_shadow_reads(connection: Connection) -> None:
    """Add what this process has found to the ledger, in the transaction of a connection.

    Raises:
        UsageError: the ledger is not there, or of an earlier version.
    """
    known_to(connection)
    for comparisons in list(_all.values()):
        found = comparisons.report()
        if found.compared or found.failed:
            record(connection, found)
            comparisons.take(found)


class Recording:
    """Records every few seconds."""

    def __init__(self, every: float) -> None:
        self.every = every

    def run(self, connection: Connection) -> None:
        record_shadow_reads(connection)

    def failed(self, problem: Exception) -> None:
        logger.warning("what shadow reads have found cannot be recorded: %s", problem)


def report_shadow_reads(bind: Bind, *, every: float = 30.0) -> None:
    """Record in the background what the shadow reads of this process find, for `migrator verify`.

    Args:
        bind: an engine, or a session of it; sync or async. Its role needs to write `shadow_reads` of the ledger.
        every: seconds from one time to the next.

    Raises:
        UsageError: there is no engine behind it.
    """
    ticker = ticker_of(engine_of(bind))
    ticker.add("shadow reads", Recording(every))
    ticker.start()
