"""Requests that wait at the proxy while all traffic moves: none fails, wherever the controller is killed."""

from __future__ import annotations

import json
import signal
import threading
import urllib.request

import pytest

from tests.plugins.waiting import until

WORDS = ("--config", "rollout.toml")
LIMIT = 3.0


def slow(shop, found):
    """A request that takes a second."""
    with urllib.request.urlopen(f"{shop.url}slow", timeout=10) as answer:
        found.append(answer.headers["X-Version"])


@pytest.fixture
def slowly(shop):
    """A request that is under way when the traffic moves; the version that has answered it."""
    found = []
    thread = threading.Thread(target=slow, args=(shop, found))
    yield thread.start, found
    thread.join(10)


def held_until(shop):
    return int((shop.folder / "hold.map").read_text().split()[1])


def test_requests_go_on_by_themselves_where_the_controller_is_killed_while_they_wait(shop, slowly):
    shop.configure("blue-green", hold=f'"{LIMIT:g}s"')
    begin, answered = slowly
    with shop.clients(1) as seen:
        with shop.project.begun("rollout", "run", *WORDS, "--version", "2.0") as run:
            until(lambda: shop.served()["g1"] == "2.0", 90)
            begin()
            until(lambda: held_until(shop), 90)
            run.send_signal(signal.SIGKILL)
        before = len(seen.order)
        until(lambda: len(seen.order) > before + 20)
        done = shop.project.cli("rollout", "resume", *WORDS, "--format", "json")
    assert done.returncode == 0, done.stderr
    assert "held_seconds" in json.loads(done.stdout)["rollout"]["record"]["facts"]
    assert held_until(shop) == 0
    assert answered == ["1.0"]
    assert seen.failed == []
    assert set(shop.versions()) == {"2.0"}


def test_who_cannot_hold_requests_is_named(shop):
    shop.configure("blue-green", hold='"1s"')
    config = shop.folder / "rollout.toml"
    config.write_text("\n".join(line for line in config.read_text().splitlines() if "hold_map" not in line))
    refused = shop.project.cli("rollout", "run", *WORDS, "--version", "2.0")
    assert refused.returncode == 2
    assert "a target of kind haproxy as it is configured cannot hold them" in refused.stderr
    other = shop.project.cli(
        "rollout", "run", *WORDS, "--version", "2.0", "--strategy", "rolling", "--hold-requests", "1s"
    )
    assert other.returncode == 2
    assert "rolling never moves all at once" in other.stderr
