"""Verification: every row compared, before anything may be contracted.

It walks chunks, each in a snapshot of its own, and says after each up to where rows are equal. A row that moves
between two chunks is not missed for good: whoever moved it went through the triggers.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from phases.catalog import Server
from phases.comparing import SAMPLE, Chunk, Chunks, chunks_for
from phases.effects import Commit, Cursor, Look, Looked, Mark, Performance, Progress, Query
from phases.errors import Mismatched
from phases.model import Verify
from phases.pacing import Servo


def perform_verify(step: Verify, cursor: Cursor | None, server: Server, target_seconds: float) -> Performance:
    """Compare all rows, from where the cursor stands.

    What differs in a chunk is looked at again, row by row and where it is written, before it counts. From the first
    difference on no position is kept: an interrupted run meets it again, as it is by then.

    Args:
        target_seconds: how long one look should take.

    Raises:
        Mismatched: some rows differ.
    """
    chunks, servo = chunks_for(step, server), Servo(target_seconds)
    state: dict[str, Any] = dict(cursor) if cursor else (yield from chunks.begin())
    wrong, sample = 0, tuple[str, ...]()
    while not chunks.over(state):
        chunk = yield from chunks.next(state)
        looked: Looked = yield Look(chunks.question(chunk))
        rows, differs, file = (int(number or 0) for number in looked.row)
        if file != state.setdefault("file", file):  # its rows were written anew, and lie elsewhere
            state, wrong, sample = (yield from chunks.begin()), 0, ()
            continue
        if differs:
            rows, found, named = yield from again(chunks, chunk)
            wrong, sample = wrong + found, (*sample, *named)[:SAMPLE]
        state = {**chunk.after, "file": file, "rows": state["rows"] + rows}
        servo.learn(chunks.units(chunk), looked.seconds, rows, looked.most_rows)
        state["size"] = servo.size(state["size"], chunks.least, chunks.most)
        if not wrong and not chunks.over(state):
            yield Mark(state)
        yield Progress(chunks.done(state), max(state["total"], chunks.done(state)), chunks.unit, state["rows"])
    if wrong:
        raise Mismatched(str(step.table), state["rows"], wrong, sample, step.fault, step.by_hand)
    yield Commit(finishes=True)


def again(chunks: Chunks, chunk: Chunk) -> Generator[Any, Any, tuple[int, int, tuple[str, ...]]]:
    """Rows, rows that differ, and keys of some, one by one and on the server that is written to."""
    rows, wrong, _ = (yield Query(chunks.exact(chunk)))[0]
    if not wrong:
        return int(rows), 0, ()
    found = yield Query(chunks.keys(chunk))
    return int(rows), int(wrong), tuple(", ".join(map(str, row)) for row in found)
