"""The contract gate against 48 cases that a timer alone gets wrong, each by its number.

Times are hours before the gate is asked: it is asked at hour 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from phases.checklist_facts import Item, Result
from phases.exposure import Consumer, Deployment
from phases.gate import judge
from phases.gate_facts import Facts, Looked, Policy, Reading, Standing, Verdict
from phases.overrides import Permission, refusal
from phases.sessions import Session
from phases.shapes import RevisionState, judge_build

NOW = datetime(2026, 3, 29, 12, tzinfo=UTC)
STANDARD, STRICT = Policy(), Policy(strict=True)


def at(hours: float) -> datetime:
    return NOW + timedelta(hours=hours)


def build(version: str, start: float, end: float | None = None, **more: object) -> Deployment:
    """A deployment of a build; 1.x use the old shape, 2.x survive the contract."""
    status = str(more.pop("status", "started" if end is None else "succeeded"))
    values = {"application": "shop", "environment": "production", "clean": version.startswith("2"), **more}
    finished = None if end is None else at(end)
    return Deployment(version=version, status=status, started_at=at(start), finished_at=finished, **values)


OLD = build("1.0", -99, -98)
NEW = build("2.0", -31, -30)


@dataclass(frozen=True)
class Case:
    """What was recorded and seen; `opens`: at which hour, None: not by waiting; `says`: in a condition or remedy."""

    records: list[Deployment] = field(default_factory=lambda: [OLD, NEW])
    opens: float | None = None
    says: str = ""
    policy: Policy = STANDARD
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        return judge(Facts(NOW, self.records, **{"state": "migrated", "verified": True, **self.facts}), self.policy)


def seen(evidence: str, **more: object) -> dict[str, object]:
    return {"evidence": [Reading("a look", Looked.SEEN, evidence, **more)]}


def required(result: Result, name: str = "backup") -> dict[str, object]:
    return {"required": [Item(name, result, "of when", "make one")]}


def session(name: str) -> dict[str, object]:
    return {"sessions": [Session(7, name, at(-26), "10.0.0.9")]}


OPEN = -6.0
"""When the gate has opened by the two records above."""

CASES = {
    "01 a second too early": Case(
        [OLD, build("2.0", -25, -24 + 1 / 3600)], 1 / 3600, "wait until 2026-03-29 12:00:01 UTC"
    ),
    "02 the day is over, and the deployment had failed": Case(
        [OLD, build("2.0", -31, -30, status="failed")], None, "no successful deployment of a build that survives"
    ),
    "03 a rollback, and forward again": Case([OLD, NEW, build("1.0", -10, -9.5), build("2.0", -9.2, -9)], 15.0),
    "04 an old tag by mistake, for two minutes, and it failed": Case(
        [OLD, NEW, build("1.0", -2, -2 + 2 / 60, status="failed"), build("2.0", -1.5, -1)], 22 + 2 / 60
    ),
    "05 the clean build deployed again": Case([OLD, NEW, build("2.0", -2, -1)], OPEN),
    "06 a canary of an old build, at 1 %, aborted": Case(
        [OLD, NEW, build("1.1", -5, -4, strategy="canary", status="rolled_back"), build("2.0", -3, -2)], 20.0
    ),
    "07 blue kept warm": Case(
        [OLD, build("2.0", -31, -30, strategy="blue-green", keeps=True)], None, "migrator deploy stop --app NAME"
    ),
    "07 blue kept warm, and stopped": Case(
        [replace(OLD, stopped_at=at(-20)), build("2.0", -31, -30, strategy="blue-green", keeps=True)], 4.0
    ),
    "08 a flip back to blue within the day": Case(
        [OLD, NEW, build("1.0", -3, -2, strategy="blue-green", keeps=True)], None, "shop 1.0 in production since"
    ),
    "09 a rolling update stuck half way for days": Case(
        [OLD, build("2.0", -90)], None, "finish it: migrator deploy finish"
    ),
    "10 a service that never reports": Case(
        opens=None,
        says="nothing was ever recorded of billing in production",
        facts={"consumers": [Consumer("billing", "production")]},
    ),
    "11 an unregistered consumer, strict": Case(says="whose pid 7", policy=STRICT, facts=session("metabase")),
    "11 an unregistered consumer is said": Case(opens=OPEN, says="nobody recorded", facts=session("metabase")),
    "11 a tool that is registered": Case(
        opens=OPEN,
        policy=STRICT,
        facts={**session("psql"), "consumers": [Consumer("psql", "production", kind="tool", owner="dba")]},
    ),
    "12 a worker with a job of 26 hours": Case(says="pid 7", facts=session("shop/1.0 worker")),
    "13 old messages in a queue": Case(says="queue orders has 3", facts=seen("queue orders has 3 messages of 1.0")),
    "14 a weekly job that ran with old code": Case(
        [
            OLD,
            NEW,
            build("1.0", -80, -80, application="weekly", strategy="run"),
            build("2.0", -30, -30, application="weekly"),
        ],
        None,
        "--strategy run",
        facts={"consumers": [Consumer("weekly", "production", kind="cron")]},
    ),
    "14 a weekly job that ran with new code": Case(
        [
            OLD,
            NEW,
            build("1.0", -80, -80, application="weekly", strategy="run"),
            build("2.0", -28, -28, application="weekly", strategy="run"),
        ],
        -4.0,
        facts={"consumers": [Consumer("weekly", "production", kind="cron")]},
    ),
    "15 a pooler hides clients, strict": Case(
        says="a pooler in between",
        policy=STRICT,
        facts={"evidence": [Reading("no client of a pooler", Looked.UNSEEN, "a pooler in between")]},
    ),
    "15 a pooler hides clients, which is said": Case(
        opens=OPEN,
        says="not observed: a pooler in between",
        facts={"evidence": [Reading("no client of a pooler", Looked.UNSEEN, "a pooler in between")]},
    ),
    "16 an idle session of an old version": Case(says="does not survive the contract", facts=session("shop/1.0")),
    "16 a session of a version nobody knows": Case(says="nobody recorded", facts=session("shop/1.9")),
    "16 a session without a name, strict": Case(says="its name does not say", policy=STRICT, facts=session("shop")),
    "17 reports on a replica": Case(
        [OLD, NEW, build("1.0", -60, -59, application="reports", region="replica")],
        says="reports 1.0 in production/replica",
        facts={"consumers": [Consumer("reports", "production", "replica", "reader")]},
    ),
    "18 a region that lags 8 hours": Case(
        [OLD, NEW, replace(OLD, region="eu"), build("2.0", -23, -22, region="eu")], 2.0
    ),
    "19 a region that cannot be reached": Case([OLD, NEW, replace(OLD, region="eu")], says="in production/eu"),
    "19 a region that was retired": Case(
        [OLD, NEW, replace(OLD, region="eu")],
        4.0,
        facts={"consumers": [Consumer("shop", "production", "eu", retired_at=at(-20))]},
    ),
    "20 another node of several that write": Case(
        says="slot node_b is 7 MB behind", facts=seen("slot node_b is 7 MB behind")
    ),
    "21 a replica took over within the day": Case(
        [OLD, build("2.0", -25, -24)], 60 / 3600, facts={"standing": Standing(promoted=True)}
    ),
    "22 and lost the last records": Case(
        says="nobody recorded", facts={**session("shop/1.7"), "standing": Standing(promoted=True)}
    ),
    "22 and may have lost some, strict": Case(
        says="later ones may be lost", policy=STRICT, facts={"standing": Standing(promoted=True)}
    ),
    "23 the clock jumps 25 hours forward": Case(says="ahead", facts={"standing": Standing(ahead=25 * 3600.0)}),
    "23 the clock was set back": Case(says="something was recorded at", facts={"standing": Standing(newest=at(1))}),
    "23 the clock was behind when the end was recorded": Case([OLD, build("2.0", -31, -30, late=3600 * 20.0)], 14.0),
    "24 days of 23 hours in local time": Case([OLD, build("2.0", -25, -23.5)], 0.5),
    "25 nobody looked for 10 hours": Case(
        says="no look between", policy=STRICT, facts={"evidence": [Reading("looks", Looked.UNSEEN, "no look between")]}
    ),
    "26 a flag can still choose the old path": Case(
        says="flag new-name can", facts=seen("flag new-name can choose users.full_name")
    ),
    "27 an A/B test with an old arm": Case(
        [OLD, NEW, build("1.5", -29, -28, strategy="ab", keeps=True)], says="shop 1.5"
    ),
    "27 an A/B test whose old arm was stopped": Case(
        [OLD, NEW, build("1.5", -29, -28, strategy="ab", keeps=True, stopped_at=at(-10))], 14.0
    ),
    "28 a shadow of the new version is no deployment": Case(
        [OLD, build("2.0", -31, -30, strategy="shadow")], says="no successful deployment"
    ),
    "28 a shadow of the old version is live": Case(
        [OLD, NEW, build("1.0", -28, -27, strategy="shadow")], says="shop 1.0"
    ),
    "28 a shadow that did badly is no deployment that failed": Case(
        [OLD, NEW, build("2.1", -10, -9, strategy="shadow", status="rolled_back")], OPEN
    ),
    "28 a shadow that did well hides no deployment that failed": Case(
        [
            OLD,
            NEW,
            build("2.1", -12, -11, status="failed"),
            build("2.2", -10, -9, strategy="shadow", stopped_at=at(-9)),
        ],
        says="shop 2.1 in production: failed",
    ),
    "29 a hotfix of which nothing is declared": Case(
        [OLD, NEW, build("2.0-hotfix", -3, -2, clean=False, declared=False)], says="shop 2.0-hotfix"
    ),
    "30 another artifact of the same version": Case(
        [OLD, NEW, build("2.0", -3, -2, clean=False, declared=False, digest="sha256:b")], says="shop 2.0"
    ),
    "30 a session of either": Case(
        [
            OLD,
            build("2.0", -60, -59, digest="sha256:b", clean=False, declared=False),
            build("2.0", -31, -30, digest="sha256:a"),
        ],
        says="does not survive the contract: pid 7",
        facts=session("shop/2.0"),
    ),
    "31 a trigger sees a write in the old shape": Case(says="4 writes", facts=seen("4 writes in the old shape")),
    "32 SELECT * reads the old column": Case(says="SELECT *", facts=seen("SELECT * FROM users")),
    "32 a statement was last seen three hours ago": Case(
        opens=21.0, facts={"evidence": [Reading("a look", Looked.CLEAN, "none", last_seen=at(-3))]}
    ),
    "33 a deployment has begun meanwhile": Case([OLD, NEW, build("2.1", 0)], says="no deployment running"),
    "38 another contract": Case(opens=OPEN, facts={"state": "contracting"}),
    "40 the versions in no order": Case([build("3.0", -99, -98), build("2.9", -31, -30)], OPEN),
    "42 the same event twice": Case([OLD, NEW, NEW, OLD], OPEN),
    "43 the end before the start": Case([OLD, NEW, build("1.3", -2, -2)], says="shop 1.3"),
    "43 the end of an old build heard of late": Case(
        [NEW, build("1.0", -20, -20, status="failed")], None, "1.0 in production: failed"
    ),
    "44 a record was changed by hand": Case(
        says="record 1 of deployments was changed", facts={"altered": ["record 1 of deployments was changed"]}
    ),
    "45 fewer hours in the settings": Case([OLD, build("2.0", -21, -20)], 4.0, policy=Policy(hours=1)),
    "45 more hours in the settings": Case(opens=18.0, policy=Policy(hours=48)),
    "46 an application that is gone for good": Case(
        [OLD, NEW, build("1.0", -99, -98, application="billing")],
        -1.0,
        facts={"consumers": [Consumer("billing", "production", retired_at=at(-25))]},
    ),
    "46 one that is back": Case(
        [OLD, NEW, build("1.0", -5, -4, application="billing")],
        says="billing 1.0",
        facts={"consumers": [Consumer("billing", "production", retired_at=at(-25))]},
    ),
    "47 another database of many is shut": Case(opens=OPEN),
    "37 a copy of the database": Case(
        [], says="no deployment was ever recorded", facts={"standing": Standing(elsewhere=2)}
    ),
    "48 a fresh backup is required, and there is one": Case(opens=OPEN, facts=required(Result.PASSED)),
    "48 a fresh backup is required, and nobody made one": Case(
        says="not known: of when", facts=required(Result.UNKNOWN)
    ),
    "48 a required item that was waived": Case(says="waived: of when", facts=required(Result.WAIVED)),
    "37 a copy that cannot be told from a failover": Case(
        says="this one took over, or is a copy", facts={"standing": Standing(moved=["shop in production"])}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_gate(name):
    case = CASES[name]
    verdict = case.verdict
    expected = at(case.opens) if case.opens is not None else None
    assert verdict.opens_at == expected
    assert verdict.open is (expected is not None and expected <= NOW)
    said = "\n".join(f"{c.name}: {c.evidence} {c.remedy}" for c in verdict.conditions)
    assert case.says in said
    if not verdict.open:
        failing = "\n".join(f"{c.name}: {c.evidence} {c.remedy}" for c in verdict.failing)
        assert case.says in failing
        assert expected is None or expected > NOW


def test_case_24_local_time_changes_nothing():
    """The night in which clocks go forward, told by a server in Berlin."""
    berlin = timezone(timedelta(hours=2))
    case = CASES["24 days of 23 hours in local time"]
    local = [replace(d, started_at=d.started_at.astimezone(berlin)) for d in case.records]
    assert replace(case, records=local).verdict == case.verdict


LINES = {"a": frozenset("a"), "b": frozenset("ab"), "c": frozenset("abc"), "d": frozenset("abcd")}
BUILDS = {
    "08 back to the old build before the contract": ("b", {"c": "migrated"}, ()),
    "34 the contract crashed behind its point of no return": ("b", {"c": "contracting"}, ("c",)),
    "34 and was taken back": ("b", {"c": "migrated"}, ()),
    "35 the contract is half done": ("b", {"c": "contracting"}, ("c",)),
    "36 the backup of before the contract was restored": ("b", {"c": "migrated"}, ()),
    "38 of two contracts one is done": ("c", {"c": "contracted", "d": "migrated"}, ()),
    "39 the shape was brought back by a later revision": ("d", {"c": "purged", "d": "migrated"}, ()),
    "39 a build of before is gone for good": ("b", {"c": "purged", "d": "migrated"}, ("c",)),
    "40 an older version that survives it": ("c", {"c": "contracted"}, ()),
    "41 an automatic rollback a minute after the contract": ("b", {"c": "contracting"}, ("c",)),
    "29 a hotfix of which nothing is declared": (None, {"c": "contracted"}, ("c",)),
}


@pytest.mark.parametrize("name", BUILDS)
def test_the_floor(name):
    survives, states, gone = BUILDS[name]
    known = {revision: RevisionState(state) for revision, state in states.items()}
    verdict = judge_build(survives, survives, known, LINES, frozenset("abcd"))
    assert verdict.gone == gone
    assert verdict.allowed is not bool(gone)


ASKED = Permission("c", frozenset({"no deployment running"}), "ann", at(0.5))
SHUT = Case([OLD, NEW, build("2.1", -1)])
OVERRIDES = {
    "48 what it was asked for": (ASKED, SHUT, ""),
    "48 with two approvers": (replace(ASKED, needed=2, approvers=("bob", "eve")), SHUT, ""),
    "48 with one of two": (replace(ASKED, needed=2, approvers=("bob",)), SHUT, "1 of 2 approvals"),
    "48 approved by who asked": (replace(ASKED, needed=1, approvers=("ann",)), SHUT, "0 of 1 approvals"),
    "48 after an hour": (replace(ASKED, expires_at=NOW), SHUT, "expired"),
    "48 a second time": (replace(ASKED, used_at=at(-0.1)), SHUT, "has been used"),
    "48 of another revision": (replace(ASKED, revision="b"), SHUT, "it is for b"),
    "48 something else is in the way by now": (
        ASKED,
        replace(SHUT, facts=session("shop/1.0")),
        "no session of an old build did hold",
    ),
    "48 while a backfill runs": (
        ASKED,
        replace(SHUT, facts={"state": "migrating"}),
        "no override is possible: migrated",
    ),
    "48 after rows were found to differ": (
        ASKED,
        replace(SHUT, facts={"verified": False}),
        "no override is possible: ver",
    ),
    "48 without the backup that is required": (
        ASKED,
        replace(SHUT, facts=required(Result.FAILED)),
        "no override is possible: backup",
    ),
    "48 without the smoke test that is required": (
        replace(ASKED, blockers=ASKED.blockers | {"smoke"}),
        replace(SHUT, facts=required(Result.FAILED, "smoke")),
        "",
    ),
    "44 a record was changed by hand": (
        ASKED,
        replace(SHUT, facts={"altered": ["x"]}),
        "no override is possible: records",
    ),
    "31 something wrote in the old shape just now": (
        ASKED,
        replace(SHUT, facts=seen("a write", overridable=False)),
        "no override is possible: a look",
    ),
}


@pytest.mark.parametrize("name", OVERRIDES)
def test_the_override(name):
    permission, case, why = OVERRIDES[name]
    said = refusal(permission, case.verdict, "c", NOW)
    assert why in said
    assert bool(said) is bool(why)


def test_enough_clean_deployments():
    """Time alone does not do where the settings ask for more than one."""
    twice = Policy(deployments=2)
    assert not Case(policy=twice).verdict.open
    again = build("2.1", -3, -2)
    assert Case([OLD, NEW, again], policy=twice).verdict.open
    between = [OLD, NEW, build("1.0", -29, -28, status="failed"), again]
    assert not Case(between, policy=twice).verdict.open


def test_every_case_has_its_number():
    numbers = {int(name[:2]) for name in (*CASES, *BUILDS, *OVERRIDES)}
    assert numbers == set(range(1, 49))
