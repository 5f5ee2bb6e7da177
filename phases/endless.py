"""A backfill whose rows match its condition again as soon as they are done would walk the table over and over."""

from __future__ import annotations

from typing import Any

from phases.computing import again
from phases.dialects.postgresql_backfill import KeyWalk, PageWalk
from phases.effects import Performance, Query
from phases.errors import Refused

TRIES = 3
"""A row that matches after each of so many changes is not one that writers happen to have changed back."""


def refuse_endless(walk: PageWalk | KeyWalk, state: dict[str, Any]) -> Performance:
    """Change one of the rows that are left after a walk, a few times, and see whether that is ever the end of it.

    A row without a key cannot be found again once it was changed, so there the number of walks is the only limit.

    Raises:
        Refused: the row still matches.
    """
    found = (yield Query(walk.one_left())) if walk.step.repeat and walk.step.key and not walk.step.copy else []
    if not found:
        return
    key = tuple(found[0])
    for _ in range(TRIES):
        done = yield from again(walk, key, dict(state))
        if done.blocked or done.failure is not None or not (yield Query(walk.still_left(key))):
            return
        state["rows"] += done.rows
    raise Refused(
        f'row {", ".join(key)} of "{walk.step.table}" is still to do after it was done {TRIES} times',
        remedy="where= has to be false for a row once it is done: leave out rows that get NULL or keep their value,"
        ' as in where="column IS NULL AND source IS NOT NULL"; abort the revision, mend it, and apply it again',
    )
