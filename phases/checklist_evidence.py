"""Items that rest on what was found outside of the database: probes, smoke test, error budget, backup.

What was found of a version says nothing of the one that went live after it, and what is older than it may be has not
passed. Nothing passes because nobody looked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.checklist_facts import (
    BACKUP,
    BUDGET,
    LIVENESS,
    PROBES,
    READINESS,
    SMOKE,
    Evidence,
    Item,
    Known,
    Live,
    Result,
)

SKEW = timedelta(seconds=60)
"""How far ahead of the database's clock a moment may be that another clock has given."""
SHOWN = 4
"""Parts of an item that are named, the worst first."""
SEVERITY = (Result.PASSED, Result.UNKNOWN, Result.FAILED)
REMEDIES: Mapping[str, str] = {
    PROBES: "name both URLs in [tool.migrator.checklist.probes], or: migrator checklist record probes --evidence …",
    SMOKE: 'run it: migrator checklist record smoke --command "./smoke.sh"',
    BUDGET: "say where it is read in [tool.migrator.checklist.budget], or: migrator checklist record budget --left 42%"
    " --evidence …",
    BACKUP: "make one, and record it: migrator checklist record backup --at 2026-03-01T12:00:00Z --evidence …",
}


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of one part of an item. `at`: when it was so."""

    result: Result
    said: str
    at: datetime | None = None


def evidenced(name: str, known: Known) -> Item:
    """Judge one of `phases.checklist_facts.EVIDENCED`."""
    found = JUDGES[name](known)
    result = max((part.result for part in found), key=SEVERITY.index)
    moments = [part.at for part in found if part.at is not None]
    at = min(moments, default=None)
    said = listed(sorted(found, key=lambda part: SEVERITY.index(part.result), reverse=True))
    if name == BACKUP and known.server:
        said += f"; the server says, which proves no backup: {', '.join(known.server)}"
    remedy = "" if result is Result.PASSED else REMEDIES[name]
    return Item(name, result, said, remedy, at, (known.now - at).total_seconds() if at is not None else None)


def listed(parts: Sequence[Found]) -> str:
    more = f"; and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
    return "; ".join(part.said for part in parts[:SHOWN]) + more


def probes(known: Known) -> list[Found]:
    return [
        judged(part, known, known.limits.probes, live) for live in each_live(known) for part in (READINESS, LIVENESS)
    ]


def smoke(known: Known) -> list[Found]:
    return [judged(SMOKE, known, known.limits.smoke, live) for live in each_live(known)]


def budget(known: Known) -> list[Found]:
    """An error budget is one of an application, whatever its version."""
    names = dict.fromkeys(live.application if live else "" for live in each_live(known))
    return [left(known, application) for application in names]


def backup(known: Known) -> list[Found]:
    return [judged(BACKUP, known, known.limits.backup, None)]


JUDGES: Mapping[str, Callable[[Known], list[Found]]] = {PROBES: probes, SMOKE: smoke, BUDGET: budget, BACKUP: backup}


def each_live(known: Known) -> Sequence[Live | None]:
    """What has to be looked at, each; None where no deployment is recorded."""
    return list(known.live) or [None]


def judged(about: str, known: Known, limit: timedelta, live: Live | None) -> Found:
    """Judge the newest of what was found that is of a version which is live."""
    of_it = [each for each in known.evidence if each.about == about and of(each, live)]
    whose = f"{about} of {live}: " if live is not None else f"{about}: " if about in (READINESS, LIVENESS) else ""
    current = [each for each in of_it if live is None or each.version or each.at is None or each.at >= live.since]
    if not current:
        told = f"; what {newest(of_it).source} says is of before it went live" if of_it else ""
        return Found(Result.UNKNOWN, f"{whose}nothing was found{told}")
    return aged(whose, newest(current), known.now, limit)


def of(evidence: Evidence, live: Live | None) -> bool:
    """Whether it is of an application, and not of another version."""
    if live is None:
        return True
    return evidence.application in ("", live.application) and evidence.version in ("", live.version)


def newest(found: Sequence[Evidence]) -> Evidence:
    """The newest of some, of one moment the last; before others those that found something, and have a moment."""

    def place(numbered: tuple[int, Evidence]) -> tuple[bool, float, int]:
        number, each = numbered
        return each.ok is not None, each.at.timestamp() if each.at is not None else 0.0, number

    return max(enumerate(found), key=place)[1]


def aged(whose: str, found: Evidence, now: datetime, limit: timedelta) -> Found:
    """Judge what was found by its age."""
    said = f"{whose}{found.said} ({found.source})"
    if found.ok is None:
        return Found(Result.UNKNOWN, said)
    if found.at is None:
        return Found(Result.UNKNOWN, f"{said}: of when it is, it does not say")
    if found.at > now + SKEW:
        return Found(Result.UNKNOWN, f"{said}: it is said to be of {show(found.at)}, and it is {show(now)}")
    age = now - found.at
    if not found.ok:
        return Found(Result.FAILED, said, found.at)
    if age > limit:
        return Found(Result.FAILED, f"{said}: {span(age)} old, and {span(limit)} is the most", found.at)
    return Found(Result.PASSED, said, found.at)


def left(known: Known, application: str) -> Found:
    """Judge what is left of an error budget."""
    of_it = [e for e in known.evidence if e.about == BUDGET and (not application or e.application in ("", application))]
    whose = f"{BUDGET} of {application}: " if application else ""
    if not of_it:
        return Found(Result.UNKNOWN, f"{whose}nothing was found")
    least, found = known.limits.least, newest(of_it)
    judgement = aged(whose, found, known.now, known.limits.budget)
    if judgement.result is not Result.PASSED:
        return judgement
    if found.share is None:
        if least is None:
            return judgement
        return Found(Result.UNKNOWN, f"{judgement.said}: how much is left, it does not say", found.at)
    if found.share <= 0 or found.share < (least or 0.0):
        wanted = f"and {percent(least)} is the least" if least else "so nothing may be risked"
        return Found(Result.FAILED, f"{judgement.said}: {percent(found.share)} is left, {wanted}", found.at)
    return judgement


def percent(share: float) -> str:
    return f"{share * 100:.3g} %"


def span(time: timedelta) -> str:
    """A time for people, in the unit that says it best."""
    seconds = time.total_seconds()
    for name, long in (("d", 86400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * long or (seconds >= long and name != "d"):
            return f"{round(seconds / long, 1):g} {name}"
    return f"{seconds:.0f} s"


def show(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"
