"""What looks at a server have found: sessions by their names, statements by how often they were run.

Records say what should be live, looks what is. A look finds what is there at that moment, so looks are kept as
stretches without a gap, and counters as what has grown from one look to the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

GAP = timedelta(minutes=15)
"""Between two looks at sessions, so that nobody is taken to have come and gone."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Sessions of one name and role, all of them together.

    Args:
        name: what they call themselves, without the instance behind `#`; empty where they do not say.
        role: the user of the database.
        source: where they were seen: `server`, or a replica or pooler.
        looks: how many looks have found one.
    """

    name: str
    role: str
    source: str
    first_seen: datetime
    last_seen: datetime
    looks: int = 1


@dataclass(frozen=True, slots=True)
class Stretch:
    """A time in which somebody has looked at a source, without a gap."""

    source: str
    since: datetime
    until: datetime
    looks: int = 1


@dataclass(frozen=True, slots=True)
class Counted:
    """A statement as a server counts it.

    Args:
        key: what the server tells it from others by.
        text: without its values.
        role: who runs it; empty where the server does not say.
        calls: how often it was run since the server counts it.
        since: since when the server counts it; None where it does not say.
        last: when it was last run; None where the server does not say.
    """

    key: str
    text: str
    role: str
    calls: int
    since: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Use:
    """A statement that uses something, as it was at the last look.

    Args:
        manner: how it uses it, in words.
        after, at: it was run between these two moments, `at` at the latest. None: not since the first look.
    """

    key: str
    text: str
    role: str
    manner: str
    calls: int
    after: datetime | None = None
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counters:
    """What a server says of its counters.

    Args:
        reset: when they began; None where it does not say.
        lost: how many statements it had no room for.
    """

    reset: datetime | None = None
    lost: int = 0


@dataclass(frozen=True, slots=True)
class Coverage:
    """Since when it is known of all statements whether they were run, and what the counters were at the last look."""

    since: datetime
    looked_at: datetime
    counters: Counters = Counters()
    looks: int = 1


@dataclass(frozen=True, slots=True)
class Statements:
    """What is known of the statements that use one thing on one source."""

    coverage: Coverage | None = None
    uses: Mapping[str, Use] = field(default_factory=dict)


def seen_again(known: Stretch | None, now: datetime, source: str) -> Stretch:
    """The stretch that a look at `now` belongs to: the known one, unless the gap is too long."""
    if known is None or now - known.until > GAP:
        return Stretch(source, now, now)
    return replace(known, until=max(now, known.until), looks=known.looks + 1)


def unwatched(stretches: Sequence[Stretch], since: datetime, now: datetime) -> timedelta:
    """The longest time from `since` to `now` in which nobody has looked at one source."""
    longest, at = timedelta(0), since
    for stretch in sorted(stretches, key=lambda item: item.since):
        if stretch.until <= since:
            continue
        longest = max(longest, stretch.since - at)
        at = max(at, stretch.until)
    return max(longest, now - at)


def counted_again(
    known: Statements, found: Sequence[tuple[Counted, str]], counters: Counters, now: datetime
) -> Statements:
    """What is known after one more look at the counters.

    Args:
        found: the statements that use the thing, and how.
    """
    before = known.coverage
    # What is gone from the counters keeps the moment of its last use.
    uses = {key: replace(use, calls=0) for key, use in known.uses.items()}
    for counted, manner in found:
        uses[counted.key] = one_more(known.uses.get(counted.key), counted, manner, before, now)
    return Statements(covered(known, {counted.key: counted for counted, _ in found}, counters, now), uses)


def one_more(known: Use | None, counted: Counted, manner: str, before: Coverage | None, now: datetime) -> Use:
    use = Use(counted.key, counted.text, counted.role, manner, counted.calls)
    if counted.last is not None:
        # MariaDB cuts the moment off at the second: it was run before the next one.
        whole = timedelta(0) if counted.last.microsecond else timedelta(seconds=1)
        return replace(use, after=counted.last, at=min(max(now, counted.last), counted.last + whole))
    if known is not None and counted.calls == known.calls:
        return replace(use, after=known.after, at=known.at)
    if before is None:
        return use  # it was run some time before the first look
    since = before.looked_at if counted.since is None else max(before.looked_at, counted.since)
    return replace(use, after=since, at=now)


def covered(known: Statements, found: Mapping[str, Counted], counters: Counters, now: datetime) -> Coverage:
    """Since when nothing can have been missed: counters that began anew, or lost statements, have forgotten."""
    exact = all(counted.last is not None for counted in found.values()) and counters.reset is not None
    before = known.coverage
    if before is None:
        since = counters.reset if exact and counters.reset and not counters.lost else now
        return Coverage(since, now, counters)
    since = before.since
    if counters.reset is not None and counters.reset > before.looked_at:
        since = counters.reset
    elif counters.lost > before.counters.lost or forgotten(known, found):
        since = now
    return Coverage(since, now, counters, before.looks + 1)


def forgotten(known: Statements, found: Mapping[str, Counted]) -> bool:
    """Whether a statement is gone, or was run less often than before."""
    return any(use.calls and (key not in found or found[key].calls < use.calls) for key, use in known.uses.items())
