"""The contract gate: recorded facts in, a verdict with every condition and its evidence out.

Rules (`research` of the deploy records, and design of the gate):

- A build is live from the start of its deployment, not from full traffic: a 1 %
  canary already reads and writes.
- It stops being live when the next *succeeded* deployment of the same application
  and environment finishes, or, where it failed or was rolled back, when that was
  recorded. A deployment that never finished is live.
- A build that does not say what it survives counts as using the old shape.
- A session that says, by its application name, that it is of a build that uses the old
  shape, or that nobody recorded, is live, whatever the records say.
- Deploying a clean build again does not reset the clock; any exposure of a build
  that uses the old shape does, from the end of that exposure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.sessions import Session, sort_out

DAY = timedelta(hours=24)
SHOWN = 5
"""Sessions that are named."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One deployment, as recorded. `clean`: the build survives the contract in question."""

    application: str
    environment: str
    version: str
    status: str
    started_at: datetime
    finished_at: datetime | None
    clean: bool

    @property
    def target(self) -> tuple[str, str]:
        return self.application, self.environment


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the gate looks at.

    `now` is the database's clock; `verified`: migrate is over, and found no row that
    differs; `set_aside` rows a backfill could not change; `compared`: there are rows to compare;
    `sessions`: those of clients that are connected; None where they cannot be known: `unseen` says why.
    `ends_session`: what ends one, for people.
    """

    now: datetime
    deployments: Sequence[Deployment]
    state: str
    verified: bool
    set_aside: int = 0
    compared: bool = True
    sessions: Sequence[Session] | None = ()
    unseen: str = ""
    ends_session: str = "SELECT pg_terminate_backend(pid)"


@dataclass(frozen=True, slots=True)
class Condition:
    name: str
    holds: bool
    evidence: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`opens_at` is None where nothing but time is not what is missing."""

    open: bool
    opens_at: datetime | None
    conditions: tuple[Condition, ...]


def judge(facts: Facts, *, hours: float = 24.0) -> Verdict:
    """Judge the gate. Every condition is evaluated, whatever the others say.

    Args:
        facts: what was recorded.
        hours: how long no build that uses the old shape may have been live; 24 at least.
    """
    soak = max(DAY, timedelta(hours=hours))
    newest_end = last_dirty_end(facts)
    conditions = (
        migrated(facts),
        verified(facts),
        recorded(facts),
        nothing_running(facts),
        newest_succeeded(facts),
        no_old_build_live(facts),
        no_old_session(facts),
        soaked(facts, newest_end, soak),
    )
    opens_at = newest_end + soak if newest_end is not None and no_old_session(facts).holds else None
    return Verdict(all(c.holds for c in conditions), opens_at, conditions)


def by_target(deployments: Sequence[Deployment]) -> dict[tuple[str, str], list[Deployment]]:
    found: dict[tuple[str, str], list[Deployment]] = defaultdict(list)
    for deployment in sorted(deployments, key=lambda d: d.started_at):
        found[deployment.target].append(deployment)
    return found


def live_until(deployment: Deployment, others: Sequence[Deployment]) -> datetime | None:
    """When a build stopped being live; None while it is."""
    if deployment.status in ("failed", "rolled_back"):
        return deployment.finished_at
    if deployment.status == "started":
        return None
    ends = [
        other.finished_at
        for other in others
        if other is not deployment
        and other.status == "succeeded"
        and other.finished_at is not None
        and other.started_at >= deployment.started_at
        and deployment.finished_at is not None
        and other.finished_at >= deployment.finished_at
    ]
    return min(ends, default=None)


def dirty_ends(facts: Facts) -> list[tuple[Deployment, datetime | None]]:
    """Builds that use the old shape, each with the moment it stopped being live."""
    return [
        (deployment, live_until(deployment, group))
        for group in by_target(facts.deployments).values()
        for deployment in group
        if not deployment.clean
    ]


def clean_starts(facts: Facts) -> list[datetime | None]:
    """When each application's first clean build was completely there; None where there is none."""
    return [
        min(
            (d.finished_at for d in group if d.clean and d.status == "succeeded" and d.finished_at),
            default=None,
        )
        for group in by_target(facts.deployments).values()
    ]


def last_dirty_end(facts: Facts) -> datetime | None:
    """Since when no build that uses the old shape was live, anywhere; None while unknown or still live."""
    ends = [end for _, end in dirty_ends(facts)]
    starts = clean_starts(facts)
    if not starts or any(moment is None for moment in (*ends, *starts)):
        return None
    return max(moment for moment in (*ends, *starts) if moment is not None)


def migrated(facts: Facts) -> Condition:
    holds = facts.state in ("migrated", "contracting")
    aside = f"; rows set aside, to be mended and tried again: {facts.set_aside}" if facts.set_aside else ""
    remedy = "migrator retry REVISION" if aside else "migrator apply"
    return Condition("migrated", holds, f"the revision is {facts.state}{aside}", "" if holds else remedy)


def verified(facts: Facts) -> Condition:
    if facts.verified:
        said = "every row was compared at the end of migrate" if facts.compared else "there is nothing to compare"
    else:
        said = "rows were not all compared" if facts.compared else "migrate is not over"
    return Condition("verified", facts.verified, said, "" if facts.verified else "migrator apply")


def recorded(facts: Facts) -> Condition:
    if not facts.deployments:
        return Condition(
            "deployments recorded",
            False,
            "no deployment was ever recorded, so nothing is known of what is live",
            "record each deployment: migrator deploy record --app NAME --version VERSION",
        )
    missing = [
        f"{app} in {environment}"
        for (app, environment), group in by_target(facts.deployments).items()
        if not any(d.clean and d.status == "succeeded" for d in group)
    ]
    targets = len(by_target(facts.deployments))
    if missing:
        return Condition(
            "new build deployed",
            False,
            f"no successful deployment of a build that survives the contract: {', '.join(missing)}",
            "deploy such a build, and record it: migrator deploy record",
        )
    return Condition("new build deployed", True, f"in all of {targets} recorded application and environment pairs")


def nothing_running(facts: Facts) -> Condition:
    running = [d for d in facts.deployments if d.status == "started"]
    said = ", ".join(f"{d.application} {d.version} in {d.environment} since {show(d.started_at)}" for d in running)
    return Condition(
        "no deployment running",
        not running,
        said or "none",
        "finish it: migrator deploy finish" if running else "",
    )


def newest_succeeded(facts: Facts) -> Condition:
    bad = []
    for group in by_target(facts.deployments).values():
        done = [d for d in group if d.finished_at is not None]
        newest = max(done, key=lambda d: d.finished_at or d.started_at, default=None)
        if newest is not None and newest.status != "succeeded":
            bad.append(f"{newest.application} {newest.version} in {newest.environment}: {newest.status}")
    return Condition(
        "newest deployment succeeded",
        not bad,
        ", ".join(bad) or "every newest deployment did",
        "deploy again, and record that it succeeded" if bad else "",
    )


def no_old_build_live(facts: Facts) -> Condition:
    live = [d for d, end in dirty_ends(facts) if end is None]
    said = ", ".join(f"{d.application} {d.version} in {d.environment} since {show(d.started_at)}" for d in live)
    return Condition(
        "no old build live",
        not live,
        said or "none that is recorded",
        "deploy a build that survives the contract in its place" if live else "",
    )


def no_old_session(facts: Facts) -> Condition:
    """Whether no connected client says that it is of a build that the contract would break."""
    name = "no session of an old build"
    if facts.sessions is None:
        return Condition(name, True, f"not observed: {facts.unseen}", "")
    builds: dict[str, dict[str, bool]] = defaultdict(dict)
    for deployment in sorted(facts.deployments, key=lambda d: d.started_at):
        builds[deployment.application][deployment.version] = deployment.clean
    seen = sort_out(facts.sessions, builds)
    parts = [
        f"{title}: {named(found)}"
        for title, found in (
            ("of a build that does not survive the contract", seen.old),
            ("of a build that nobody recorded", seen.unrecorded),
        )
        if found
    ]
    silent = f"; which build {named(seen.silent)} is of, its name does not say" if seen.silent else ""
    remedies = [f"stop those instances, or end a session that was left behind: {facts.ends_session}"]
    remedies += ["record what is live: migrator deploy record --app NAME --version VERSION"] if seen.unrecorded else []
    return Condition(
        name,
        not parts,
        "; ".join(parts) or f"none of {len(facts.sessions)} sessions says that it is of one (app/version){silent}",
        "; ".join(remedies) if parts else "",
    )


def named(sessions: Sequence[Session]) -> str:
    more = f" and {len(sessions) - SHOWN} more" if len(sessions) > SHOWN else ""
    return ", ".join(map(str, sessions[:SHOWN])) + more


def soaked(facts: Facts, since: datetime | None, soak: timedelta) -> Condition:
    name = f"{soak.total_seconds() / 3600:g} hours without an old build"
    if since is None:
        return Condition(name, False, "the clock has not begun: an old build is live, or nothing is known")
    passed = facts.now - since
    said = f"none since {show(since)}, {passed.total_seconds() / 3600:.1f} hours ago"
    return Condition(name, passed >= soak, said, "" if passed >= soak else f"wait until {show(since + soak)}")


def show(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"
