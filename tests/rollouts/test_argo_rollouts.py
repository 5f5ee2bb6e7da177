"""Argo Rollouts: the real kubectl, and an API whose Rollout goes through its steps as the controller's source says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from migrator.errors import UsageError
from migrator.rollouts.planning import plan
from migrator.rollouts.targets import target_of
from migrator.rollouts.targets.base import TargetFailed
from tests.rollouts.cluster import Argo, cluster, image_of, rollout
from tests.rollouts.test_kubernetes import IMAGE, configured

POOLS = {"stable": {"shop": "shop-stable:80"}, "canary": {"beside": "shop-canary:80"}}
STEPS = [{"setWeight": 10}, {"pause": {"duration": "1h"}}]


@pytest.fixture
def argo(tmp_path):
    found = rollout(IMAGE.format(version="1.0"), STEPS)
    controller = Argo(found)
    with cluster(found, controller) as (url, given):
        more = {"strategy": "canary", "pools": POOLS, "target": {"kind": "argo-rollouts"}}
        steps = [{"weight": 5, "pause": "1s"}, {"weight": 25, "pause": "1s"}]
        configuration = configured(tmp_path, url, **more, steps=steps, analysis={"source": "none"})
        yield configuration, found, controller, given


def test_the_shares_grow_and_the_version_becomes_the_stable_one(argo):
    configuration, found, controller, _ = argo
    target = target_of(configuration)
    assert plan(configuration, target, "2.0", "1.0").strategy == "canary-in-place"
    target.start("beside", "2.0")
    assert target.look().shares == {"stable": 100, "canary": 0}
    for share in (5, 25, 100):
        target.split({"stable": 100 - share, "canary": share})
        assert target.look().shares["canary"] == share
    target.start("shop", "2.0")
    assert found["status"]["stableRS"] == image_of(found) == IMAGE.format(version="2.0")
    assert controller.weights == [0, 5, 25, 100, 0]
    assert found["spec"]["strategy"]["canary"]["steps"] == STEPS
    assert not found["metadata"]["annotations"]


def test_an_abort_takes_the_share_at_once_and_the_former_version_is_put_back(argo):
    configuration, found, controller, given = argo
    target = target_of(configuration)
    target.start("beside", "2.0")
    target.split({"stable": 75, "canary": 25})
    for _ in range(2):
        target.split({"stable": 100, "canary": 0})
    assert found["status"]["abort"]
    assert given.count({"status": {"abort": True}}) == 1
    target.start("shop", "1.0")
    assert image_of(found) == found["status"]["stableRS"] == IMAGE.format(version="1.0")
    assert controller.weights == [0, 25, 0]
    assert found["spec"]["strategy"]["canary"]["steps"] == STEPS
    target.start("beside", "2.0")
    assert target.look().shares == {"stable": 100, "canary": 0}


def test_a_version_whose_pods_do_not_come_up_gets_no_traffic(argo):
    configuration, found, controller, _ = argo
    target = target_of(configuration)
    with pytest.raises(TargetFailed, match="ProgressDeadlineExceeded"):
        target.start("beside", "bad-2.0")
    target.split({"stable": 100, "canary": 0})
    target.start("shop", "1.0")
    assert found["status"]["phase"] == "Healthy"
    assert set(controller.weights) <= {0}


def test_what_a_rollout_cannot_do_is_refused(argo):
    configuration, found, _, given = argo
    target = target_of(configuration)
    with pytest.raises(TargetFailed, match="whole percents"):
        target.split({"stable": 99.5, "canary": 0.5})
    with pytest.raises(TargetFailed, match="no version beside"):
        target.split({"stable": 95, "canary": 5})
    del found["spec"]["strategy"]["canary"]["trafficRouting"]
    with pytest.raises(TargetFailed, match="no trafficRouting"):
        target.start("beside", "2.0")
    found["spec"]["paused"] = True
    with pytest.raises(TargetFailed, match="is paused"):
        target.start("beside", "2.0")
    with pytest.raises(ValueError, match="one server in one pool"):
        target_of(replace(configuration, fleet=tuple(replace(one, pool="one") for one in configuration.fleet)))
    with_baseline = replace(configuration, rules=replace(configuration.rules, baseline="canary"))
    with pytest.raises(UsageError, match="has no baseline"):
        plan(with_baseline, target, "2.0", "1.0")
    assert given == []
