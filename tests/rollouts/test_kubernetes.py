"""Deployments of Kubernetes: the real kubectl, and an API that knows of one of them."""

from __future__ import annotations

import pytest

from migrator.rollouts import configuration as configuring
from migrator.rollouts.planning import plan
from migrator.rollouts.targets import target_of
from migrator.rollouts.targets.base import TargetFailed
from tests.rollouts.benches import program
from tests.rollouts.cluster import PROBE, cluster, image_of

IMAGE = "registry.example/shop:{version}"


@pytest.fixture
def kubernetes(tmp_path):
    command = program("kubectl")
    with cluster(IMAGE.format(version="1.0")) as (url, found, given):
        target = {
            "kind": "kubernetes",
            "kubectl": f"{command} --server={url} --cache-dir={tmp_path} --kubeconfig=/dev/null",
            "namespace": "default",
            "container": "app",
            "image": IMAGE,
            "timeout": "20s",
        }
        data = {"app": "shop", "strategy": "rolling", "pools": {"live": {"shop": "shop:80"}}, "target": target}
        yield configuring.read(data, tmp_path), found, given


def test_a_version_is_put_on_a_deployment_and_waited_for(kubernetes):
    configuration, found, given = kubernetes
    target = target_of(configuration)
    assert plan(configuration, target, "2.0", "1.0").strategy == "in-place"
    target.start("shop", "2.0")
    assert image_of(found) == IMAGE.format(version="2.0")
    assert target.look().servers["shop"].up
    target.start("shop", "2.0")
    assert set(given) == {IMAGE.format(version="2.0")}


def test_a_version_that_does_not_become_available_fails_and_the_former_one_is_put_back(kubernetes):
    configuration, found, _ = kubernetes
    target = target_of(configuration)
    with pytest.raises(TargetFailed, match="progress deadline"):
        target.start("shop", "bad-2.0")
    assert not target.look().servers["shop"].up
    target.start("shop", "1.0")
    assert image_of(found) == IMAGE.format(version="1.0")


def test_a_deployment_that_would_lose_requests_is_refused(kubernetes):
    configuration, found, given = kubernetes
    target, container = target_of(configuration), found["spec"]["template"]["spec"]["containers"][0]
    with pytest.raises(TargetFailed, match="another image tomorrow"):
        target.start("shop", "latest")
    container["livenessProbe"] = PROBE
    with pytest.raises(TargetFailed, match="ask the same"):
        target.start("shop", "2.0")
    del container["readinessProbe"]
    with pytest.raises(TargetFailed, match="no readinessProbe"):
        target.start("shop", "2.0")
    found["spec"]["strategy"] = {"type": "Recreate"}
    with pytest.raises(TargetFailed, match="stops all of its pods"):
        target.start("shop", "2.0")
    found["spec"]["paused"] = True
    with pytest.raises(TargetFailed, match="is paused"):
        target.start("shop", "2.0")
    assert given == []
