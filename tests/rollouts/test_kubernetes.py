"""Deployments of Kubernetes: the real kubectl, and an API that knows of one of them."""

from __future__ import annotations

import pytest

from migrator.rollouts import configuration as configuring
from migrator.rollouts.planning import plan
from migrator.rollouts.targets import target_of
from migrator.rollouts.targets.base import TargetFailed
from migrator.rollouts.targets.kubectl import room, tag_of
from tests.rollouts.benches import program
from tests.rollouts.cluster import PROBE, cluster, deployment, image_of

IMAGE = "registry.example/shop:{version}"


@pytest.fixture
def kubernetes(tmp_path):
    found = deployment(IMAGE.format(version="1.0"))
    with cluster(found) as (url, given):
        yield configured(tmp_path, url), found, given


def configured(folder, url, **more):
    target = {
        "kind": "kubernetes",
        "kubectl": f"{program('kubectl')} --server={url} --cache-dir={folder} --kubeconfig=/dev/null",
        "namespace": "default",
        "container": "app",
        "image": IMAGE,
        "timeout": "20s",
        "check_every": "20ms",
        **more.pop("target", {}),
    }
    data = {"app": "shop", "strategy": "rolling", "pools": {"live": {"shop": "shop:80"}}, "target": target, **more}
    return configuring.read(data, folder)


def test_a_version_is_put_on_a_deployment_and_waited_for(kubernetes):
    configuration, found, given = kubernetes
    target = target_of(configuration)
    assert plan(configuration, target, "2.0", "1.0").strategy == "in-place"
    target.start("shop", "2.0")
    assert image_of(found) == IMAGE.format(version="2.0")
    assert target.look().servers["shop"].up
    target.start("shop", "2.0")
    assert [one for one in given if isinstance(one, str)] == [IMAGE.format(version="2.0")]


def test_a_version_that_does_not_become_available_fails_and_the_former_one_is_put_back(kubernetes):
    configuration, found, _ = kubernetes
    target = target_of(configuration)
    with pytest.raises(TargetFailed, match="progress deadline"):
        target.start("shop", "bad-2.0")
    assert not target.look().servers["shop"].up
    target.start("shop", "1.0")
    assert image_of(found) == IMAGE.format(version="1.0")


def test_a_pause_holds_a_deployment_where_it_is_and_an_abort_is_heard_on_the_way(kubernetes):
    configuration, found, _ = kubernetes
    target, said = target_of(configuration), []

    def asked():
        said.append(found["spec"].get("paused", False))
        return "pause" if len(said) < 4 else "abort"

    with pytest.raises(TargetFailed, match="abort"):
        target.start("shop", "slow-2.0", asked)
    assert True in said
    assert not found["spec"].get("paused")
    target.start("shop", "1.0")
    assert target.look().servers["shop"].up


def test_a_deployment_that_a_killed_controller_had_paused_is_gone_on_with(kubernetes):
    configuration, found, _ = kubernetes
    target = target_of(configuration)
    target._pause("shop", True)
    assert found["spec"]["paused"]
    target.start("shop", "2.0")
    assert image_of(found) == IMAGE.format(version="2.0")


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
    found["spec"]["strategy"] = {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}}
    with pytest.raises(TargetFailed, match="none need be left"):
        target.start("shop", "2.0")
    found["spec"]["strategy"] = {"type": "Recreate"}
    with pytest.raises(TargetFailed, match="stops all of its pods"):
        target.start("shop", "2.0")
    found["spec"]["paused"] = True
    with pytest.raises(TargetFailed, match="is paused"):
        target.start("shop", "2.0")
    assert given == []


@pytest.mark.parametrize(
    ("replicas", "rolling", "expected"),
    [
        (3, {}, (1, 0)),
        (4, {}, (1, 1)),
        (10, {"maxSurge": "25%", "maxUnavailable": "25%"}, (3, 2)),
        (1, {"maxSurge": "0%", "maxUnavailable": "1%"}, (0, 1)),
        (5, {"maxSurge": 2, "maxUnavailable": "20%"}, (2, 1)),
        (3, {"maxSurge": 0, "maxUnavailable": "100%"}, (0, 3)),
    ],
)
def test_surge_is_rounded_up_and_unavailable_down(replicas, rolling, expected):
    assert room(replicas, rolling) == expected


@pytest.mark.parametrize(
    ("image", "tag"),
    [
        ("shop", "latest"),
        ("registry.example:5000/shop", "latest"),
        ("registry.example:5000/shop:2.0", "2.0"),
        ("shop@sha256:abc", ""),
        ("shop:latest@sha256:abc", ""),
    ],
)
def test_the_tag_of_an_image_is_known_from_its_name(image, tag):
    assert tag_of(image) == tag
