"""When to run DDL that would wait for its table: in a moment in which no transaction of others is ended over it.

On MySQL and MariaDB, whoever has read a table in a transaction and goes on to write it while DDL waits for that table
is ended as the victim of a deadlock. Who has written it already only finishes, and who comes later waits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from migrator.database import Deadlocked, LockTimeout, Session, mapped_errors, run
from migrator.errors import ConnectionFailed, DatabaseError

if TYPE_CHECKING:
    from migrator.dialects.base import Shutting
    from phases.model import Lock

HURRIED, PAUSE = 50, 0.02
"""How often to look for a moment in which nobody uses a table, and seconds between two looks."""
HOLDERS = 25
"""The same where each look is a question, before it is enough that nobody is ended."""
READERS = 100


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment to run a statement in.

    Args:
        limits: statements before it.
        unless: questions right before it; where one has an answer, this is not the moment.
        tries: how often to try.
        pause: seconds between two tries.
    """

    limits: tuple[str, ...]
    unless: tuple[str, ...] = ()
    tries: int = 1
    pause: float = PAUSE


def moments(session: Session, locks: Sequence[Lock], usual: tuple[str, ...], *, long: bool) -> Iterator[Moment]:
    """Moments for a statement, the best ones first; in the last it waits for its locks, whoever holds them.

    Args:
        usual: statements before it that let it wait.
        long: it works for long before it needs the last lock, and is not begun again and again.
    """
    family, server = session.family, session.server
    hurried = family.hurried(server)
    if locks and hurried and not long:
        yield Moment(hurried, tries=HURRIED)
    if not hurried:
        holders = [answered(session, [(sql, PAUSE) for sql in family.blockers(lock, server)]) for lock in locks]
        yield from asking(usual, holders, HOLDERS)
    yield from asking(usual, [answered(session, family.readers(lock, server)) for lock in locks], READERS)
    yield Moment(usual)


def asking(usual: tuple[str, ...], questions: Sequence[tuple[str, float]], tries: int) -> Iterator[Moment]:
    """The moment in which none of the questions has an answer; there is none where nobody can be asked."""
    known = [(sql, pause) for sql, pause in questions if sql]
    if known:
        yield Moment(usual, tuple(sql for sql, _ in known), tries, max(pause for _, pause in known))


def answered(session: Session, questions: Sequence[tuple[str, float]]) -> tuple[str, float]:
    """The first of the questions that the server answers to this role, with its pause; none: an empty one."""
    for question, pause in questions:
        try:
            session.query(question)
        except ConnectionFailed:
            raise
        except DatabaseError:
            continue  # the role may not look, or the server does not know
        return question, pause
    return "", 0.0


@contextmanager
def shut(session: Session, shutting: Shutting) -> Iterator[None]:
    """Keep tables shut for a statement, where this role may and the server can.

    Raises:
        LockTimeout, Deadlocked: somebody was in the way.
    """
    try:
        try:
            with mapped_errors():
                for statement in shutting.lock:
                    run(session.connection, statement)
        except (LockTimeout, Deadlocked, ConnectionFailed):
            raise
        except DatabaseError:
            pass
        yield
    finally:
        with suppress(Exception):
            for statement in shutting.after:
                run(session.connection, statement)
