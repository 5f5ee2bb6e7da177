"""A batch of a backfill, whether SQL makes its values or a function of the user's.

A function is called while no transaction is open, for it may ask somebody far away. So what it was given is
compared when its answer is written: a row that somebody has changed meanwhile is left as it is, and the next
walk finds it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.effects import Batch, Batched, Compute, Effect, Failure, Key, Query

NOTHING = "SELECT 1"
"""In place of a statement where no row is to be changed, and the cursor is to be saved."""
Work = Generator[Effect, Any, Batched]


def batch(walk: PageWalk | KeyWalk, span: Sequence[Any], cursor: Mapping[str, Any]) -> Work:
    """Change the rows of a span."""
    shortcut = walk.shortcut(span)
    if shortcut is not None and not (yield Query(shortcut[0], ahead=True)):
        short: Batched = yield Batch(shortcut[1], cursor)
        # A writer may have come between the question and the shortcut: the longer way looks at each row.
        if short.failure is None:
            return short
    if not walk.step.function:
        done: Batched = yield Batch(walk.batch(span), cursor, claim=walk.claim(span))
        return done
    return (yield from computed(walk, walk.given(span), walk.claim(span), cursor))


def again(walk: PageWalk | KeyWalk, key: Key, cursor: Mapping[str, Any]) -> Work:
    """Change one row that was set aside."""
    if not walk.step.function:
        done: Batched = yield Batch(walk.again(key), cursor, settles=key, claim=walk.claim_again(key))
        return done
    return (yield from computed(walk, walk.given_again(key), walk.claim_again(key), cursor, key))


def computed(
    walk: PageWalk | KeyWalk, question: str, claim: str, cursor: Mapping[str, Any], settles: Key | None = None
) -> Work:
    """Ask for rows, have their values computed, and write these where the rows are as they were."""
    step = walk.step
    rows: list[tuple[Any, ...]] = yield Query(question)
    if not rows:
        nothing: Batched = yield Batch(NOTHING, cursor, settles=settles)
        return nothing
    keys = len(step.key)
    names = tuple(unquoted(name) for name in (*walk.key_names, *step.reads))
    # A row is its key as text, then a digest of what is read, then the key and what is read as they are.
    values = yield Compute(names, tuple(row[keys + 1 :] for row in rows))
    if isinstance(values, Failure):
        return Batched(0, 0.0, failure=values)
    given = [(*row[: keys + 1], *made) for row, made in zip(rows, values, strict=True)]
    sql, parameters = walk.written(given)
    done: Batched = yield Batch(sql, cursor, settles=settles, claim=claim, parameters=parameters)
    return done


def unquoted(name: str) -> str:
    return name[1:-1].replace('""', '"')
