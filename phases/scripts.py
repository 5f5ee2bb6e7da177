"""Statements that commit by themselves, carried out so that a crash between any two of them does no harm."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from phases.effects import Commit, Cursor, Define, Effect, Note, Performance, Query
from phases.errors import Refused
from phases.model import ASKED, BY_SCHEMA, IN_TRANSACTION, OF_SESSION, REPEATABLE, Script


def perform_script(step: Script, cursor: Cursor | None) -> Performance:
    """Run what is left, statement by statement: say which one is next, run it, look whether its effect is there.

    Raises:
        Refused: a statement was run, and its effect is not there; or what it would destroy is there.
    """
    begun = dict(cursor or {})
    first = begun.get("statement", 0)
    for number in range(len(step.statements)):
        if step.done[number] == OF_SESSION:
            yield Define(step.statements[number])
        elif number < first:
            continue
        elif step.done[number] == IN_TRANSACTION:
            yield Commit((step.statements[number],), step.locks, unread=step.unread, cursor={"statement": number + 1})
        else:
            before = begun.get("digest") if number == first else None
            yield from perform_statement(step, number, before)
    yield Commit(finishes=True)


def perform_statement(step: Script, number: int, before: str | None) -> Performance:
    """Run one statement unless it is done.

    Args:
        before: digest of the schema, where a run was killed that had begun this statement.
    """
    if before is None or step.done[number] != BY_SCHEMA:
        if (yield from is_done(step, number)):
            return
        before = (yield from digest(step)) if step.done[number] == BY_SCHEMA else None
        yield Note({"statement": number, **({"digest": before} if before else {})})
    elif before != (yield from digest(step)):
        return
    if step.unless and step.unless[number] and (found := (yield Query(step.unless[number]))):
        raise Refused(
            f"somebody has built {', '.join(row[0] for row in found)} since this was planned, and it would be lost",
            remedy="drop it, run the same command again, and build it again afterwards",
        )
    statement = step.statements[number]
    if step.asks and step.asks[number]:
        statement = statement.replace(ASKED, str(int((yield Query(step.asks[number]))[0][0])))
    yield Define(statement, step.otherwise[number], step.locks)
    known = step.done[number] not in (BY_SCHEMA, REPEATABLE)
    if known and not (yield from is_done(step, number)):
        raise Refused(
            f"the server carried it out, and its effect is not there: {step.statements[number]}",
            remedy="look at the table, and run the same command again",
        )


def is_done(step: Script, number: int) -> Generator[Effect, Any, bool]:
    question = step.done[number]
    if question in (BY_SCHEMA, REPEATABLE):
        return False
    return bool((yield Query(question)))


def digest(step: Script) -> Generator[Effect, Any, str]:
    return str((yield Query(step.digest))[0][0])
