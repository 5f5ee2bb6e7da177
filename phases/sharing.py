"""One walk for several workers: each takes the next stretch of the table, and has a cursor of its own.

What is not taken yet lies behind the frontier, which is in the cursor of the step. It moves in the transaction that
gives a stretch to a worker. So every page and every key is behind the frontier, or in the cursor of one worker, or
done: whoever is killed, and however many workers the next run has.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

from phases.catalog import Server
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.dialects.walks import walk_for
from phases.effects import Assign, Claim, Claimed, Cursor, Effect, Performance, Query, Spread
from phases.model import Fill
from phases.pacing import Servo
from phases.walking import Pacing, Patience, begin, revisit, stripes_of, walk_on, window_end

WINDOWS = 8
"""Largest windows of pages of the longest stretch."""
SMALLEST_STRETCH = 3
"""Part of a window that is worth a stretch of its own."""


def is_shared(state: Mapping[str, Any]) -> bool:
    """Whether a cursor is of a walk that workers have taken parts of."""
    return "frontier" in state


def divide(walk: PageWalk | KeyWalk, state: dict[str, Any], pacing: Pacing) -> Performance:
    """Give a walk to several workers, from where one alone has left it, if enough is left."""
    if is_shared(state) and isinstance(state["until"], int) is not isinstance(walk, PageWalk):
        del state["frontier"]  # the server is of another version by now, and walked in another way
    if pacing.workers < 2 or is_shared(state):
        return
    yield from begin(walk, state, pacing)
    if isinstance(walk, PageWalk):
        # Who has begun a window ends it.
        frontier = window_end(state) if state["stripe"] or state.get("part") else state["page"]
        share, until = {**state, "end": frontier, "before": -state["page"]}, state["end"]
        worth = until - frontier >= pacing.few_pages
    else:
        frontier, until = state["after"], state["last"]
        share, worth = {**state, "last": frontier}, until is not None and frontier != until
        worth = worth and bool((yield Query(walk.next(frontier, until, pacing.few_rows))))
    if not worth:
        return
    aside = bool(state.get("aside"))
    behind = state.get("page", state.get("passed", 0))
    step = {"frontier": frontier, "until": until, "rows": state["rows"], "aside": aside, "done": behind}
    if isinstance(walk, KeyWalk):
        step["total"] = share.pop("total", 0)  # a share has none
        share["passed"] = 0
    yield Assign(step, () if is_over(share) else ({**share, "rows": 0},))
    state.clear()
    state.update(step)


def gather(walk: PageWalk | KeyWalk, state: dict[str, Any]) -> Performance:
    """Let the workers walk, if there are any; the step stands at the end of its walk then."""
    if not is_shared(state):
        return
    shares = yield Spread()
    rows = state["rows"] + sum(share["rows"] for share in shares)
    until, aside = state["until"], state.get("aside") or any(share.get("aside") for share in shares)
    state.clear()
    state |= {"rows": rows, "aside": bool(aside), "broken": [], "deferred": []}
    if isinstance(walk, PageWalk):
        state |= {"page": until, "stripe": 0, "end": until, "window": 1}
    else:
        state |= {"after": until, "last": until, "size": 1, "passed": 0, "total": 0}
    yield Assign(dict(state))


def perform_share(
    step: Fill, cursor: Cursor | None, server: Server, pacing: Pacing
) -> Generator[Effect, Any, Mapping[str, Any]]:
    """What one worker does: stretch after stretch until none is left, then what others held of them.

    Returns:
        Where it stands at its end.

    Raises:
        Held: another session holds rows for too long.
        Unchanged: too many rows fail.
    """
    walk = walk_for(step, server, stripes_of(cursor, pacing))
    state: dict[str, Any] = {**fresh(walk, pacing), **(cursor or {})}
    servo = Servo(pacing.target_seconds)

    def start() -> Patience:
        return Patience(step, pacing)

    yield from walk_on(walk, state, servo, pacing, start)
    while (yield from claim(walk, state, pacing)):
        yield from walk_on(walk, state, servo, pacing, start)
    yield from revisit(walk, state, pacing, start)
    return state


def fresh(walk: PageWalk | KeyWalk, pacing: Pacing) -> dict[str, Any]:
    """The share of a worker that has taken nothing yet."""
    common: dict[str, Any] = {"rows": 0, "broken": [], "deferred": []}
    if isinstance(walk, PageWalk):
        window = pacing.pages(pacing.first_window, walk.stripes)
        return {**common, "page": 0, "stripe": 0, "stripes": walk.stripes, "end": 0, "window": window, "before": 0}
    return {**common, "after": [], "last": None, "size": pacing.first_rows, "passed": 0}


def is_over(share: Mapping[str, Any]) -> bool:
    """Whether a worker has done all that it took."""
    if share["broken"] or share["deferred"]:
        return False
    if "page" in share:
        # The last stripe of a window is saved before the window is left.
        return bool(share["page"] >= share["end"])
    return share["last"] is None or share["after"] == share["last"]


def done(share: Mapping[str, Any]) -> int:
    """Pages, or rows of a walk by key, that a worker has behind it."""
    return int(share["page"] + share["before"] if "page" in share else share.get("passed", 0))


def claim(walk: PageWalk | KeyWalk, state: dict[str, Any], pacing: Pacing) -> Generator[Effect, Any, bool]:
    """Take the next stretch; returns whether there was one."""
    given = yield Claim()
    if given is None:
        return False
    frontier, until = given["frontier"], given["until"]
    if frontier == until:
        yield Claimed()
        return False
    if isinstance(walk, PageWalk):
        upto = frontier + stretch(until - frontier, walk, pacing, state.get("wanted", 0))
        # `before` makes the number of a page the number of pages that this worker has done.
        state |= {"before": done(state) - frontier, "page": frontier, "stripe": 0, "part": 0, "end": upto}
    else:
        rows = state["size"] * pacing.stretch_batches
        found = yield Query(walk.next(frontier, until, rows))
        upto = list(found[0]) if found else until
        # `stretch`: rows that this worker has passed at the end of it; of the last one nobody knows.
        state |= {"after": frontier, "last": upto, "stretch": done(state) + (rows if found else 0)}
    yield Claimed({**given, "frontier": upto}, dict(state))
    return True


def stretch(left: int, walk: PageWalk, pacing: Pacing, window: int = 0) -> int:
    """Pages that a worker takes at a time: ever fewer, so that all come to their end together."""
    least = max(pacing.pages(pacing.first_window, walk.stripes), window // SMALLEST_STRETCH)
    return min(left, max(least, min(2 * left // (3 * pacing.workers), WINDOWS * pacing.largest_window)))
