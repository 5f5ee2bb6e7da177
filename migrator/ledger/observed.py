"""What looks at sessions and statements have found, each kind of it in one row: no look leaves a row of its own."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from migrator.ledger import dialect, tables
from migrator.ledger.types import utc_now
from phases.observation import Counters, Coverage, Sighting, Statements, Stretch, Use

if TYPE_CHECKING:
    from sqlalchemy import Connection

SINCE = 5
"""Version of the ledger that has these tables first."""
SESSIONS = ""
"""In place of a thing that statements use: the look was at sessions."""
LONGEST = 2000
"""Characters of a statement that are kept."""

looks, seen, used = tables.looks, tables.sightings, tables.uses


def stretches(connection: Connection) -> list[Stretch]:
    """When somebody looked at sessions, source by source, oldest first."""
    columns = [looks.c[name] for name in ("source", "since", "until", "looks")]
    rows = connection.execute(select(*columns).where(looks.c.thing == SESSIONS).order_by(looks.c.since))
    return [Stretch(*row) for row in rows]


def keep_stretch(connection: Connection, stretch: Stretch) -> None:
    """Keep a stretch in the place of the one that it continues."""
    same = (looks.c.source == stretch.source, looks.c.thing == SESSIONS, looks.c.since == stretch.since)
    connection.execute(delete(looks).where(*same))
    values = {"source": stretch.source, "thing": SESSIONS, "since": stretch.since, "until": stretch.until}
    connection.execute(insert(looks), {**values, "looks": stretch.looks})


def sightings(connection: Connection) -> list[Sighting]:
    """Everybody who was seen, oldest first."""
    columns = [seen.c[name] for name in ("name", "role", "source", "first_seen", "last_seen", "looks")]
    return [Sighting(*row) for row in connection.execute(select(*columns).order_by(seen.c.first_seen, seen.c.name))]


def see(connection: Connection, source: str, found: Iterable[tuple[str, str]], now: datetime) -> None:
    """Record who is connected: names and roles."""
    known = {(s.name, s.role): s for s in sightings(connection) if s.source == source}
    for name, role in sorted(set(found)):
        before = known.get((name, role))
        same = (seen.c.source == source, seen.c.name == name, seen.c.role == role)
        connection.execute(delete(seen).where(*same))
        values = {"source": source, "name": name, "role": role, "last_seen": now}
        first, count = (before.first_seen, before.looks + 1) if before else (now, 1)
        connection.execute(insert(seen), {**values, "first_seen": first, "looks": count})


def heard(connection: Connection, source: str, name: str, seconds: float) -> None:
    """Record that somebody says of itself that it is there, unless another instance of it has said so just before.

    Done in a session of an application, which may add and change what is seen, and remove nothing.

    Args:
        seconds: after which it will say so again.
    """
    from sqlalchemy.exc import IntegrityError

    key = {"source": source, "name": name, "role": dialect.role(connection)}
    same = [seen.c[column] == value for column, value in key.items()]
    now = connection.execute(select(utc_now())).scalar_one()
    last = connection.execute(select(seen.c.last_seen).where(*same)).scalar()
    if last is None:
        # Of two that say so for the first time at once, one is enough.
        with suppress(IntegrityError), connection.begin_nested():
            connection.execute(insert(seen), {**key, "first_seen": now, "last_seen": now, "looks": 1})
    elif now - last > timedelta(seconds=seconds / 2):
        values = {"last_seen": now, "looks": seen.c.looks + 1}
        connection.execute(update(seen).where(*same, seen.c.last_seen == last).values(values))


def forget(connection: Connection, before: datetime) -> None:
    """Drop what was last seen before a moment."""
    connection.execute(delete(seen).where(seen.c.last_seen < before))
    connection.execute(delete(looks).where(looks.c.until < before, looks.c.thing == SESSIONS))


def statements(connection: Connection) -> Mapping[tuple[str, str], Statements]:
    """What is known of statements, by source and thing that they use."""
    kept: dict[tuple[str, str], dict[str, Use]] = defaultdict(dict)
    names = "source thing statement text role manner calls used_after used_at".split()
    for source, thing, key, *rest in connection.execute(select(*(used.c[name] for name in names))):
        kept[source, thing][key] = Use(key, *rest)
    columns = [looks.c[name] for name in ("source", "thing", "since", "until", "reset_at", "lost", "looks")]
    rows = connection.execute(select(*columns).where(looks.c.thing != SESSIONS))
    return {
        (source, thing): Statements(Coverage(since, until, Counters(reset, lost), count), kept[source, thing])
        for source, thing, since, until, reset, lost, count in rows
    }


def keep_statements(connection: Connection, source: str, thing: str, known: Statements) -> None:
    """Keep what is known in the place of what was."""
    same = (used.c.source == source, used.c.thing == thing)
    connection.execute(delete(used).where(*same))
    rows = [row_of(source, thing, use) for use in known.uses.values()]
    if rows:
        connection.execute(insert(used), rows)
    connection.execute(delete(looks).where(looks.c.source == source, looks.c.thing == thing))
    if known.coverage is not None:
        covered = known.coverage
        values = {"source": source, "thing": thing, "since": covered.since, "until": covered.looked_at}
        marks = {"looks": covered.looks, "reset_at": covered.counters.reset, "lost": covered.counters.lost}
        connection.execute(insert(looks), {**values, **marks})


def row_of(source: str, thing: str, use: Use) -> dict[str, object]:
    return {
        "source": source,
        "thing": thing,
        "statement": use.key,
        "text": use.text[:LONGEST],
        "role": use.role,
        "manner": use.manner,
        "calls": use.calls,
        "used_after": use.after,
        "used_at": use.at,
    }


def forget_things(connection: Connection, but: Sequence[str]) -> None:
    """Drop what is known of things that no revision under way takes away."""
    keeping = [SESSIONS, *but]
    connection.execute(delete(used).where(used.c.thing.not_in(keeping)))
    connection.execute(delete(looks).where(looks.c.thing.not_in(keeping)))
