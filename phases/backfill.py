"""Backfill: every row brought to the target shape, in small transactions.

A walk is complete after one pass because whoever writes to a row meanwhile goes
through the triggers, which fill it. Its end is therefore fixed when it begins:
chasing a table that grows never ends.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

from phases.catalog import Server
from phases.computing import batch
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.dialects.walks import walk_for
from phases.effects import Commit, Cursor, Pause, Performance, Progress, Query, RowAside
from phases.endless import refuse_endless
from phases.errors import Held, Refused, Unchanged
from phases.isolation import Start, halved, isolate, retry
from phases.model import Fill
from phases.pacing import Servo

SMALLEST_BATCH = 100
LONGEST_PAUSE = 5.0
MOST_WALKS = 20
MOST_DEFERRED = 100
"""Spans of a walk by key that are left for later at a time: each is in the cursor, which every batch saves."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """Knobs of a backfill.

    Args:
        target_seconds: how long one transaction should take.
        stripes: passes over each window of pages; a power of two.
        first_window, smallest_window, largest_window: heap pages; of the first two a walk with fewer passes
            takes as much less, so that its transactions are no longer.
        first_rows, largest_rows: rows of a batch, where the walk is by key.
        patience_seconds: how long to come back to rows that another session holds, without any progress.
        set_aside_limit: rows that may fail before the step stops.
    """

    target_seconds: float = 0.1
    stripes: int = 8
    first_window: int = 120
    smallest_window: int = 16
    largest_window: int = 4096
    first_rows: int = 1000
    largest_rows: int = 5000
    patience_seconds: float = 300.0
    set_aside_limit: int = 100

    def pages(self, window: int, stripes: int) -> int:
        """Heap pages of a window that is walked in `stripes` passes."""
        return max(1, window * stripes // self.stripes)


def perform_fill(step: Fill, cursor: Cursor | None, server: Server, pacing: Pacing) -> Performance:
    """Carry out a backfill from where its cursor stands, first of all with what earlier runs have set aside.

    Raises:
        Refused: rows match again after every walk, so the backfill would never end.
        Held: another session holds rows for too long.
        Unchanged: the walk is over but for some rows, or too many fail.
    """
    walk = walk_for(step, server, pacing.stripes)
    state: dict[str, Any] = dict(cursor or {})

    def start() -> Patience:
        return Patience(step, pacing)

    if state.get("aside"):
        refuse_many(step, (yield from retry(walk, state, start)), pacing.set_aside_limit)
    walks, patience = 0, start()
    while walks < MOST_WALKS:
        before = state.get("rows", 0)
        if isinstance(walk, PageWalk):
            yield from walk_pages(walk, state, pacing, start)
        else:
            yield from walk_keys(walk, state, pacing, start)
        aside = bool(state.get("aside"))
        if aside and (failing := (yield from retry(walk, state, start))):
            raise Unchanged(step.table, failing)
        # A row that was set aside may have moved, or been given another key, before it was tried again.
        if not (step.repeat or aside) or not (yield Query(walk.left()))[0][0]:
            yield Commit(finishes=True)
            return
        yield from refuse_endless(walk, state)
        if walk.step.copy and state["rows"] == before:
            yield patience.pause(1)  # what is left is held by somebody
        else:
            walks, patience = walks + 1, start()
        state = {"rows": state.get("rows", 0), "aside": aside}
    raise Refused(
        f'rows of "{step.table}" still match after {MOST_WALKS} walks: writers bring new ones all the time',
        remedy="release the version that writes the new values first, then run the same command again",
    )


def refuse_many(step: Fill, failing: tuple[RowAside, ...], limit: int) -> None:
    if len(failing) > limit:
        raise Unchanged(step.table, failing, limit)


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


def walk_pages(walk: PageWalk, state: dict[str, Any], pacing: Pacing, start: Start) -> Performance:
    """Walk the windows; what another session holds is left for the end."""
    if "end" not in state:
        state |= {"page": 0, "stripe": 0, "end": int((yield Query(walk.end()))[0][0]), "deferred": []}
        state["window"] = pacing.pages(pacing.first_window, walk.stripes)
        state.setdefault("rows", 0)
    state.setdefault("broken", [])
    smallest, servo = pacing.pages(pacing.smallest_window, walk.stripes), Servo(pacing.target_seconds)
    yield from isolate(walk, state, start, pacing.set_aside_limit)
    while state["page"] < state["end"]:
        yield from walk_window(walk, state, servo, pacing, start)
        state["page"] = min(state["page"] + state["window"], state["end"])
        state["stripe"] = 0
        state["window"] = servo.size(state["window"], smallest, pacing.largest_window)
    yield from revisit(walk, state, pacing, start)


def walk_window(
    walk: PageWalk, state: dict[str, Any], servo: Servo, pacing: Pacing, start: Start
) -> Generator[Any, Any, None]:
    """All stripes of one window that are still to do."""
    first = state["page"]
    last = min(first + state["window"], state["end"])
    while state["stripe"] < walk.stripes:
        stripe = state["stripe"]
        span = [first, last, stripe]
        done = yield from batch(walk, span, {**state, "stripe": stripe + 1})
        if done.blocked:
            state["deferred"] = [*state["deferred"], span]
        state["stripe"] = stripe + 1
        state["rows"] += done.rows
        if done.failure is not None:
            state["broken"] = yield from halved(walk, span)
            yield from isolate(walk, state, start, pacing.set_aside_limit)
        if not done.blocked:
            servo.learn(last - first, done.seconds, done.rows, done.most_rows)
        reached = first + (last - first) * (stripe + 1) // walk.stripes
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


def parted(walk: PageWalk | KeyWalk, span: Any, others: int) -> Generator[Any, Any, list[Any]]:
    """What is left of a span that another session holds a row of: for a walk by key its halves, while they are few.

    So a row that is held for long keeps no others waiting but those of its last, smallest span.
    """
    if isinstance(walk, PageWalk) or others >= MOST_DEFERRED or span[0] == span[1]:
        return [span]
    return (yield from halved(walk, span)) or [[span[1], span[1]]]


def walk_keys(walk: KeyWalk, state: dict[str, Any], pacing: Pacing, start: Start) -> Performance:
    """Walk the key in its order; what another session holds is left for the end."""
    if "last" not in state:
        found = yield Query(walk.end())
        state |= {"after": [], "last": list(found[0]) if found else None, "size": pacing.first_rows}
        state.setdefault("rows", 0)
        state["batches"] = 0
    state.setdefault("broken", [])
    state.setdefault("deferred", [])
    yield from isolate(walk, state, start, pacing.set_aside_limit)
    patience, servo = start(), Servo(pacing.target_seconds)
    while state["last"] is not None and state["after"] != state["last"]:
        found = yield Query(walk.next(state["after"], state["last"], state["size"]))
        upto = list(found[0]) if found else state["last"]
        span = [state["after"], upto]
        done = yield from batch(walk, span, {**state, "after": upto})
        if done.blocked and len(state["deferred"]) >= MOST_DEFERRED:
            yield patience.pause(len(state["deferred"]))
            continue
        if done.blocked:
            state["deferred"] = [*state["deferred"], span]
        patience = start()
        state["after"] = upto
        state["rows"] += done.rows
        if done.failure is not None:
            state["broken"] = [span]
            yield from isolate(walk, state, start, pacing.set_aside_limit)
        state["batches"] += 1
        if not done.blocked:
            servo.learn(state["size"], done.seconds, done.rows, done.most_rows)
            state["size"] = servo.size(state["size"], SMALLEST_BATCH, pacing.largest_rows)
        yield Progress(state["batches"], state["batches"] + bool(found), "batches", state["rows"])
    yield from revisit(walk, state, pacing, start)
