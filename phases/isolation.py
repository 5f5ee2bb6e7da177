"""Rows that fail are found by halving, set aside with their key, and tried again later.

One row whose values the server refuses must not keep the rows around it from
being changed. A set-aside row is recorded in the transaction that saves the
cursor behind it, and its record goes in the transaction that changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Any

from phases.computing import again, batch
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.effects import Effect, ListAside, Performance, Query, RowAside, SetAside
from phases.errors import Unchanged

if TYPE_CHECKING:
    from phases.walking import Patience

Span = list[Any]
"""A part of a walk, as its cursor holds it."""
Start = Callable[[], "Patience"]


def isolate(walk: PageWalk | KeyWalk, state: dict[str, Any], start: Start, limit: int) -> Performance:
    """Work off `state["broken"]`: halve what fails until single rows are left, and set those aside.

    Args:
        start: begins to count how long other sessions hold rows.
        limit: rows that may be set aside before the step stops.

    Raises:
        Unchanged: more rows than that fail.
        Held: another session holds rows for too long.
    """
    patience = start()
    while state["broken"]:
        span, *rest = state["broken"]
        after = {**state, "broken": rest}
        done = yield from batch(walk, span, after)
        if done.blocked:
            state["broken"] = [*rest, span]
            yield patience.pause(len(state["broken"]))
            continue
        patience = start()
        if done.failure is None:
            state |= after
            state["rows"] += done.rows
        elif halves := (yield from halved(walk, span)):
            state["broken"] = [*halves, *rest]
        else:
            after["aside"] = True
            count = yield SetAside(walk.row(span), after, done.failure)
            state |= after
            if count > limit:
                raise Unchanged(walk.step.table, tuple((yield ListAside())), limit)


def halved(walk: PageWalk | KeyWalk, span: Span) -> Generator[Effect, Any, list[Span]]:
    """Two spans that make up one; none where it is a single row."""
    if isinstance(walk, PageWalk):
        return walk.halves(span)
    if span[0] == span[1]:
        return []
    found = yield Query(walk.middle(span))
    if not found:
        return []
    middle = list(found[0])
    return [[span[0], middle], [middle, span[1]]]


def retry(
    walk: PageWalk | KeyWalk, state: dict[str, Any], start: Start
) -> Generator[Effect, Any, tuple[RowAside, ...]]:
    """Try the rows set aside once more, as long as that settles some; returns those that fail still.

    More than once, because a row may fail for a value that another one gives up.
    """
    while rows := tuple((yield ListAside())):
        settled = 0
        for row in rows:
            settled += yield from tried_again(walk, state, row, start())
        if not settled:
            return rows
    return ()


def tried_again(
    walk: PageWalk | KeyWalk, state: dict[str, Any], row: RowAside, patience: Patience
) -> Generator[Effect, Any, bool]:
    """Whether a row is settled: changed, or changed by somebody else, or gone."""
    while True:
        done = yield from again(walk, row.key, dict(state))
        if not done.blocked:
            break
        yield patience.pause(1)
    state["rows"] += done.rows
    if done.failure is not None and done.failure != row.failure:
        yield SetAside(walk.named(row.key), dict(state), done.failure)
    return done.failure is None
