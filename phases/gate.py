"""The contract gate: recorded facts in, a verdict with every condition and its evidence out.

Rules:

- Any exposure of a build that uses the old shape (`phases.exposure`) starts the hours again, from its end; deploying a
  clean build again does not.
- A build that does not say what it survives counts as using the old shape, and so does a consumer of which nothing
  was heard.
- A session that says, by its application name, that it is of a build that uses the old shape, or that nobody
  recorded, is live, whatever the records say. So is what another look has seen.
- What could not be looked at is said, and shuts the gate where the policy is strict.
- An item of the checklist that is required has to be passed, whatever the policy; a waiver of it does not count here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from phases.checklist_facts import BACKUP, Item, Result
from phases.exposure import SHADOW, Consumer, Deployment, Exposure, Target, arrives, by_target, exposures
from phases.gate_facts import Condition, Facts, Looked, Policy, Reading, Verdict
from phases.gate_sessions import no_old_session

DAY = timedelta(hours=24)
SKEW = 60.0
"""Seconds that two clocks may differ."""
SHOWN = 5
"""Things of one kind that are named."""
STANDARD = Policy()
RECORD = "migrator deploy record --app NAME --version VERSION"


@dataclass(frozen=True, slots=True)
class Known:
    """The facts, and what follows from them."""

    facts: Facts
    policy: Policy
    targets: dict[Target, list[Deployment]]
    consumers: dict[Target, Consumer]
    exposures: tuple[Exposure, ...]

    @property
    def expected(self) -> list[Target]:
        """Consumers that have to be heard of: registered or recorded, and not retired since."""
        registered = [t for t, c in self.consumers.items() if c.retired_at is None and c.kind != "tool"]
        return list(dict.fromkeys([*self.deployed, *registered]))

    @property
    def deployed(self) -> list[Target]:
        return [target for target, group in self.targets.items() if any(not self.gone(d) for d in group)]

    def gone(self, deployment: Deployment) -> bool:
        """Whether its consumer has been retired since."""
        consumer = self.consumers.get(deployment.target)
        retired = consumer.retired_at if consumer else None
        return retired is not None and deployment.started_at <= retired

    def kind(self, target: Target) -> str:
        return self.consumers[target].kind if target in self.consumers else "application"

    def arrivals(self, target: Target) -> list[Deployment]:
        """Successful deployments of clean builds, oldest first."""
        group = [d for d in self.targets.get(target, ()) if d.clean and not self.gone(d)]
        return sorted((d for d in group if arrives(d, self.kind(target))), key=ended)

    @property
    def dirty(self) -> list[Exposure]:
        return [e for e in self.exposures if not e.deployment.clean]


def judge(facts: Facts, policy: Policy = STANDARD) -> Verdict:
    """Judge the gate. Every condition is evaluated, whatever the others say.

    Args:
        facts: what was recorded, and seen.
        policy: how much has to be known, and for how long.
    """
    known = knowledge(facts, policy)
    questions: tuple[Callable[[Known], Condition], ...] = (
        migrated,
        verified,
        unaltered,
        clock,
        same_server,
        recorded,
        new_build,
        nothing_running,
        newest_succeeded,
        no_old_build_live,
        sessions,
    )
    looks = [observed(reading, policy) for reading in facts.evidence]
    since = clean_since(known)
    before = (*(ask(known) for ask in questions), *looks, *map(demanded, facts.required), enough(known))
    soak = max(DAY, timedelta(hours=policy.hours))
    conditions = (*before, soaked(facts, since, soak))
    waiting = all(condition.holds for condition in before)
    opens_at = since + soak if since is not None and waiting else None
    return Verdict(all(c.holds for c in conditions), opens_at, conditions)


def knowledge(facts: Facts, policy: Policy) -> Known:
    consumers = {consumer.target: consumer for consumer in facts.consumers}
    live = tuple(exposures(facts.deployments, facts.consumers))
    return Known(facts, policy, by_target(facts.deployments), consumers, live)


def ended(deployment: Deployment) -> datetime:
    """When a deployment ended, by the later of the two clocks where these differed."""
    moment = deployment.finished_at or deployment.started_at
    return moment + margin(deployment)


def margin(deployment: Deployment) -> timedelta:
    return timedelta(seconds=deployment.late if deployment.late > SKEW else 0.0)


def clean_since(known: Known) -> datetime | None:
    """Since when nothing that uses the old shape was live, anywhere; None while that is unknown, or it still is."""
    moments: list[datetime] = []
    for exposure in known.dirty:
        if exposure.until is None:
            return None
        moments.append(exposure.until + margin(exposure.deployment))
    for target in known.expected:
        arrivals = known.arrivals(target)
        if not arrivals:
            return None
        moments.append(ended(arrivals[0]))
    moments += [c.retired_at for c in known.consumers.values() if c.retired_at is not None and unheard(c, known)]
    moments += [reading.last_seen for reading in known.facts.evidence if reading.last_seen is not None]
    if not known.expected or any(reading.looked is Looked.SEEN for reading in known.facts.evidence):
        return None
    return max(moments) + timedelta(seconds=SKEW if known.facts.standing.promoted else 0.0)


def unheard(consumer: Consumer, known: Known) -> bool:
    """Whether nothing was ever recorded of a consumer, so that it may have used anything until it was retired."""
    return consumer.kind != "tool" and not known.targets.get(consumer.target)


def migrated(known: Known) -> Condition:
    facts = known.facts
    holds = facts.state in ("migrated", "contracting")
    aside = f"; rows set aside, to be mended and tried again: {facts.set_aside}" if facts.set_aside else ""
    remedy = "migrator retry REVISION" if aside else "migrator apply"
    said = f"the revision is {facts.state}{aside}"
    return Condition("migrated", holds, said, "" if holds else remedy, overridable=False)


def verified(known: Known) -> Condition:
    facts = known.facts
    if facts.verified:
        said = "every row was compared at the end of migrate" if facts.compared else "there is nothing to compare"
    else:
        said = "rows were not all compared" if facts.compared else "migrate is not over"
    remedy = "" if facts.verified else "migrator apply"
    return Condition("verified", facts.verified, said, remedy, overridable=False)


def unaltered(known: Known) -> Condition:
    altered = known.facts.altered
    return Condition(
        "records unaltered",
        not altered,
        listed(altered) or "records and audit log agree",
        "see: migrator audit verify" if altered else "",
        overridable=False,
    )


def clock(known: Known) -> Condition:
    """Whether the clock may be believed. One that is behind opens nothing early."""
    name, standing, now = "clock", known.facts.standing, known.facts.now
    remedy = "set the clock of the database's server (NTP)"
    if standing.newest is not None and now < standing.newest:
        said = f"the database's clock says {show(now)}, and something was recorded at {show(standing.newest)}"
        return Condition(name, False, said, remedy)
    if standing.ahead > SKEW:
        said = f"the database's clock is {standing.ahead:.0f} s ahead of that of this machine"
        return Condition(name, False, said, f"{remedy}, or that of this machine")
    behind = f", {-standing.ahead:.0f} s behind that of this machine" if standing.ahead < -SKEW else ""
    return Condition(name, True, f"the database's: {show(now)}{behind}")


def same_server(known: Known) -> Condition:
    name, standing = "server of the records", known.facts.standing
    copied = f"; recorded elsewhere, and left out: {standing.elsewhere} deployments" if standing.elsewhere else ""
    if standing.moved:
        said = f"recorded last on another server: {listed(standing.moved)}; this one took over, or is a copy"
        return Condition(name, False, said, f"record what is live here: {RECORD}")
    if standing.promoted:
        said = f"another server has taken over since the newest deployment was recorded: later ones may be lost{copied}"
        return Condition(name, not known.policy.strict, said, f"record what is live: {RECORD}", observed=False)
    if standing.unknown:
        said = f"whether records were made here: {standing.unknown}{copied}"
        return Condition(name, not known.policy.strict, said, "", observed=False)
    return Condition(name, True, f"this one{copied}")


def recorded(known: Known) -> Condition:
    name = "deployments recorded"
    silent = [str(known.consumers[t]) for t in known.expected if not known.targets.get(t)]
    if not known.facts.deployments and not silent:
        said = "no deployment was ever recorded, so nothing is known of what is live"
        return Condition(name, False, said, f"record each deployment: {RECORD}")
    if silent:
        said = f"nothing was ever recorded of {listed(silent)}"
        return Condition(name, False, said, f"{RECORD}; what is gone for good: migrator consumer retire --app NAME")
    if not known.expected:
        return Condition(name, False, "every consumer is retired", f"record what is live: {RECORD}")
    return Condition(name, True, f"of {listed([consumer(t) for t in known.expected])}")


def new_build(known: Known) -> Condition:
    name = "new build deployed"
    missing = [t for t in known.expected if not known.arrivals(t)]
    if missing:
        runs = [t for t in missing if known.kind(t) == "cron"]
        said = "no successful deployment of a build that survives the contract: "
        remedy = "deploy such a build, and record it: migrator deploy record"
        remedy += "; a cron job records each run by itself: migrator deploy record --strategy run" if runs else ""
        return Condition(name, False, said + listed([consumer(t) for t in missing]) + undeclared(known), remedy)
    if not known.expected:
        return Condition(name, False, "nothing is recorded", RECORD)
    return Condition(name, True, f"in all of {len(known.expected)} recorded places")


def undeclared(known: Known) -> str:
    said = [str(d) for d in known.facts.deployments if not d.declared and not known.gone(d)]
    return f"; what they use was not declared: {listed(said)}" if said else ""


def nothing_running(known: Known) -> Condition:
    running = [d for d in known.facts.deployments if d.status == "started" and not known.gone(d)]
    said = listed([f"{d} since {show(d.started_at)}" for d in running])
    remedy = "finish it: migrator deploy finish" if running else ""
    return Condition("no deployment running", not running, said or "none", remedy)


def newest_succeeded(known: Known) -> Condition:
    bad = []
    for target in known.deployed:
        done = [d for d in known.targets[target] if d.finished_at is not None and d.strategy != SHADOW]
        newest = max(done, key=ended, default=None)
        if newest is not None and newest.status != "succeeded":
            bad.append(f"{newest}: {newest.status}")
    remedy = "deploy again, and record that it succeeded" if bad else ""
    return Condition("newest deployment succeeded", not bad, listed(bad) or "every newest deployment did", remedy)


def no_old_build_live(known: Known) -> Condition:
    live = [e.deployment for e in known.dirty if e.until is None]
    said = listed([f"{d} since {show(d.started_at)}{kept(d, known)}" for d in live])
    remedy = "deploy a build that survives the contract in its place"
    if any(kept(d, known) for d in live):
        remedy += "; stop what was kept, and say so: migrator deploy stop --app NAME --version VERSION"
    return Condition("no old build live", not live, said or "none that is recorded", remedy if live else "")


def kept(deployment: Deployment, known: Known) -> str:
    """Why a build is still there although another one has succeeded."""
    keepers = [
        d for d in known.targets[deployment.target] if arrives(d) and d.keeps and d.started_at >= deployment.started_at
    ]
    others = [d for d in keepers if d is not deployment]
    return f", kept beside {others[-1].version} ({others[-1].strategy})" if others else ""


def sessions(known: Known) -> Condition:
    return no_old_session(known.facts, strict=known.policy.strict)


def observed(reading: Reading, policy: Policy) -> Condition:
    """What a look has found, as a condition."""
    unseen = reading.looked is Looked.UNSEEN
    holds = reading.looked is Looked.CLEAN or (unseen and not policy.strict)
    last = f"; last at {show(reading.last_seen)}" if reading.last_seen is not None else ""
    said = f"{'not observed: ' if unseen else ''}{reading.evidence}{last}"
    return Condition(reading.name, holds, said, reading.remedy, observed=not unseen, overridable=reading.overridable)


def demanded(item: Item) -> Condition:
    """An item of the checklist as a condition. No override does without a backup: nothing else brings values back."""
    holds = item.result is Result.PASSED
    said = item.evidence if holds else f"{item.result}: {item.evidence}"
    return Condition(item.name, holds, said, "" if holds else item.remedy, overridable=item.name != BACKUP)


def enough(known: Known) -> Condition:
    """Whether builds that survive the contract were deployed often enough since the last that does not."""
    wanted = max(1, known.policy.deployments)
    name = f"{wanted} clean deployment{'s' if wanted > 1 else ''}"
    first = {t: len([d for d in known.arrivals(t) if not undone(known, d)]) for t in known.expected}
    few = [f"{consumer(t)}: {count}" for t, count in first.items() if count < wanted]
    if not first:
        return Condition(name, False, "none is recorded", RECORD)
    remedy = "deploy builds that survive the contract, and record that they succeeded" if few else ""
    return Condition(name, not few, listed(few) or f"everywhere: {min(first.values())} or more", remedy)


def undone(known: Known, deployment: Deployment) -> bool:
    """Whether a build that uses the old shape was put in its place later; one beside it takes nothing away."""
    return any(
        not other.clean and not other.keeps and other.strategy != SHADOW and other.started_at > deployment.started_at
        for other in known.targets[deployment.target]
    )


def soaked(facts: Facts, since: datetime | None, soak: timedelta) -> Condition:
    name = f"{soak.total_seconds() / 3600:g} hours without an old build"
    if since is None:
        return Condition(name, False, "the hours have not begun: an old build is live, or nothing is known")
    passed = facts.now - since
    said = f"none since {show(since)}, {passed.total_seconds() / 3600:.1f} hours ago"
    return Condition(name, passed >= soak, said, "" if passed >= soak else f"wait until {show(since + soak)}")


def consumer(target: Target) -> str:
    return str(Consumer(*target))


def listed(things: Sequence[str]) -> str:
    more = f" and {len(things) - SHOWN} more" if len(things) > SHOWN else ""
    return ", ".join(things[:SHOWN]) + more


def show(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S %Z}"
