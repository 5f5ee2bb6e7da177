"""Flags that rollouts have moved: who can select which variant, for the gate, for aborts, and for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from migrator.deployments import lived
from migrator.ledger import rollouts, schema
from phases.flags import Selecting, reading

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from phases.gate_facts import Reading


@dataclass(frozen=True, slots=True)
class Moved:
    """A flag as a rollout has set it last.

    Args:
        shares: percent of the users by variant; empty where it was not set yet.
        since: when it was.
    """

    flag: str
    revision: str
    application: str
    environment: str
    version: str
    toggle: Mapping[str, Any]
    shares: Mapping[str, float]
    since: datetime | None


def moved(connection: Connection) -> list[Moved]:
    """What every rollout of a flag has set last, oldest first; one that was refused has set nothing."""
    if (schema.installed(connection) or 0) < rollouts.SINCE:
        return []
    found = []
    for record in rollouts.all_rollouts(connection):
        toggle = record.plan["plan"].get("toggle")
        if toggle and record.status != "refused":
            shares, since = set_last(rollouts.taken(connection, record.id))
            names = (record.application, record.environment, record.version)
            found.append(Moved(toggle["flag"], toggle["revision"], *names, toggle, shares, since))
    return found


def set_last(actions: list[rollouts.ActionRecord]) -> tuple[Mapping[str, float], datetime | None]:
    """The shares that the newest of some actions has set, and when; an action under way may have set them."""
    for action in reversed(actions):
        if action.action["kind"] == "Flag":
            return action.action["shares"], action.finished_at or action.started_at
    return {}, None


def selecting(connection: Connection, revision: str) -> list[Selecting]:
    """The versions in which a flag of a revision was moved, so that they can select each of its variants."""
    known = [each for each in moved(connection) if each.revision == revision]
    if not known:
        return []
    newest = {(each.flag, each.application, each.environment): each.shares for each in known}
    times = lived(connection)
    found = {}
    for each in known:
        where = (each.application, each.environment, each.version)
        ends = [
            time.until for record, time in times if (record.application, record.environment, record.version) == where
        ]
        over = [end for end in ends if end is not None]
        alive = len(over) < len(ends)
        shares = newest[each.flag, each.application, each.environment]
        until = None if alive else max(over, default=each.since)
        found[each.flag, *where] = Selecting(each.flag, *where, shares, alive, until)
    return list(found.values())


def flag_readings(connection: Connection, revision: str) -> tuple[Reading, ...]:
    """What the gate makes of the flags of a revision; nothing where it has none."""
    found = reading(selecting(connection, revision))
    return (found,) if found is not None else ()


def on_new_shape(connection: Connection, revision: str) -> list[Moved]:
    """Flags by which users of a version that is live have a variant that needs the new shape of a revision."""
    live = {(each.flag, each.application, each.environment) for each in selecting(connection, revision) if each.live}
    newest = {(each.flag, each.application, each.environment): each for each in moved(connection)}
    return [
        each
        for key, each in newest.items()
        if key in live and any(each.shares.get(each.toggle[kind]) for kind in ("dual", "new"))
    ]
