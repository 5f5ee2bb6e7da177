"""Which of two columns a name means, decided once for each transaction of a session.

A decision is taken when a session first asks, from what is known of a revision, from a flag, or from both, and it
holds until the transaction ends. Statements are compiled by it when they are executed, not when they are written.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sqlalchemy import Engine, event, util
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.orm import Session, SessionTransaction

from migrator.app.binds import engine_of, is_async
from migrator.app.observing import logger
from migrator.app.phases import Phase, follow, known_phase, phases_of
from migrator.app.ticking import ticker_of
from migrator.errors import UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection

KEY = "migrator_switches"
STATEMENTS = 500
"""Compiled statements that are kept for each set of decisions, as an engine keeps them."""


class Flag(Protocol):
    """Says whether the new column is read, where both may be; None: it cannot say, and what it said last holds."""

    def __call__(self, /) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class Choice:
    """What a name means: which column is read, and which are written."""

    reads_new: bool
    writes_old: bool = True
    writes_new: bool = True


OLD_ONLY = Choice(False, writes_new=False)
NEW_ONLY = Choice(True, writes_old=False)


@dataclass(eq=False)
class Source:
    """Where the decision of one switch comes from.

    Args:
        name: of the switch, for messages.
        model: that it belongs to; says which engine's ledger is asked.
        revision: that adds the new column and takes the old one away; empty: both are there.
        flag: chooses while both are filled.
        assume: how far the revision is taken to be while nothing is known of it.
    """

    name: str
    model: type[Any]
    revision: str = ""
    flag: Flag | None = None
    assume: Phase = Phase.ABSENT
    said: bool = False
    asked: weakref.ref[Engine] | None = None

    def choose(self, engine: Engine | None, *, ask: bool = True) -> Choice:
        """Decide by what is known at this moment; no I/O.

        What is not read is not written either where there is a revision: its triggers do that, or `dual_write` does,
        and a build that writes the old column when it goes would fail.

        Args:
            ask: the flag; else what it said last holds.
        """
        if not self.revision:
            return Choice(self._flagged() if ask else self.said)
        if engine is not None:
            self.asked = weakref.ref(engine)
        known = known_phase(self.revision, engine, assume=self.assume) if engine is not None else None
        phase = known.phase if known is not None else self.assume
        if phase < Phase.MIGRATED:
            return OLD_ONLY
        if phase >= Phase.CONTRACTING or self.flag is None:
            return NEW_ONLY
        return NEW_ONLY if (self._flagged() if ask else self.said) else OLD_ONLY

    def choose_again(self) -> Choice:
        """Decide for what belongs to no session, by what is known of the engine that was asked last."""
        return self.choose(self.asked() if self.asked is not None else None, ask=False)

    def _flagged(self) -> bool:
        """What the flag says; what it said last where it fails."""
        if self.flag is None:
            return False
        try:
            said = self.flag()
        except Exception as problem:
            logger.warning("the flag of %s cannot be asked: %s", self.name, problem)
            said = None
        if said is not None:
            self.said = bool(said)
        return self.said


@dataclass(frozen=True, slots=True)
class Decisions:
    """What every switch means in one unit of work."""

    choices: tuple[Choice, ...]
    statements: Any = None

    def of(self, source: Source) -> Choice:
        place = _places.get(source, len(self.choices))
        return self.choices[place] if place < len(self.choices) else source.choose(None)


NOTHING = Decisions(())
_sources: list[Source] = []
_places: dict[Source, int] = {}
_followed: weakref.WeakKeyDictionary[Any, frozenset[str]] = weakref.WeakKeyDictionary()
_kept: dict[tuple[Choice, ...], Decisions] = {}
_keeping = threading.Lock()
_current: ContextVar[Decisions] = ContextVar("migrator_switches", default=NOTHING)


def add_source(source: Source) -> None:
    """Let sessions decide on one more switch; those under way decide again."""
    listen()
    _places[source] = len(_sources)
    _sources.append(source)


def decided(session: Session | None) -> Decisions:
    """What holds in a session; without one, what is known at this moment, and what flags said last."""
    if session is None:
        return kept(tuple(source.choose_again() for source in _sources))
    found = session.info.get(KEY)
    if found is None or len(found.choices) != len(_sources):
        found = session.info[KEY] = decide(session)
    decisions: Decisions = found
    return decisions


def current() -> Decisions:
    """What holds for the statement that is being executed or written."""
    found = _current.get()
    return found if len(found.choices) == len(_sources) else decided(None)


def decide(session: Session) -> Decisions:
    """Ask every switch. Those who decide alike share their compiled statements."""
    engines = [engine_behind(session, source) for source in _sources]
    for engine in dict.fromkeys(engines):
        if engine is not None:
            keep_fresh(engine)
    choices = tuple(source.choose(engine) for source, engine in zip(_sources, engines, strict=True))
    return kept(choices)


def kept(choices: tuple[Choice, ...]) -> Decisions:
    """The one value that stands for these choices."""
    found = _kept.get(choices)
    if found is None:
        with _keeping:
            found = _kept.setdefault(choices, Decisions(choices, util.LRUCache(STATEMENTS)))
    return found


def engine_behind(session: Session, source: Source) -> Engine | None:
    """The engine whose ledger knows the revision of a switch."""
    try:
        return engine_of(session.get_bind(source.model))
    except UnboundExecutionError:
        return None


def keep_fresh(engine: Engine) -> None:
    """Have the revisions of all switches looked at from here on; the first look is waited for."""
    wanted = frozenset(source.revision for source in _sources if source.revision)
    if wanted <= _followed.get(engine.dialect, frozenset()):
        return
    _followed[engine.dialect] = wanted
    follow(engine, *wanted)
    ticker_of(engine).start()
    if is_async(engine):
        look = phases_of(engine).look_async()
        try:
            util.await_only(look)
        finally:
            look.close()  # not awaited where there is no greenlet


def look_first(session: Session, transaction: SessionTransaction) -> None:
    """Take the first look before the session holds a connection: there may be no second one."""
    if transaction.parent is not None:
        return
    for source in _sources:
        engine = engine_behind(session, source)
        if engine is not None and not is_async(engine):
            keep_fresh(engine)


def compile_as_decided(session: Session, _transaction: SessionTransaction, connection: Connection) -> None:
    """Have what the transaction executes compiled as is decided, and not found where others have compiled it."""
    if _sources:
        found = decided(session)
        connection.execution_options(**{KEY: found, "compiled_cache": found.statements})


def compile_for(
    _connection: Connection, _statement: Any, _several: Any, _single: Any, execution_options: Mapping[str, Any]
) -> None:
    """The statement is compiled next, if it has to be."""
    found = execution_options.get(KEY, NOTHING)
    if _current.get() is not found:
        _current.set(found)


def forget(session: Session, transaction: SessionTransaction) -> None:
    if transaction.parent is None:
        session.info.pop(KEY, None)


LISTENERS: tuple[tuple[Any, str, Any], ...] = (
    (Session, "after_transaction_create", look_first),
    (Session, "after_begin", compile_as_decided),
    (Session, "after_transaction_end", forget),
    (Engine, "before_execute", compile_for),
)
"""What a process with a switch listens to; one without pays nothing."""


def listen() -> None:
    for target, name, function in LISTENERS:
        if not event.contains(target, name, function):
            event.listen(target, name, function)


def flag_of(key: str, client: Any = None, context: Callable[[], Any] | None = None) -> Flag:
    """A boolean flag of OpenFeature, as a source for `read_switch(…, flag=…)`.

    Args:
        key: of the flag.
        client: of OpenFeature; the default client where not given.
        context: makes the evaluation context; called once for each unit of work.

    Raises:
        UsageError: `openfeature-sdk` is not installed.
    """
    if client is None:
        try:
            from openfeature import api
        except ImportError:
            raise UsageError(
                "flag_of needs openfeature-sdk", next_step="pip install 'expand-contract-migrator[openfeature]'"
            ) from None
        client = api.get_client()

    def evaluate() -> bool | None:
        details = client.get_boolean_details(key, False, context() if context else None)
        # An error gives the default that was passed: that is no answer.
        return None if details.error_code is not None else bool(details.value)

    return evaluate
