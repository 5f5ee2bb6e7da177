"""What is said of targets before anything is told to one: settings, and the configuration that is printed."""

from __future__ import annotations

import re

import pytest

from migrator.rollouts import configuration as configuring
from migrator.rollouts.targets import target_of
from migrator.rollouts.targets.base import TargetFailed
from tests.rollouts.benches import BENCHES, toml


def test_the_configuration_is_printed_and_written_once(tmp_path, project):
    found = BENCHES["haproxy"](tmp_path, dict.fromkeys(("b1", "b2", "g1", "a1"), 8000)).configuration()
    (project.folder / "rollout.toml").write_text(toml(found.data))
    printed = project.cli("rollout", "config", "--config", "rollout.toml")
    assert "server b1 127.0.0.1:8000 check inter 100ms" in printed.stdout
    assert "split.map" in printed.stderr
    assert project.cli("rollout", "config", "--config", "rollout.toml", "--into", "here").returncode == 0
    assert (project.folder / "here" / "haproxy.cfg").read_text().strip() == printed.stdout.strip()
    assert len((project.folder / "split.map").read_text().splitlines()) == 1000
    (project.folder / "split.map").write_text("kept\n")
    again = project.cli("rollout", "config", "--config", "rollout.toml", "--into", "here")
    assert "split.map is there, and stays as it is" in again.stderr
    assert (project.folder / "split.map").read_text() == "kept\n"


@pytest.mark.parametrize(
    ("kind", "settings", "said"),
    [
        ("haproxy", {"sokcet": "x"}, 'did you mean "socket"?'),
        ("haproxy", {"socket": "s", "listen": "80; evil"}, "write host:port"),
        ("haproxy", {"socket": "s", "routes": [{"header": "x", "value": "a b", "pool": "green"}]}, "other characters"),
        ("haproxy", {"socket": "s", "routes": [{"header": "x", "pool": "green"}]}, "a header or cookie with its value"),
        ("haproxy", {"socket": "s", "routes": [{"source": "10.0.0.0/8", "pool": "gren"}]}, "is no pool"),
        ("haproxy", {"socket": "s", "routes": [{"source": "10.0.0.1/8", "pool": "green"}]}, "has host bits set"),
        ("haproxy", {"socket": ""}, "must be text in quotes"),
        ("nginx", {}, "which file is included"),
        ("nginx", {"include": "x", "cookie": "user-id"}, "letters, digits and _"),
        ("envoy", {}, "which folder Envoy watches"),
        ("envoy", {"directory": "x", "routes": [{"source": "10.0.0.0/8", "pool": "green"}]}, "a header or a cookie"),
        ("shell", {}, "what prints where the traffic goes"),
        ("shell", {"look": "x", "sticky": "yes"}, "true or false"),
        ("haprox", {}, 'did you mean "haproxy"?'),
    ],
)
def test_a_wrong_setting_is_refused_by_name(tmp_path, kind, settings, said):
    data = {"app": "shop", "strategy": "canary", "pools": {"blue": {"b1": "h:1"}, "green": {"g1": "h:2"}}}
    with pytest.raises(ValueError, match=re.escape(said)):
        target_of(configuring.read({**data, "target": {"kind": kind, **settings}}, tmp_path))


def test_what_a_platform_prints_instead_is_said(tmp_path):
    for printed in ("", "{}", '{"servers": {"b1": {"state": "gone", "in_flight": 0, "up": true}}}'):
        (tmp_path / "printed").write_text(printed)
        data = {"app": "shop", "strategy": "rolling", "pools": {"blue": {"b1": "h:1"}}}
        target = target_of(configuring.read({**data, "target": {"kind": "shell", "look": "cat printed"}}, tmp_path))
        with pytest.raises(TargetFailed, match="does not print what it should"):
            target.look()
