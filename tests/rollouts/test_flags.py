"""Feature flags: shares in a file that applications watch."""

from __future__ import annotations

import json
import sys

import pytest

from migrator.rollouts import configuration as configuring
from migrator.rollouts.flags import flags_of
from migrator.rollouts.model import Flag
from migrator.rollouts.performing import World
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.targets.base import TargetFailed

SEGMENT = {"==": [{"var": "team"}, "qa"]}
FLAGS = {
    "new_read": {"state": "ENABLED", "variants": {"on": True, "off": False}, "defaultVariant": "off"},
    "checkout": {
        "state": "ENABLED",
        "variants": {"on": True, "off": False},
        "defaultVariant": "off",
        "targeting": {"if": [SEGMENT, "on", {"fractional": [["on", 1], ["off", 3]]}]},
    },
    "other": {
        "state": "ENABLED",
        "variants": {"on": 1},
        "defaultVariant": "on",
        "targeting": {"ends_with": ["a", "b"]},
    },
    "off": {"state": "DISABLED", "variants": {"on": 1}, "defaultVariant": "on"},
}


@pytest.fixture
def configured(tmp_path):
    (tmp_path / "flags.json").write_text(json.dumps({"$schema": "kept", "flags": FLAGS}))

    def configured(**settings):
        data = {
            "app": "shop",
            "strategy": "toggle",
            "pools": {"blue": {"b1": "127.0.0.1:1"}},
            "target": {"kind": "shell"},
            "flags": {"kind": "flagd", "file": "flags.json", **settings},
        }
        return configuring.read(data, tmp_path)

    return configured


def test_a_share_is_a_rule_that_grows_from_its_lower_end_and_leaves_the_rest_as_it_is(configured, tmp_path):
    flags = flags_of(configured())
    assert flags.look("new_read") == {"on": 0, "off": 100}
    flags.set("new_read", {"off": 75, "on": 25})
    assert flags.look("new_read") == {"on": 25, "off": 75}
    written = json.loads((tmp_path / "flags.json").read_text())
    assert written["$schema"] == "kept"
    assert written["flags"]["new_read"]["targeting"]["fractional"][1:] == [["on", 25], ["off", 75]]
    assert {name: flag for name, flag in written["flags"].items() if name != "new_read"} == {
        name: flag for name, flag in FLAGS.items() if name != "new_read"
    }


def test_segments_stay_before_the_share(configured, tmp_path):
    flags = flags_of(configured())
    assert flags.look("checkout") == {"on": 25, "off": 75}
    flags.set("checkout", {"off": 0, "on": 100})
    assert flags.look("checkout") == {"on": 100, "off": 0}
    assert json.loads((tmp_path / "flags.json").read_text())["flags"]["checkout"]["targeting"]["if"][:2] == [
        SEGMENT,
        "on",
    ]


@pytest.mark.parametrize(
    ("name", "shares", "said"),
    [
        ("missing", {"on": 100}, "has no flag missing"),
        ("off", {"on": 100}, "needs state ENABLED"),
        ("new_read", {"up": 100}, "has no variant up"),
        ("new_read", {"off": 50, "on": 40}, "100 together"),
        ("new_read", {"off": 99.5, "on": 0.5}, "whole percents"),
        ("other", {"on": 100}, "neither fractional nor an if"),
    ],
)
def test_what_cannot_be_set_is_refused_and_nothing_written(configured, tmp_path, name, shares, said):
    before = (tmp_path / "flags.json").read_text()
    with pytest.raises(TargetFailed, match=said):
        flags_of(configured()).set(name, shares)
    assert (tmp_path / "flags.json").read_text() == before


def test_an_action_sets_a_flag_once_the_application_sees_it(configured):
    seeing = f'{sys.executable} -c \'import os; assert os.environ["MIGRATOR_FLAG"] == "new_read"\''
    for verify, ok in ((seeing, True), (f"{sys.executable} -c 'raise SystemExit(1)'", False)):
        found = configured(verify=verify)
        plan = RolloutPlan("shop", "production", "toggle", "2.0", "1.0", (), "blue", "")
        world = World(found, plan, None, None, None, None, None, None, flags_of(found))
        action = Flag("new_read", {"off": 90, "on": 10})
        assert world.before(action)["flag"].keys() == {"on", "off"}
        assert world.perform(action).ok == ok
