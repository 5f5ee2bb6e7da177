"""A controller that is killed at every action, and gone on with."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.plugins.projects import ROOT
from tests.rollouts.test_strategies import ENDS, STRATEGIES

ANALYSIS = """
source = "haproxy"
every = "100ms"
metrics.errors = { max = "10%", max_ratio = 2, floor = "10%" }
"""
EVERY = os.environ.get("MIGRATOR_TEST_KILLS") == "every"


@pytest.mark.parametrize("strategy", STRATEGIES if EVERY else ["canary"])
def test_a_controller_that_is_killed_at_each_action_is_gone_on_with_and_nobody_notices(shop, strategy):
    judged = {"analysis": ANALYSIS} if EVERY and strategy == "canary" else {}
    shop.configure(strategy, **STRATEGIES[strategy], **judged)
    with shop.clients() as seen:
        words = [sys.executable, "-m", "tests.rollouts.killing", str(shop.folder), "2.0"]
        done = subprocess.run(words, cwd=ROOT, env=shop.project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert ended["code"] == 0, done.stderr
    assert ended["kills"] > 12
    assert seen.failed == []
    assert set(shop.versions()) == {"2.0"}
    assert {name[0] for name, version in shop.served().items() if version} == {ENDS[strategy][0]}
    assert [item["status"] for item in shop.project.json("deploy", "list")["deployments"]] == ["succeeded"] * 2
