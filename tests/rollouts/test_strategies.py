"""Each strategy on a real load balancer, with users who count what fails."""

from __future__ import annotations

import sys

import pytest

from tests.plugins.waiting import until

STEPS = '[{ weight = 20, pause = "300ms" }, { weight = 50, pause = "300ms" }]'
STRATEGIES = {
    "rolling": {"bake": '"100ms"'},
    "blue-green": {"bake": '"200ms"', "keep": '"200ms"'},
    "canary": {"steps": STEPS},
    "shadow": {
        "shadow": '{ percent = 100, duration = "300ms", before = "1s", every = "5ms", minimum = 20,'
        ' ignore = ["[0-9.]+"], slower_floor = "5s", database = "none", then = "rolling" }',
    },
    "ab": {
        "ab": '{ baseline = "20%", effect = "70%", looks = 2, every = "100ms", source = "command",'
        f' command = {{ run = "{sys.executable} count.py" }} }}',
    },
}
ENDS = {"rolling": "blue", "blue-green": "green", "canary": "blue", "shadow": "blue", "ab": "blue"}


@pytest.fixture(params=STRATEGIES)
def strategy(request, shop):
    shop.configure(request.param, **STRATEGIES[request.param])
    return request.param


def run(shop, version, *words):
    return shop.project.cli("rollout", "run", "--config", "rollout.toml", "--version", version, *words)


def test_a_version_goes_live_and_no_user_sees_a_failure(shop, strategy):
    with shop.clients() as seen:
        done = run(shop, "2.0")
    assert done.returncode == 0, done.stderr
    assert seen.failed == []
    assert set(seen.good) == {"1.0", "2.0"}
    assert set(shop.versions()) == {"2.0"}
    live = ENDS[strategy]
    assert {name for name, version in shop.served().items() if version} == {
        name for name in shop.ports if name[0] == live[0]
    }
    items = {item["name"]: item for item in shop.project.json("checklist")["checklist"]["items"]}
    assert items["smoke"]["result"] == "passed"
    assert "smoke of shop 2.0: " in items["smoke"]["evidence"]
    assert "became ready in" in items["probes"]["evidence"]


@pytest.mark.parametrize("strategy", [name for name in STRATEGIES if name != "ab"], indirect=True)
@pytest.mark.usefixtures("strategy")
def test_a_version_that_never_is_ready_gets_no_request_and_everything_is_as_before(shop):
    before = shop.served()
    with shop.clients() as seen:
        done = run(shop, "unready-2.0")
    assert done.returncode == 1
    assert "is not ready after 1.5 s" in done.stdout
    assert seen.failed == []
    assert set(seen.good) == {"1.0"}
    assert shop.served() == before
    (first, last) = shop.project.json("deploy", "list")["deployments"]
    assert (first["status"], last["status"]) == ("succeeded", "rolled_back")


def test_a_rollout_is_paused_and_promoted_and_taken_back_from_another_terminal(shop):
    shop.configure("canary", steps='[{ weight = 20, pause = "promote" }, { weight = 50, pause = "promote" }]')
    words = ("--config", "rollout.toml")
    with shop.clients() as seen, shop.project.begun("rollout", "run", *words, "--version", "2.0") as runner:
        until(lambda: "2.0" in shop.versions())
        assert shop.project.cli("rollout", "promote", *words).returncode == 0
        until(lambda: shop.versions(100)["2.0"] > 30)
        assert shop.project.cli("rollout", "abort", "--reason", "enough", *words).returncode == 0
        assert runner.wait(30) == 1
    assert seen.failed == []
    assert set(shop.versions()) == {"1.0"}
    assert "abort: enough" in shop.project.cli("rollout", "status", *words).stdout
