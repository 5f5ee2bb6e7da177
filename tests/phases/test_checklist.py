"""The checklist: what was found in, a result for each item out. Times are hours before the list is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from phases import probes
from phases.checklist import Checklist, ListFacts, Standing, judge
from phases.checklist_facts import (
    BACKUP,
    BUDGET,
    LIVENESS,
    READINESS,
    SMOKE,
    Evidence,
    Item,
    Known,
    Limits,
    Live,
    Result,
    Waiver,
)
from phases.gate_facts import Condition, Verdict

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def found(about: str, hours: float = -1.0, ok: bool | None = True, **more: object) -> Evidence:
    values = {"said": "said so", "source": "recorded by ann", "at": at(hours), **more}
    return Evidence(about, ok, **values)


ANY = Limits()
SHOP = Live("shop", "2.0", at(-3))
PROBED = [found(READINESS), found(LIVENESS)]
EVIDENCE = [*PROBED, found(SMOKE), found(BUDGET, -0.5, share=0.4), found(BACKUP, -9)]
WAITS = Verdict(False, at(2), (Condition("verified", True, ""), Condition("24 hours without an old build", False, "")))
OPEN = Verdict(True, at(-1), (Condition("verified", True, ""),))


@dataclass(frozen=True)
class Case:
    """What was found; `results`: of the items that have not passed; `says`: in one of these."""

    evidence: list[Evidence] = field(default_factory=lambda: EVIDENCE)
    results: dict[str, str] = field(default_factory=dict)
    says: str = ""
    met: bool = True
    live: tuple[Live, ...] = (SHOP,)
    limits: Limits = ANY
    facts: dict[str, object] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    strict: bool = False

    @property
    def judged(self) -> Checklist:
        known = Known(NOW, self.limits, self.evidence, self.live)
        replicas = Item("replicas", Result.PASSED, "none is connected")
        return judge(ListFacts(known, **{"replicas": replicas, **self.facts}), self.required, strict=self.strict)


def begun(state: str, **more: object) -> dict[str, object]:
    return {"revisions": {"a": Standing(state, **more)}}


def without(*abouts: str) -> list[Evidence]:
    return [each for each in EVIDENCE if each.about not in abouts]


def instead(*evidence: Evidence) -> list[Evidence]:
    return [*without(*(each.about for each in evidence)), *evidence]


FAILED, UNKNOWN, WAIVED = "failed", "not known", "waived"
BEHIND = Item("replicas", Result.FAILED, "replica east is 12 s behind")
WAIVER = Waiver("smoke", "the fix of incident 12", "ann", at(-1), at(1))
CASES = {
    "everything is as it should be": Case(),
    "nobody has looked": Case(
        [],
        dict.fromkeys(("probes", "smoke", "budget", "backup"), UNKNOWN),
        "smoke of shop 2.0: nothing was found",
    ),
    "nobody has looked, and all has to be known": Case(
        [], dict.fromkeys(("probes", "smoke", "budget", "backup"), UNKNOWN), met=False, strict=True
    ),
    "a backup is required": Case(without(BACKUP), {"backup": UNKNOWN}, "--at 20", met=False, required=("backup",)),
    "a backup of yesterday": Case(instead(found(BACKUP, -25)), {"backup": FAILED}, "25 h old, and 24 h is", met=False),
    "a backup of yesterday, which is enough here": Case(
        instead(found(BACKUP, -25)), limits=Limits(backup=timedelta(days=2))
    ),
    "a backup of the future": Case(instead(found(BACKUP, 1)), {"backup": UNKNOWN}, "it is said to be of"),
    "a backup without a time": Case(instead(found(BACKUP, at=None)), {"backup": UNKNOWN}, "it does not say"),
    "a backup whose test failed after one that was good": Case(
        [*EVIDENCE, found(BACKUP, -1, ok=False)], {"backup": FAILED}, met=False
    ),
    "a smoke test that failed": Case(instead(found(SMOKE, ok=False)), {"smoke": FAILED}, met=False),
    "a smoke test that failed, and passed then": Case(instead(found(SMOKE, -2, ok=False), found(SMOKE, -1))),
    "a smoke test before the newest version went live": Case(
        instead(found(SMOKE, -4)), {"smoke": UNKNOWN}, "recorded by ann says is of before it went live"
    ),
    "one of that very version": Case(instead(found(SMOKE, -4, version="2.0"))),
    "a smoke test of a version that was rolled back": Case(
        instead(found(SMOKE, -2, version="1.0", application="shop"), found(SMOKE, -1, ok=False, version="2.1")),
        {"smoke": UNKNOWN},
    ),
    "a smoke test of one of two applications": Case(
        instead(found(SMOKE, application="shop")),
        {"smoke": UNKNOWN},
        "smoke of billing 7: nothing was found",
        live=(SHOP, Live("billing", "7", at(-99))),
    ),
    "no deployment is recorded": Case(live=()),
    "a smoke test of three days ago": Case(instead(found(SMOKE, -72)), {"smoke": FAILED}, "3 d old", False, live=()),
    "readiness alone": Case(without(LIVENESS), {"probes": UNKNOWN}, "liveness of shop 2.0: nothing"),
    "a liveness that is not as it should be": Case(
        instead(found(LIVENESS, ok=False)), {"probes": FAILED}, "said so", met=False
    ),
    "an error budget that is used up": Case(
        instead(found(BUDGET, -0.5, share=-0.1)), {"budget": FAILED}, "-10 % is left", met=False
    ),
    "an error budget below the policy": Case(
        limits=Limits(least=0.5), results={"budget": FAILED}, says="40 % is left, and 50 % is the least", met=False
    ),
    "an error budget that a rollout burned slowly": Case(instead(found(BUDGET, -0.5))),
    "which says nothing of what is left": Case(
        instead(found(BUDGET, -0.5)), {"budget": UNKNOWN}, "how much is left", limits=Limits(least=0.5)
    ),
    "an error budget of two hours ago": Case(instead(found(BUDGET, -2, share=0.9)), {"budget": FAILED}, met=False),
    "a source that does not answer": Case(
        instead(found(BUDGET, 0, ok=None, said="Prometheus does not answer")),
        {"budget": UNKNOWN},
        "Prometheus does not answer",
    ),
    "a source that does not answer beside a record": Case([*EVIDENCE, found(BUDGET, 0, ok=None)]),
    "a waiver": Case(
        instead(found(SMOKE, ok=False)), {"smoke": WAIVED}, "said so", facts={"waivers": [WAIVER]}, required=("smoke",)
    ),
    "a waiver that is over": Case(
        without(SMOKE), {"smoke": UNKNOWN}, facts={"waivers": [Waiver("smoke", "why", "ann", at(-2), NOW)]}
    ),
    "a waiver of what has passed": Case(facts={"waivers": [WAIVER]}),
    "a waiver of what nobody can do without": Case(
        results={"rows": FAILED},
        met=False,
        facts={
            "waivers": [Waiver("rows", "why", "ann", at(-1), at(1))],
            **begun("migrated", verified=True, set_aside=2),
        },
    ),
    "a contract that is half done": Case(
        results={"phase": FAILED},
        says="a is contracting",
        met=False,
        facts=begun("contracting"),
    ),
    "a restore that is half done": Case(results={"phase": FAILED}, met=False, facts=begun("restoring")),
    "a backfill under way": Case(
        results={"verification": UNKNOWN},
        says="migrate of a is not over",
        facts=begun("migrating"),
    ),
    "rows that were not compared": Case(results={"verification": FAILED}, met=False, facts=begun("migrated")),
    "a contract that is done": Case(facts=begun("contracted", verified=True)),
    "a replica that is behind": Case(
        results={"replicas": FAILED},
        met=False,
        facts={"replicas": BEHIND},
    ),
    "a record that was changed by hand": Case(
        results={"records": FAILED}, met=False, facts={"altered": ["event 3 was changed"]}
    ),
    "a gate that is shut is said before a deployment": Case(
        facts={"gates": {"a": WAITS}, **begun("migrated", verified=True)}
    ),
    "and is in the way of its contract": Case(
        results={"gate": FAILED},
        says="closed until 2026-03-29 14:00:00 UTC: 24 hours without an old build",
        met=False,
        facts={"gates": {"a": WAITS}, **begun("migrated", verified=True), "revision": "a"},
    ),
    "a gate that is open": Case(facts={"gates": {"a": OPEN}, **begun("migrated", verified=True), "revision": "a"}),
    "a contract that is meant while migrate is not over": Case(
        results={"verification": UNKNOWN, "gate": FAILED},
        met=False,
        facts={**begun("migrating"), "revision": "a"},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_checklist(name):
    case = CASES[name]
    judged = case.judged
    assert {item.name: item.result.value for item in judged.items if item.result is not Result.PASSED} == case.results
    assert judged.met is case.met
    said = [f"{item.evidence} {item.remedy}" for item in judged.items if item.result is not Result.PASSED]
    assert not case.says or any(case.says in text for text in said)
    if case.facts.get("gates") and "revision" not in case.facts:
        assert judged.notes == ("the gate of a is closed until 2026-03-29 14:00:00 UTC: 24 hours without an old build",)


def test_the_age_of_an_item_is_that_of_the_oldest_thing_it_rests_on():
    case = Case(instead(found(READINESS, -2), found(LIVENESS, -1)))
    (item,) = (item for item in case.judged.items if item.name == "probes")
    assert (item.at, item.age_seconds) == (at(-2), 7200.0)


READY, LIVE = "http://app:80/ready", "http://app/live"
ANSWERS = {
    "well": (LIVE, 200, '{"status": "up"}', True, "answers 200"),
    "the URL of readiness": ("http://app/ready/", 200, "", False, "is asked for readiness, too"),
    "a key that names the database": (LIVE, 200, '{"components": {"db": {"up": true}}}', False, "database (db)"),
    "a text that does": (LIVE, 200, "OK: PostgreSQL connected", False, "database (postgresql)"),
    "a word that only contains it": (LIVE, 200, "dbus is there", True, ""),
    "a redirect": (LIVE, 302, "", False, "answers 302"),
    "nobody": (LIVE, 0, "", False, "does not answer"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_liveness(name):
    url, status, body, good, says = ANSWERS[name]
    ok, said = probes.judge_liveness(probes.Answer(url, status, 0.01, body), READY)
    assert ok is good
    assert says in said
