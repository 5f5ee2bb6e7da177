"""Shadows on paper: which answers differ, whether users wait longer, and what is refused before one begins."""

from __future__ import annotations

import json
import re

import pytest

from migrator.dialects.mysql import writing
from migrator.errors import UsageError
from migrator.rollouts import configuration as configuring
from migrator.rollouts import planning
from migrator.rollouts.plan import ExperimentRules, RolloutPlan, Rules
from migrator.rollouts.shadowing import configuration as shadowing
from migrator.rollouts.shadowing.configuration import Shadowing
from migrator.rollouts.shadowing.differing import Answer, canonical, difference
from migrator.rollouts.shadowing.judging import judge, slowed
from migrator.rollouts.targets import target_of
from migrator.rollouts.trial_planning import problems

FIELDS = Shadowing(ignored=(("at",), ("items", "id"), ("*", "trace")), patterns=(re.compile(r"t-\d+"),))
STATUS = Shadowing(body=False)
DIFFERENCES = {
    "the same": (FIELDS, (200, b"a"), (200, b"a"), ""),
    "a status": (FIELDS, (200, b"a"), (500, b"a"), "status 500 instead of 200"),
    "no answer": (FIELDS, (200, b"a"), (0, b""), "status no answer instead of 200"),
    "both fail alike": (FIELDS, (500, b"x"), (500, b"x"), ""),
    "text": (FIELDS, (200, b"ab"), (200, b"abc"), "body: 3 bytes instead of 2, or other ones"),
    "text that is ignored": (FIELDS, (200, b"by t-12"), (200, b"by t-977"), ""),
    "an order of fields": (FIELDS, (200, b'{"a": 1, "b": 2}'), (200, b'{"b":2,"a":1}'), ""),
    "a value": (FIELDS, (200, b'{"a": {"b": 1}}'), (200, b'{"a": {"b": 2}}'), "body: a.b is another"),
    "a type": (FIELDS, (200, b'{"a": 1}'), (200, b'{"a": true}'), "body: a is another"),
    "a field that is missing": (FIELDS, (200, b'{"a": 1}'), (200, b"{}"), "body: a is missing"),
    "a field more": (FIELDS, (200, b"{}"), (200, b'{"a": null}'), "body: a is added"),
    "a field that is ignored": (FIELDS, (200, b'{"at": 1}'), (200, b'{"at": 2}'), ""),
    "one in a list": (FIELDS, (200, b'{"items": [{"id": 1, "n": 3}]}'), (200, b'{"items": [{"id": 2, "n": 3}]}'), ""),
    "one under any name": (FIELDS, (200, b'{"x": {"trace": 1}}'), (200, b'{"x": {"trace": 2}}'), ""),
    "the same name elsewhere": (
        FIELDS,
        (200, b'{"x": {"at": 1}}'),
        (200, b'{"x": {"at": 2}}'),
        "body: x.at is another",
    ),
    "a list": (FIELDS, (200, b"[1, 2]"), (200, b"[1]"), "body: it has 1 items instead of 2"),
    "an item": (FIELDS, (200, b"[1, 2]"), (200, b"[1, 3]"), "body: [1] is another"),
    "only the status counts": (STATUS, (200, b"a"), (200, b"b"), ""),
}


@pytest.mark.parametrize(("settings", "live", "shadow", "said"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_differs_is_named_and_what_is_ignored_does_not(settings, live, shadow, said):
    assert difference(Answer(*live), Answer(*shadow, problem="no answer"), settings) == said


def test_the_log_has_nothing_of_what_an_answer_says():
    found = Answer(200, b'{"name": "Ada"}').facts(FIELDS)
    assert found.keys() == {"status", "bytes", "seconds", "digest"}
    assert "Ada" not in str(found)
    assert "Ada" in canonical(b'{"name": "Ada"}', FIELDS)


JUDGED = {
    "enough, and all the same": (100, 0, 0.0, "pass"),
    "too few": (99, 0, 0.0, "insufficient_traffic"),
    "one of which none may": (20, 1, 0.0, "fail"),
    "as many as may": (100, 1, 0.01, "pass"),
    "more than may": (100, 2, 0.01, "fail"),
    "few, and nearly all": (5, 5, 0.01, "fail"),
    "one of few": (5, 1, 0.05, "insufficient_traffic"),
}


@pytest.mark.parametrize(("compared", "differing", "limit", "verdict"), JUDGED.values(), ids=JUDGED)
def test_answers_that_differ_have_a_limit(compared, differing, limit, verdict):
    assert judge(compared, differing, Shadowing(differences=limit)).verdict == verdict


@pytest.mark.parametrize(
    ("before", "waits", "slow"),
    [
        (0.1, [0.1] * 20, False),
        (0.1, [0.2] * 19, False),
        (0.1, [0.2] * 20, True),
        (0.1, [0.15] * 20, False),
        (0.1, [0.1] * 19 + [9.0], False),
        (0.001, [0.02] * 50, False),
        (0.001, [0.03] * 50, True),
        (0.1, [0.1] * 500 + [0.2] * 100, True),
        (0.1, [0.2] * 100 + [0.1] * 100, False),
    ],
)
def test_users_who_wait_longer_than_before_are_noticed(before, waits, slow):
    assert bool(slowed(before, waits, Shadowing())) == slow


TABLE = {"percent": 10, "duration": "10m", "database": "none"}


def made(folder, **change):
    shadow = {key: value for key, value in {**TABLE, **change}.items() if value is not None}
    pools = {"blue": {"b1": "h:1"}, "green": {"g1": "h:2"}}
    data = {"app": "shop", "strategy": "shadow", "pools": pools, "target": {"kind": "nginx", "include": "x"}}
    return configuring.read({**data, "probe": {"url": "http://shop/"}, "shadow": shadow}, folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"percent": None}, "does not say percent"),
        ({"percnt": 5}, 'did you mean "percent"?'),
        ({"percent": 0}, "above 0"),
        ({"database": None}, "says nowhere how the shadow reaches the database"),
        ({"database_env": "SHADOW"}, "says database_env and database how"),
        ({"database": None, "database_env": "SHADOW"}, "does not say what starts the shadow with that role"),
        ({"methods": ["GET", "POST"]}, "a copy of POST writes a second time"),
        ({"methods": ["PST"]}, 'did you mean "POST"?'),
        ({"writes": "sandbox"}, 'did you mean "sandboxed"?'),
        ({"requests": ["orders"]}, "'orders' is no path"),
        ({"ignore": ["("]}, "is no regular expression"),
        ({"slower": 0.9}, "above 1"),
        ({"differences": "1%", "minimum": 100}, "300 are needed"),
        ({"then": "ab"}, "must be one of stop, rolling, canary, blue-green"),
        ({"start": "run {sever}"}, 'did you mean "{server}"?'),
    ],
)
def test_a_shadow_that_could_do_harm_or_say_nothing_is_refused(tmp_path, change, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        shadowing.read(made(tmp_path, **change))


def test_nobody_would_notice_that_users_wait(tmp_path):
    found = made(tmp_path)
    quiet = configuring.read({key: value for key, value in found.data.items() if key != "probe"}, tmp_path)
    with pytest.raises(ValueError, match=re.escape("[tool.migrator.rollout.probe] url")):
        shadowing.read(quiet)


def test_writing_requests_are_copied_where_the_shadow_is_a_sandbox(tmp_path):
    safe = "".join(target_of(made(tmp_path)).files().values())
    assert "POST" not in safe
    assert "mirror_request_body off" in safe
    given = {"methods": ["GET", "POST"], "writes": "sandboxed"}
    shadowing.read(made(tmp_path, **given))
    every = "".join(target_of(made(tmp_path, **given)).files().values())
    assert "POST $migrator_copied" in every
    assert "mirror_request_body on" in every


GRANTS = [
    ("GRANT USAGE ON *.* TO `s`@`%`", ""),
    ("GRANT SELECT, SHOW VIEW ON `shop`.* TO `s`@`%`", ""),
    ("GRANT SELECT, INSERT ON `shop`.* TO `s`@`%`", "INSERT on `shop`.*"),
    ("GRANT SELECT, UPDATE (`a`, `b`) ON `shop`.`users` TO `s`@`%`", "UPDATE on `shop`.`users`"),
    ("GRANT ALL PRIVILEGES ON *.* TO `s`@`%` WITH GRANT OPTION", "ALL PRIVILEGES on *.*"),
    ("GRANT ALL PRIVILEGES ON `other`.* TO `s`@`%`", ""),
    ("GRANT DELETE ON `sh%`.* TO `s`@`%`", "DELETE on `sh%`.*"),
    ("GRANT DELETE ON `sh\\_p`.* TO `s`@`%`", ""),
    ("GRANT DELETE ON `sh_p`.* TO `s`@`%`", "DELETE on `sh_p`.*"),
    ('GRANT DELETE ON "shop"."users" TO "s"@"%"', 'DELETE on "shop"."users"'),
    ("GRANT `writer`@`%` TO `s`@`%`", ""),
    ("GRANT EXECUTE ON PROCEDURE `shop`.`p` TO `s`@`%`", ""),
]


@pytest.mark.parametrize(("grant", "said"), GRANTS)
def test_grants_that_write_are_found(grant, said):
    assert writing(grant, "shop") == said


ROUTED = [{"header": "x-canary", "value": "1", "pool": "green"}]
UNABLE = {
    "users would have its answers": (
        "shadow",
        {"target": {"kind": "shell", "routes": ROUTED}},
        Rules(),
        "users would have its answers",
    ),
    "no pool for it": ("shadow", {"pools": {"blue": {"b1": "h:1"}}}, Rules(), "needs a pool besides blue"),
    "who has the variant is no chance": ("ab", {"target": {"kind": "shell", "routes": ROUTED}}, Rules(), "no chance"),
    "a third arm": ("ab", {}, Rules(baseline="grey"), "no baseline besides blue"),
    "one server that cannot be rolled": (
        "ab",
        {},
        Rules(experiment=ExperimentRules(50.0, 1, (9, 9), 1.96)),
        "would leave none for control's users",
    ),
}


@pytest.mark.parametrize(("strategy", "change", "rules", "said"), UNABLE.values(), ids=UNABLE)
def test_what_cannot_be_carried_out_is_refused_before_anything_is_touched(tmp_path, strategy, change, rules, said):
    data = {**made(tmp_path).data, "strategy": strategy, "target": {"kind": "shell"}, **change}
    found = configuring.read(data, tmp_path)
    idle = "green" if "green" in {server.pool for server in found.fleet} else ""
    plan = RolloutPlan("shop", "production", strategy, "2.0", "1.0", found.fleet, "blue", idle, rules)
    assert said in "; ".join(problems(found, plan))


def test_a_target_that_copies_nothing_has_no_shadow(tmp_path):
    printed = {"servers": {name: {"state": "ready", "in_flight": 0, "up": True} for name in ("b1", "g1")}}
    (tmp_path / "state").write_text(json.dumps({**printed, "shares": {"blue": 100}}))
    verbs = dict.fromkeys(("admit", "drain", "remove", "split"), "true")
    target = {"kind": "shell", "look": "cat state", **verbs}
    found = configuring.read({**made(tmp_path).data, "target": target}, tmp_path)
    with pytest.raises(UsageError, match="shadow needs a target that can mirror"):
        planning.plan(found, target_of(found), "2.0", "1.0")
    able = configuring.read({**found.data, "target": {**target, "mirror": "true"}}, tmp_path)
    assert planning.plan(able, target_of(able), "2.0", "1.0").rules.shadow.percent == 10
    later = configuring.read({**able.data, "shadow": {**TABLE, "then": "canary"}}, tmp_path)
    with pytest.raises(UsageError, match="would leave none for the traffic"):
        planning.plan(later, target_of(later), "2.0", "1.0")
