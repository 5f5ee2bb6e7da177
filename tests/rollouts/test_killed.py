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


def killed(shop, version):
    """How a rollout ended whose controller was killed at each action, and how often that was."""
    words = [sys.executable, "-m", "tests.rollouts.killing", str(shop.folder), version]
    done = subprocess.run(words, cwd=ROOT, env=shop.project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("strategy", STRATEGIES if EVERY else ["canary"])
def test_a_controller_that_is_killed_at_each_action_is_gone_on_with_and_nobody_notices(shop, strategy):
    judged = {"analysis": ANALYSIS} if EVERY and strategy == "canary" else {}
    shop.configure(strategy, **STRATEGIES[strategy], **judged)
    with shop.clients() as seen:
        ended = killed(shop, "2.0")
    assert ended["code"] == 0, shop.project.cli("rollout", "status", "--config", "rollout.toml").stdout
    assert ended["kills"] > 12
    assert seen.failed == []
    assert set(shop.versions()) == {"2.0"}
    assert {name[0] for name, version in shop.served().items() if version} == {ENDS[strategy][0]}
    recorded = [item for item in shop.project.json("deploy", "list")["deployments"] if item["strategy"] != "shadow"]
    assert [item["status"] for item in recorded] == ["succeeded"] * 2
