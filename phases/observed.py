"""What looks have found, as the gate takes it: in use at the last look, not in use, or not known."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from phases.gate_facts import Looked, Reading
from phases.observation import GAP, Sighting, Statements, Stretch, Use, unwatched
from phases.sessions import Builds, Session, sort_out

SERVER = "server"
"""The source that the gate asks itself who is connected."""
OLD_SESSIONS = "no old build seen by observe"
OLD_STATEMENTS = "no statement that names the old shape"
OTHER_STATEMENTS = "no statement that may use the old shape"
NAMED = ("writes", "reads")
"""Manners of statements that say by name what they use."""
SHOWN = 3
LONGEST = 120
LOOK = "migrator observe --every 1m, for as long as a contract waits"


@dataclass(frozen=True, slots=True)
class Counts:
    """What is known of the statements that use one thing on one source; `missing`: why nothing is, `remedy`: what
    lets it be."""

    source: str
    thing: str
    known: Statements = field(default_factory=Statements)
    missing: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of who was connected to one source."""

    source: str
    stretches: Sequence[Stretch] = ()
    sightings: Sequence[Sighting] = ()


def sessions_reading(
    watched: Sequence[Watched], builds: Builds, now: datetime, hours: float, tools: Sequence[str] = ()
) -> Reading:
    """Whether builds that use the old shape were seen, and when last.

    Args:
        watched: every source that has to be looked at.
        builds: by application and version, whether a build survives the contract.
        hours: how long none may have been seen.
        tools: names of sessions that are of no build.
    """
    begin = now - timedelta(hours=hours)
    sorted_ = [(source, *sorted_out(source.sightings, builds, tools)) for source in watched]
    old = [(source, sighting) for source, dirty, _ in sorted_ for sighting in dirty]
    strange = [sighting for *_, unknown in sorted_ for sighting in unknown if sighting.last_seen > begin]
    last = max((sighting.last_seen for _, sighting in old), default=None)
    there = [sighting for source, sighting in old if still_there(source, sighting, now)]
    recent = [sighting for _, sighting in old if sighting.last_seen > begin]
    gaps = [(source.source, unwatched(source.stretches, begin, now)) for source in watched]
    blind = [not_watched(source, gap, hours) for source, gap in gaps if gap > GAP]
    if strange:
        blind.append(f"nobody recorded whose these were: {'; '.join(map(described, strange[:SHOWN]))}{more(strange)}")
    said = f"seen: {'; '.join(map(described, recent[:SHOWN]))}{more(recent)}" if recent else ""
    if there:
        remedy = "stop those instances, or deploy a build that survives the contract; then: migrator observe"
        return Reading(OLD_SESSIONS, Looked.SEEN, "; ".join(filter(None, (said, *blind))), remedy, last)
    if blind:
        remedy = "; ".join([LOOK, *(["migrator consumer add --app NAME --owner WHO"] if strange else [])])
        return Reading(OLD_SESSIONS, Looked.UNSEEN, "; ".join(filter(None, (*blind, said))), remedy, last)
    looks = sum(stretch.looks for source in watched for stretch in source.stretches if stretch.until > begin)
    return Reading(OLD_SESSIONS, Looked.CLEAN, said or f"none in {looks} looks of the last {hours:g} hours", "", last)


def sorted_out(
    sightings: Iterable[Sighting], builds: Builds, tools: Sequence[str]
) -> tuple[list[Sighting], list[Sighting]]:
    """Those that say that they are of a build that does not survive, or was not recorded; and those of nobody."""
    by_name: dict[str, list[Sighting]] = defaultdict(list)
    for sighting in sightings:
        by_name[sighting.name].append(sighting)
    seen = sort_out([Session(0, name) for name in by_name], builds, tools)
    old = [sighting for session in (*seen.old, *seen.unrecorded) for sighting in by_name[session.name]]
    return old, [sighting for session in seen.unknown for sighting in by_name[session.name] if sighting.name]


def still_there(watched: Watched, sighting: Sighting, now: datetime) -> bool:
    """Whether the last look found it. Who is on the server itself is asked when the gate is judged."""
    newest = max((stretch.until for stretch in watched.stretches), default=None)
    return watched.source != SERVER and sighting.last_seen == newest and now - sighting.last_seen <= GAP


def described(sighting: Sighting) -> str:
    where = "" if sighting.source == SERVER else f" on {sighting.source}"
    return f'"{sighting.name}" (role {sighting.role}){where} until {show(sighting.last_seen)}'


def not_watched(source: str, gap: timedelta, hours: float) -> str:
    seconds = gap.total_seconds()
    if seconds >= hours * 3600:
        return f"nobody has looked who is on {source} in the last {hours:g} hours"
    return f"nobody has looked who is on {source} for {spoken(seconds)} of the last {hours:g} hours"


def statements_readings(
    counts: Sequence[Counts], now: datetime, hours: float, after: datetime | None = None
) -> tuple[Reading, ...]:
    """Whether statements that use the old shape were run, and when last.

    Args:
        counts: of every source, for each thing that the contract takes away.
        hours: how long none may have been run.
        after: when the revision was migrated; what was run before does not count.
    """
    if not counts:
        return ()
    begin = now - timedelta(hours=hours)
    uses = [
        (item, use)
        for item in counts
        for use in item.known.uses.values()
        if use.at is not None and (after is None or use.at > after)
    ]
    named = [(item, use) for item, use in uses if use.manner in NAMED]
    others = [(item, use) for item, use in uses if use.manner not in NAMED and use.at is not None and use.at > begin]
    first = named_reading(counts, named, now, begin)
    if not others:
        return (first,)
    said = "; ".join(f"{use.manner}: {statement(item, use)}" for item, use in others[:SHOWN])
    why = f"whether they use it their text does not say: {said}{more(others)}"
    remedy = "see to it that who runs them does without it"
    return first, Reading(OTHER_STATEMENTS, Looked.UNSEEN, why, remedy)


def named_reading(
    counts: Sequence[Counts], named: Sequence[tuple[Counts, Use]], now: datetime, begin: datetime
) -> Reading:
    last = max((use.at for _, use in named if use.at is not None), default=None)
    running = [(item, use) for item, use in named if at_work(item, use, now)]
    recent = running or [(item, use) for item, use in named if use.at is not None and use.at > begin]
    said = "; ".join(f"{use.manner} {item.thing}: {statement(item, use)}" for item, use in recent[:SHOWN])
    said += more(recent)
    if running:
        remedy = "deploy builds that do not use it, or find out who does; migrator observe --every 1m finds out when"
        return Reading(OLD_STATEMENTS, Looked.SEEN, said, remedy, last)
    missing = dict.fromkeys((item.missing, item.remedy) for item in counts if item.missing)
    if missing:
        reasons = "; ".join(reason for reason, _ in missing)
        remedies = "; ".join(remedy for _, remedy in missing if remedy)
        return Reading(OLD_STATEMENTS, Looked.UNSEEN, "; ".join(filter(None, (reasons, said))), remedies, last)
    since = max((item.known.coverage.since for item in counts if item.known.coverage), default=now)
    if since > begin:
        reason = f"what was run before {show(since)}"
        return Reading(OLD_STATEMENTS, Looked.UNSEEN, "; ".join(filter(None, (reason, said))), LOOK, last)
    return Reading(OLD_STATEMENTS, Looked.CLEAN, said or f"none since {show(since)}", "", last)


def at_work(item: Counts, use: Use, now: datetime) -> bool:
    """Whether it was run by the last look, or just before it."""
    newest = item.known.coverage.looked_at if item.known.coverage else None
    return use.at is not None and (use.at == newest or now - use.at <= GAP)


def statement(item: Counts, use: Use) -> str:
    text = " ".join(use.text.split())
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    who = f" (role {use.role})" if use.role else ""
    where = "" if item.source == SERVER else f" on {item.source}"
    when = ""
    if use.at is not None:
        when = f" between {show(use.after)} and {show(use.at)}" if use.after and use.after < use.at else ""
        when = when or f" at {show(use.at)}"
    return f"{text}{who}{where}{when}"


def more(found: Sequence[object]) -> str:
    return f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""


def spoken(seconds: float) -> str:
    return f"{seconds / 3600:.1f} hours" if seconds >= 5400 else f"{seconds / 60:.0f} minutes"


def show(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"


def by_source(
    sources: Iterable[str], stretches: Sequence[Stretch], sightings: Sequence[Sighting]
) -> tuple[Watched, ...]:
    """What is known of each source, in the order given."""
    stretched: Mapping[str, list[Stretch]] = grouped(stretches)
    seen: Mapping[str, list[Sighting]] = grouped(sightings)
    return tuple(Watched(source, stretched.get(source, ()), seen.get(source, ())) for source in sources)


def grouped(items: Iterable[object]) -> dict[str, list]:  # type: ignore[type-arg]
    found: dict[str, list] = defaultdict(list)  # type: ignore[type-arg]
    for item in items:
        found[item.source].append(item)  # type: ignore[attr-defined]
    return found
