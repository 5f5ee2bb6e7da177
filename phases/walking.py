"""Walk a table from one end of a stretch to the other, in small transactions; what others hold is left for the end."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from phases.computing import batch
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.effects import Cursor, Pause, Performance, Progress, Query
from phases.errors import Held
from phases.isolation import Start, halved, isolate
from phases.model import Fill
from phases.pacing import Servo

SMALLEST_BATCH = 100
LONGEST_PAUSE = 5.0
SHRINKS = 8
"""Times smaller than its target a batch may be at the end of a stretch: each has a cost of its own."""
DENSE = 2 / 3
"""Rows for each key of a span from which on the next one is taken for as full."""
MOST_DEFERRED = 100
"""Spans of a walk by key that are left for later at a time: each is in the cursor, which every batch saves."""


EARLIER_STRIPES = 8
"""Passes of a walk whose cursor does not say how many: who began it knew no other number."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """Knobs of a backfill.

    Args:
        target_seconds: how long one transaction should take.
        stripes: passes over each window of pages; a power of two.
        first_window, smallest_window, largest_window: heap pages; of the first two a walk with fewer passes
            takes as much less, so that its transactions are no longer.
        first_rows, largest_rows: rows of a batch, where the walk is by key.
        computed_rows: the most of them that a function computes at a time: their values are one statement.
        patience_seconds: how long to come back to rows that another session holds, without any progress.
        set_aside_limit: rows that may fail before the step stops.
        workers: sessions that walk one table at a time, at most.
        few_pages, few_rows: what is left of a walk that is not worth several workers.
        stretch_batches: batches of a stretch, what a worker takes at a time where the walk is by key.
    """

    target_seconds: float = 0.1
    stripes: int = 16
    first_window: int = 120
    smallest_window: int = 16
    largest_window: int = 4096
    first_rows: int = 1000
    largest_rows: int = 20_000
    computed_rows: int = 5000
    patience_seconds: float = 300.0
    set_aside_limit: int = 100
    workers: int = 1
    few_pages: int = 64
    few_rows: int = 5000
    stretch_batches: int = 10

    def pages(self, window: int, stripes: int) -> int:
        """Heap pages of a window that is walked in `stripes` passes."""
        return max(1, window * stripes // self.stripes)


@dataclass
class Patience:
    """Ever longer pauses, until they are too long in all."""

    step: Fill
    pacing: Pacing
    wait: float = 0.2
    waited: float = 0.0

    def pause(self, batches: int) -> Pause:
        if self.waited >= self.pacing.patience_seconds:
            raise Held(self.step.table, batches)
        wait, self.wait = self.wait, min(self.wait * 1.5, LONGEST_PAUSE)
        self.waited += wait
        return Pause(wait, f"another session holds rows of {batches} {'batch' if batches == 1 else 'batches'}")


def walk_all(walk: PageWalk | KeyWalk, state: dict[str, Any], pacing: Pacing, start: Start) -> Performance:
    """Walk from where a cursor stands to its end, and come back to what other sessions held."""
    yield from begin(walk, state, pacing)
    yield from walk_on(walk, state, Servo(pacing.target_seconds), pacing, start)
    yield from revisit(walk, state, pacing, start)


def stripes_of(cursor: Cursor | None, pacing: Pacing) -> int:
    """Passes over each window: those a walk has begun with, which its cursor counts, or as many as are best."""
    begun = cursor if cursor and "page" in cursor else {"stripes": pacing.stripes}
    return int(begun.get("stripes", EARLIER_STRIPES))


def begin(walk: PageWalk | KeyWalk, state: dict[str, Any], pacing: Pacing) -> Performance:
    """Fix the end of a walk that has none yet."""
    state.setdefault("rows", 0)
    if isinstance(walk, PageWalk) and "end" not in state:
        state |= {"page": 0, "stripe": 0, "end": int((yield Query(walk.end()))[0][0]), "deferred": []}
        state["stripes"] = walk.stripes
        state["window"] = pacing.pages(pacing.first_window, walk.stripes)
    elif isinstance(walk, KeyWalk) and "last" not in state:
        found = yield Query(walk.end())
        state |= {"after": [], "last": list(found[0]) if found else None, "size": pacing.first_rows}
        state |= {"passed": 0, "total": int((yield Query(walk.estimate()))[0][0])}
    state.setdefault("broken", [])
    state.setdefault("deferred", [])


def walk_on(walk: PageWalk | KeyWalk, state: dict[str, Any], servo: Servo, pacing: Pacing, start: Start) -> Performance:
    """Walk to the end; what another session holds is left for later."""
    yield from isolate(walk, state, start, pacing.set_aside_limit)
    if isinstance(walk, PageWalk):
        yield from walk_pages(walk, state, servo, pacing, start)
    else:
        yield from walk_keys(walk, state, servo, pacing, start)


def walk_pages(walk: PageWalk, state: dict[str, Any], servo: Servo, pacing: Pacing, start: Start) -> Performance:
    """Walk window after window."""
    smallest = pacing.pages(pacing.smallest_window, walk.stripes)
    while state["page"] < state["end"]:
        if not (state["stripe"] or state.get("part")):
            # What is left may be too little for so many batches of that size: then each is smaller, for this window.
            fits = -((state["page"] - state["end"]) // state.get("room", 1))
            state["wanted"] = state.get("wanted", state["window"])
            state["window"] = min(state["wanted"], max(smallest, state["wanted"] // SHRINKS, fits))
        last = window_end(state)
        yield from walk_window(walk, state, servo, pacing, start)
        state |= {"page": last, "stripe": 0, "room": servo.room}
        wanted = servo.size(state.get("wanted", state["window"]), smallest, pacing.largest_window)
        state |= {"window": wanted, "wanted": wanted}


def window_end(state: Mapping[str, Any]) -> int:
    """The page behind a window: `room` transactions of `window` pages make up a pass over it."""
    return int(min(state["page"] + state["window"] * state.get("room", 1), state["end"]))


def walk_window(
    walk: PageWalk, state: dict[str, Any], servo: Servo, pacing: Pacing, start: Start
) -> Generator[Any, Any, None]:
    """All stripes of one window that are still to do."""
    first, last, size = state["page"], window_end(state), state["window"]
    while state["stripe"] < walk.stripes:
        stripe, page = state["stripe"], first + state.get("part", 0) * size
        upto = min(page + size, last)
        span = [page, upto, stripe]
        behind = (
            {"stripe": stripe, "part": state.get("part", 0) + 1} if upto < last else {"stripe": stripe + 1, "part": 0}
        )
        done = yield from batch(walk, span, {**state, **behind})
        if done.blocked:
            state["deferred"] = [*state["deferred"], span]
        state |= behind
        state["rows"] += done.rows
        if done.failure is not None:
            state["broken"] = yield from halved(walk, span)
            yield from isolate(walk, state, start, pacing.set_aside_limit)
        if not done.blocked:
            servo.learn(upto - page, done.seconds, done.rows, done.most_rows)
            servo.room = done.room or servo.room
        reached = first + ((last - first) * stripe + upto - first) // walk.stripes + state.get("before", 0)
        yield Progress(reached, state["end"], "pages", state["rows"], f"window {last - first} pages")


def revisit(walk: PageWalk | KeyWalk, state: dict[str, Any], pacing: Pacing, start: Start) -> Performance:
    """Come back to what other sessions held, until it is done."""
    patience, stuck = start(), 0
    while state["deferred"]:
        span, *rest = state["deferred"]
        after = {**state, "deferred": rest}
        done = yield from batch(walk, span, after)
        if done.blocked:
            parts = yield from parted(walk, span, len(rest))
            state["deferred"] = [*rest, *parts]
            stuck = stuck + 1 if parts == [span] else 0
            if stuck >= len(state["deferred"]):  # all of them were tried in vain
                yield patience.pause(len(state["deferred"]))
                stuck = 0
            continue
        state |= after
        state["rows"] += done.rows
        if done.failure is not None:
            state["broken"] = (yield from halved(walk, span)) or [span]
            yield from isolate(walk, state, start, pacing.set_aside_limit)
        patience, stuck = start(), 0
        yield coming_back(state)


def coming_back(state: Mapping[str, Any]) -> Progress:
    """How far a walk is that has come to its end, but for what others held."""
    note = f"{len(state['deferred'])} of its batches met rows that others hold" if state["deferred"] else ""
    if "page" in state:
        return Progress(state["page"] + state.get("before", 0), state["end"], "pages", state["rows"], note)
    return Progress(state.get("passed", 0), state.get("passed", 0), "rows", state["rows"], note)


def parted(walk: PageWalk | KeyWalk, span: Any, others: int) -> Generator[Any, Any, list[Any]]:
    """What is left of a span that another session holds a row of: for a walk by key its halves, while they are few.

    So a row that is held for long keeps no others waiting but those of its last, smallest span.
    """
    if isinstance(walk, PageWalk) or others >= MOST_DEFERRED or span[0] == span[1]:
        return [span]
    return (yield from halved(walk, span)) or [[span[1], span[1]]]


def walk_keys(walk: KeyWalk, state: dict[str, Any], servo: Servo, pacing: Pacing, start: Start) -> Performance:
    """Walk the key in its order."""
    patience = start()
    while state["last"] is not None and state["after"] != state["last"]:
        upto, found = yield from batch_end(walk, state)
        span, leapt = [state["after"], upto], found is None
        done = yield from batch(walk, span, {**state, "after": upto})
        if done.blocked and len(state["deferred"]) >= MOST_DEFERRED:
            yield patience.pause(len(state["deferred"]))
            continue
        if done.blocked:
            state["deferred"] = [*state["deferred"], span]
        patience = start()
        state |= {"after": upto, "dense": is_dense(walk, span, done.rows)}
        state["rows"] += done.rows
        if done.failure is not None:
            state["broken"] = [span]
            yield from isolate(walk, state, start, pacing.set_aside_limit)
        state["passed"] = state.get("passed", 0) + (done.rows if leapt else passed(state, bool(found), done.rows))
        if not done.blocked:
            servo.learn(state["size"], done.seconds, done.rows, done.most_rows)
            largest = pacing.computed_rows if walk.step.function else pacing.largest_rows
            state["size"] = servo.size(state["size"], SMALLEST_BATCH, largest)
        yield Progress(state["passed"], most(state, more=leapt or bool(found)), "rows", state["rows"])


def batch_end(walk: KeyWalk, state: Mapping[str, Any]) -> Generator[Any, Any, tuple[list[str], bool | None]]:
    """The key at which the next batch ends, and whether rows are behind it.

    Where keys are numbers and the batch before had a row for most of them, the end is as many keys away as the batch
    may have rows, and nobody is asked: to find it, the server reads all of them once more (None).
    """
    first, last = walk.whole(state["after"]), walk.whole(state["last"])
    if state.get("dense") and first is not None and last is not None and first + state["size"] < last:
        return [str(first + state["size"])], None
    found = yield Query(walk.next(state["after"], state["last"], state["size"]), ahead=True)
    return (list(found[0]) if found else state["last"]), bool(found)


def is_dense(walk: KeyWalk, span: Sequence[Sequence[str]], rows: int) -> bool:
    """Whether a batch changed a row for most of the keys of its span."""
    first, last = map(walk.whole, span)
    return first is not None and last is not None and rows >= DENSE * (last - first) > 0


def passed(state: Mapping[str, Any], found: bool, changed: int) -> int:
    """Rows of a batch along the key, whether it had to change them or not.

    Args:
        found: there is a row behind it, so it is a full one; of the last one it is not known.
    """
    size, before = int(state["size"]), int(state.get("passed", 0))
    if found:
        return size
    # Of a stretch it is known how many rows it had; of the whole table, about how many.
    left = int(state["stretch"]) - before if "stretch" in state else int(state.get("total", 0)) - before
    return min(size, max(changed, left))


def most(state: Mapping[str, Any], *, more: bool) -> int:
    """Rows that a walk along the key passes in all: as many as the table has by its statistics, once it is over
    as many as there were."""
    done = int(state["passed"])
    return max(int(state.get("total", 0)), done + int(state["size"])) if more else done
