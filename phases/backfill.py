"""Backfill: every row brought to the target shape, in small transactions.

A walk is complete after one pass because whoever writes to a row meanwhile goes
through the triggers, which fill it. Its end is therefore fixed when it begins:
chasing a table that grows never ends.
"""

from __future__ import annotations

from typing import Any

from phases.catalog import Server
from phases.dialects.walks import walk_for
from phases.effects import Commit, Cursor, ListAside, Performance, Query, RowAside
from phases.endless import refuse_endless
from phases.errors import Refused, Unchanged
from phases.isolation import retry
from phases.model import Fill
from phases.sharing import divide, gather, is_shared
from phases.walking import Pacing as Pacing
from phases.walking import Patience, stripes_of, walk_all

MOST_WALKS = 20


def perform_fill(step: Fill, cursor: Cursor | None, server: Server, pacing: Pacing) -> Performance:
    """Carry out a backfill from where its cursor stands, first of all with what earlier runs have set aside.

    Raises:
        Refused: rows match again after every walk, so the backfill would never end.
        Held: another session holds rows for too long.
        Unchanged: the walk is over but for some rows, or too many fail.
    """
    walk = walk_for(step, server, stripes_of(cursor, pacing))
    state: dict[str, Any] = dict(cursor or {})

    def start() -> Patience:
        return Patience(step, pacing)

    if is_shared(state):  # its workers know of rows set aside what it does not
        state["aside"] = bool((yield ListAside()))
    if state.get("aside"):
        refuse_many(step, (yield from retry(walk, state, start)), pacing.set_aside_limit)
    walks, patience = 0, start()
    while walks < MOST_WALKS:
        before = state.get("rows", 0)
        yield from divide(walk, state, pacing)
        yield from gather(walk, state)
        yield from walk_all(walk, state, pacing, start)
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
