"""When to run DDL that would wait for its table: in a moment in which no transaction of others is ended over it.

On MySQL and MariaDB, whoever has read a table in a transaction and goes on to write it while DDL waits for that table
is ended as the victim of a deadlock. Who has written it already only finishes, and who comes later waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

from migrator.database import Session, mapped, mapped_errors, run
from migrator.dialects.base import Users
from migrator.errors import ConnectionFailed, DatabaseError
from phases.model import Lock, TableName

HURRIED, PAUSE = 50, 0.02
"""How often to ask for a lock without waiting for it, and seconds between two times."""
LOOKS = 10
"""How often to look how many sessions use a table at a time; two are enough where nobody does."""
LEVELS = 8
"""Steps from there down to none."""
PATIENCE = 0.25
"""Seconds of tries at each of these steps."""
READERS = 100
"""Tries of the last one, for a moment in which nobody is ended, however many use the table."""
FEWEST = 8
"""Tries of a step at least, where a look is a slow one."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment to run a statement in.

    Args:
        limits: statements before it.
        question: who uses its tables; where somebody would be ended, this is not the moment. Empty: it always is.
        crowd: sessions that have to use them, if anybody does: the more of them are in the middle of a transaction,
            the fewer can begin one between the look and the lock.
        tries: how often to try.
        pause: seconds between two tries.
        shut: its tables may be shut before.
    """

    limits: tuple[str, ...]
    question: str = ""
    crowd: int = 0
    tries: int = 1
    pause: float = PAUSE
    shut: bool = True


def watched(session: Session, locks: Sequence[Lock]) -> Users:
    """Questions for who uses tables that this role may ask; empty ones, where it may not."""
    tables = [lock.table for lock in locks]
    if not tables:
        return Users()
    for users in session.family.users(tables, tied(session, tables), session.server):
        try:
            session.query(users.full)
        except ConnectionFailed:
            raise
        except DatabaseError:
            continue  # the role may not look, or the server does not know
        return users
    return Users()


def tied(session: Session, tables: Sequence[TableName]) -> dict[TableName, bool]:
    """Tables that shutting some would lock as well, and whether reads of them would wait, too."""
    found: dict[TableName, bool] = {}
    after = list(tables)
    while after and (question := session.family.tied(after, session.server)):
        before = dict(found)
        for schema, name, whole in session.query(question):
            table = TableName(str(schema), str(name))
            if table not in tables:
                found[table] = bool(whole) or found.get(table, False)
        after = [table for table, whole in found.items() if whole and not before.get(table)]
    return found


def moments(
    session: Session, users: Users, usual: tuple[str, ...], pause: Callable[[float], None], *, hurry: bool
) -> Iterator[Moment]:
    """Moments for a statement, the best ones first; in the last it waits for its locks, whoever holds them.

    Args:
        usual: statements before it that let it wait.
        pause: waits some seconds.
        hurry: it may be begun again and again: it does no work before it has its lock.
    """
    hurried = session.family.hurried(session.server)
    if hurried and hurry:
        yield Moment(hurried, tries=HURRIED)
    if users.full:
        most = crowd(session, users, pause)
        if users.tied:
            yield from looked(users.tied, usual, most, shut=True)
        # Behind LOCK TABLES it would wait for whoever writes tied tables, and keep all from these meanwhile.
        yield from looked(users, usual, most, shut=not users.tied)
    yield Moment(usual, shut=not users.tied)


def looked(users: Users, usual: tuple[str, ...], most: int, *, shut: bool) -> Iterator[Moment]:
    """Moments of which a question says that nobody is ended in them."""
    tries = max(FEWEST, round(PATIENCE / users.pause))
    for least in range(most, 0, -max(1, -(-most // LEVELS))):
        yield Moment(usual, users.quick, least, tries, users.pause, shut)
    yield Moment(usual, users.full, 0, READERS, max(PAUSE, users.pause), shut)


def crowd(session: Session, users: Users, pause: Callable[[float], None]) -> int:
    """The most sessions that use some tables at a time."""
    most = 0
    for number in range(LOOKS):
        most = max(most, int(session.query(users.quick)[0][0]))
        if number and not most:
            break
        pause(users.pause)
    return most


def is_moment(session: Session, moment: Moment, sql: str) -> bool:
    """Run a statement outside any transaction if this is the moment for it; returns whether it was."""
    if not moment.question:
        with mapped_errors():
            run(session.connection, sql)
        return True
    packet, not_now = session.family.guarded(moment.question, moment.crowd, sql)
    try:
        run_packet(session, packet)
    except DatabaseError as problem:
        if problem.facts.get("sqlstate") != not_now:
            raise
        return False
    return True


def run_packet(session: Session, sql: str) -> None:
    """Run a text of several statements, to the last or to the first that fails.

    Raises:
        DatabaseError: that one.
    """
    from sqlalchemy.exc import DBAPIError

    cursor = session.connection.connection.cursor()
    try:
        cursor.execute(sql)
        while cursor.nextset():
            pass
    except session.engine.dialect.loaded_dbapi.Error as problem:
        raise mapped(DBAPIError("", None, problem)) from problem
    finally:
        with suppress(session.engine.dialect.loaded_dbapi.Error):  # it reads what is left, of a server that may be gone
            cursor.close()
