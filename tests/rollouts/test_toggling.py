"""A feature flag on its way from the old to the new shape, as tables."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from migrator.errors import UsageError
from migrator.flag_report import report
from migrator.flagging import Moved
from migrator.rollouts import configuration as configuring
from migrator.rollouts import flag_rules, toggling
from migrator.rollouts.draining import Ages
from migrator.rollouts.evaluating import differs
from migrator.rollouts.flags import flags_of
from migrator.rollouts.model import Flag, MayRun, Outcome
from migrator.rollouts.plan import CanaryStep, RolloutPlan, Rules, Segment, Toggle
from migrator.rollouts.sticky import Users
from migrator.rollouts.strategies import STRATEGIES
from migrator.rollouts.targets.base import Connection
from migrator.rollouts.targets.haproxy import sessions
from phases.flags import Selecting, Variants, needs, reading, refusal
from phases.gate_facts import Looked
from phases.shapes import RevisionState

VARIANTS = Variants("legacy_read", "dual_write", "new_read")
QA = Segment("team", ("qa",))
ISLANDS = Segment("country", ("NZ", "AU"))
DIVIDED = {"fractional": [{"var": "id"}, ["new_read", 5], ["legacy_read", 95]]}
OWN = [{"==": [{"var": "plan"}, "gold"]}, "new_read"]
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "refused"),
    [
        ("none", {"dual_write", "new_read"}),
        ("expanding", {"dual_write", "new_read"}),
        ("expanded", {"new_read"}),
        ("migrating", {"new_read"}),
        ("migrated", set()),
        ("contracting", {"legacy_read", "dual_write"}),
        ("contracted", {"legacy_read", "dual_write"}),
        ("purged", {"legacy_read", "dual_write"}),
        ("restoring", {"legacy_read", "dual_write", "new_read"}),
        ("aborting", {"dual_write", "new_read"}),
    ],
)
def test_a_variant_is_refused_where_the_shapes_it_needs_are_not(state, refused):
    every = ("legacy_read", "dual_write", "new_read")
    found = {name for name in every if refusal(VARIANTS, "rename", RevisionState(state), [name])}
    assert found == refused
    assert all("rename" in refusal(VARIANTS, "rename", RevisionState(state), [name]) for name in found)


ANCESTORS = {"base": {"base"}, "rename": {"base", "rename"}, "later": {"base", "rename", "later"}}


@pytest.mark.parametrize(
    ("known", "new", "needed"),
    [
        (("rename", "rename"), True, ("rename", "base")),
        (("base", "base"), True, ("rename", "base")),
        (("later", "later"), True, ("later", "base")),
        (("rename", "rename"), False, ("base", "base")),
        (("base", None), False, ("base", None)),
        ((None, None), True, ("rename", None)),
    ],
)
def test_a_version_that_can_select_the_old_path_survives_no_contract_of_it(known, new, needed):
    assert needs(*known, "rename", "base", ANCESTORS, new=new) == needed


def test_the_gate_stays_shut_while_a_version_that_is_live_can_select_the_old_path():
    assert reading([]) is None
    able = Selecting("read_name", "shop", "production", "2.0", {"new_read": 100.0}, live=True)
    gone = Selecting("read_name", "shop", "production", "1.9", {"new_read": 100.0}, live=False, until=NOW)
    seen = reading([able, gone])
    assert seen.looked is Looked.SEEN
    assert "shop 2.0 in production can select the old path by flag read_name" in seen.evidence
    clean = reading([gone])
    assert (clean.looked, clean.last_seen) == (Looked.CLEAN, NOW)


@pytest.mark.parametrize(
    ("targeting", "segments", "variant", "after"),
    [
        (DIVIDED, [QA], "new_read", {"if": [{"==": [{"var": "team"}, "qa"]}, "new_read", DIVIDED]}),
        (DIVIDED, [QA], "", DIVIDED),
        (
            {"if": [*OWN, DIVIDED]},
            [ISLANDS],
            "new_read",
            {"if": [{"in": [{"var": "country"}, ["NZ", "AU"]]}, "new_read", *OWN, DIVIDED]},
        ),
        ({"if": [{"==": [{"var": "team"}, "qa"]}, "new_read", *OWN, DIVIDED]}, [QA], "", {"if": [*OWN, DIVIDED]}),
        ({"if": [{"==": [{"var": "team"}, "qa"]}, "dual_write", DIVIDED]}, [QA], "", DIVIDED),
    ],
)
def test_our_segments_come_first_and_go_again_and_others_stay(targeting, segments, variant, after):
    assert flag_rules.ahead(targeting, segments, variant) == after
    assert flag_rules.segmented(after) == [part for part in after.get("if", [])[1::2] if isinstance(part, str)]


def evaluated(**counts):
    return [variant for variant, count in counts.items() for _ in range(count)]


@pytest.mark.parametrize(
    ("found", "shares", "before", "said"),
    [
        (evaluated(new=52, old=948), {"new": 5, "old": 95}, (), ""),
        (evaluated(new=200, old=800), {"new": 5, "old": 95}, (), "20.0 % get new, and 5 % should"),
        (evaluated(old=1000), {"new": 1, "old": 99}, (), "0.0 % get new"),
        (evaluated(new=1, old=999), {"new": 0, "old": 100}, (), "0.1 % get new"),
        (evaluated(new=999, old=1), {"new": 100, "old": 0}, (), "99.9 % get new"),
        (evaluated(other=1, old=999), {"new": 0, "old": 100}, (), "evaluates other"),
        (evaluated(new=260, old=740), {"new": 25, "old": 75}, evaluated(old=950, new=50), "50 of 1000 users lost new"),
        (evaluated(new=260, old=740), {"new": 25, "old": 75}, evaluated(new=50, old=950), ""),
        (evaluated(new=50, old=950), {"new": 5, "old": 95}, evaluated(new=250, old=750), ""),
    ],
)
def test_an_application_that_evaluates_something_else_is_found(found, shares, before, said):
    assert said in differs(found, shares, before)
    assert bool(said) == bool(differs(found, shares, before))


STEPS = (CanaryStep(5, 60.0), CanaryStep(50, None))
TOGGLE = Toggle("read_name", "rename", "new_read", "legacy_read", segments=(QA,), ahead=60.0)


def driven(fails=None, refused=()):
    """The actions of a toggle, and how it ended; the one of a number does not go well, nor do those of some kinds."""
    rules = Rules(steps=STEPS, bake=10.0)
    plan = RolloutPlan("shop", "production", "toggle", "2.0", "2.0", (), "blue", "", rules, TOGGLE)
    machine, taken = STRATEGIES["toggle"](plan), []
    action = next(machine)
    try:
        while True:
            taken.append(action)
            bad = len(taken) - 1 == fails or isinstance(action, refused)
            action = machine.send(Outcome(ok=not bad, reason="it broke" if bad else ""))
    except StopIteration as over:
        return taken, over.value


def test_whatever_fails_everybody_has_the_former_variant_again_or_the_version_may_not_run():
    taken, ending = driven()
    assert ending.status == "succeeded"
    assert [(a.shares["new_read"], a.ahead) for a in taken if isinstance(a, Flag)] == [
        (0, "new_read"),
        (5, "new_read"),
        (50, "new_read"),
        (100, ""),
    ]
    for number in range(len(taken)):
        done, ending = driven(number)
        flags = [action for action in done if isinstance(action, Flag)]
        if number == 0:
            assert (ending.status, flags) == ("refused", [])
            continue
        assert ending.status == "rolled_back", number
        assert flags[-1] == Flag("read_name", {"legacy_read": 100, "new_read": 0}, (QA,))
        held, ending = driven(number, MayRun)
        assert ending.status == "held"
        assert not any(isinstance(action, Flag) for action in held[number + 1 :])


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        (["1", "1", "2", "2"], {"users": 1, "most": 1, "mean": 1.0, "back": 0}),
        (["1", "2", "1", "2"], {"users": 1, "most": 3, "mean": 3.0, "back": 2}),
        (["1", "", "1"], {"users": 1, "most": 0, "mean": 0.0, "back": 0}),
    ],
)
def test_changes_of_a_user_between_versions_are_counted(answers, changes):
    users = Users()
    for version in answers:
        users.note("ann", version, failed=not version)
    assert users.facts() == {"arm_changes": changes}


def test_old_connections_end_within_the_jitter_and_younger_ones_when_they_are_old():
    ages = Ages(limit=60.0, jitter=10.0, draw=lambda: 0.5)
    old, young = Connection("old", 300.0), Connection("young", 20.0)
    assert ages.due([old, young], now=1000.0) == []
    assert ages.due([old, young], now=1005.0) == ["old"]
    assert ages.due([young], now=1044.0) == []
    assert ages.due([young], now=1045.0) == ["young"]


def test_sessions_of_a_server_are_those_of_the_answer():
    said = """0x1: proto=tcpv4 src=127.0.0.1:1 fe=shop be=blue srv=b1 ts=00 age=1m20s calls=2
0x2: proto=tcpv4 src=127.0.0.1:1 fe=shop be=blue srv=b2 ts=00 age=5s calls=2
0x3: proto=unix_stream src=unix:1 fe=GLOBAL be=<NONE> srv=<none> ts=00 age=0s calls=1"""
    assert list(sessions(said, "blue", "b1")) == [Connection("0x1", 80.0)]


def moved(shares, days):
    return Moved("flag", "rename", "shop", "production", "2.0", {}, shares, NOW - timedelta(days=days))


KNOWN = Toggle("flag", "rename", "", "")
FLAG = {"variants": {"legacy_read": 1, "new_read": 2}, "defaultVariant": "new_read", "state": "ENABLED"}


@pytest.mark.parametrize(
    ("flag", "known", "last", "state", "said"),
    [
        (FLAG, KNOWN, moved({"new_read": 100}, 29), "migrated", ""),
        (FLAG, KNOWN, moved({"new_read": 100, "legacy_read": 0}, 31), "migrated", "everybody has had new_read for 31"),
        (FLAG, KNOWN, moved({"new_read": 50, "legacy_read": 50}, 31), "migrated", "somebody else has changed it"),
        (FLAG, KNOWN, None, "contracted", "rename is contracted: legacy_read would fail"),
        (FLAG, None, None, "migrated", "no configuration names it"),
        (None, KNOWN, None, "migrated", "the file does not have it"),
        ({**FLAG, "targeting": DIVIDED}, KNOWN, None, "migrated", ""),
    ],
)
def test_a_flag_that_could_go_is_reported_with_the_reason(flag, known, last, state, said):
    found = report("flag", flag, known, last, {"rename": state}, NOW, timedelta(days=30))
    assert said in " ".join(found.findings)
    assert bool(said) == bool(found.findings)


@pytest.fixture
def configured(tmp_path):
    def configured(known, shares=(("legacy_read", 100), ("new_read", 0)), **settings):
        variants = dict.fromkeys(("legacy_read", "dual_write", "new_read"), 1)
        rule = {"fractional": [{"var": "id"}, *map(list, shares)]}
        flag = {"state": "ENABLED", "variants": variants, "defaultVariant": "legacy_read", "targeting": rule}
        (tmp_path / "flags.json").write_text(json.dumps({"flags": {"read_name": flag}}))
        data = {"app": "shop", "strategy": "toggle", "pools": {"blue": {"b1": "127.0.0.1:1"}}}
        own = {"kind": "flagd", "file": "flags.json", "evaluated": "http://{address}/flags", "known": known}
        return configuring.read({**data, "flags": {**own, **settings}}, tmp_path)

    return configured


NAMED = {"read_name": {"revision": "rename", "segments": [{"attribute": "team", "equals": "qa"}], "ahead": "1m"}}


def test_a_flag_moves_from_what_everybody_has(configured):
    found = toggling.chosen(configured(NAMED), None, None)
    assert found == Toggle("read_name", "rename", "new_read", "legacy_read", segments=(QA,), ahead=60.0)
    assert toggling.chosen(configured(NAMED), "read_name", "dual_write").variant == "dual_write"


@pytest.mark.parametrize(
    ("known", "words", "settings", "said"),
    [
        ({}, (None, None), {}, "none is configured"),
        (NAMED, ("read_nam", None), {}, "not configured"),
        ({**NAMED, "other": {"revision": "r"}}, (None, None), {}, "several flags"),
        (NAMED, (None, "on"), {}, "no variant on"),
        (NAMED, (None, "legacy_read"), {}, "everybody has legacy_read"),
        (NAMED, (None, None), {"shares": (("legacy_read", 50), ("new_read", 50))}, "split already"),
        (NAMED, (None, None), {"evaluated": "http://{adress}/"}, "stands for nothing"),
        ({"read_name": {}}, (None, None), {}, "does not say what it belongs to"),
        ({"read_name": {"revison": "r"}}, (None, None), {}, 'did you mean "revision"'),
        ({"read_name": {"revision": "r", "segments": [{"equals": "qa"}]}}, (None, None), {}, "each has an attribute"),
        ({"read_name": {"revision": "r", "new": "legacy_read"}}, (None, None), {}, "three variants"),
    ],
)
def test_a_flag_that_cannot_be_moved_so_is_refused(configured, known, words, settings, said):
    with pytest.raises(UsageError, match=said):
        toggling.chosen(configured(known, **settings), *words)


def test_what_says_how_the_application_evaluates_is_needed(configured):
    found = configured(NAMED)
    silent = configuring.read({**found.data, "flags": {"file": "flags.json", "known": NAMED}}, found.folder)
    with pytest.raises(UsageError, match="nothing says how the application evaluates"):
        toggling.chosen(silent, None, None)
    assert flags_of(silent).evaluated == ""
