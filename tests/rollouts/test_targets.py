"""What every target promises, with the programs themselves and servers behind them."""

from __future__ import annotations

import json
import shlex
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from migrator.embedded import free_port
from migrator.rollouts import configuration as configuring
from migrator.rollouts.model import Drain, Wish
from migrator.rollouts.performing import World
from migrator.rollouts.plan import RolloutPlan
from migrator.rollouts.switching import switched
from migrator.rollouts.targets import target_of
from migrator.rollouts.targets.base import TargetFailed
from tests.plugins.waiting import until
from tests.rollouts import upstreams
from tests.rollouts.benches import BENCHES, POOLS, toml

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: shop\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WHOLE = {"blue": 100.0, "green": 0.0, "amber": 0.0}


@pytest.fixture(scope="module")
def ports():
    """Servers of all pools, in a process of their own."""
    found = {name: free_port() for names in POOLS.values() for name in names}
    words = [f"{name}={port}" for name, port in found.items()]
    process = subprocess.Popen([sys.executable, upstreams.__file__, *words], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    yield found
    process.kill()
    process.communicate()


@pytest.fixture(scope="module", params=BENCHES)
def running(request, ports, tmp_path_factory):
    bench = BENCHES[request.param](tmp_path_factory.mktemp(request.param), ports)
    try:
        bench.begin()
        yield bench
    finally:
        bench.close()


@pytest.fixture
def bench(running):
    """A program that gives all traffic to blue."""
    target = running.target()
    for name, found in target.look().servers.items():
        if found.state != "ready":
            target.admit(name)
    target.split(WHOLE)
    return running


@pytest.fixture
def target(bench):
    return bench.target()


def able(target, *what):
    """Only targets that can; the others refuse, which is a test of its own."""
    if not set(what) <= target.can:
        pytest.skip(f"{target.kind} cannot {', '.join(sorted(set(what) - target.can))}")


def share(bench, pool, requests=250, **headers):
    """Percent of requests that a pool answers."""
    seen = Counter(bench.ask(**headers) for _ in range(requests))
    assert all(status == 200 for status, _ in seen), seen
    return sum(count for (_, name), count in seen.items() if name in POOLS[pool]) * 100 / requests


def servers(bench, requests=30):
    return {bench.ask()[1] for _ in range(requests)}


def told(bench, name, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{bench.ports[name]}{path}") as answer:
        return answer.read()


def counted(bench, name):
    return Counter(json.loads(told(bench, name, "/count")))


@contextmanager
def work(bench, path="/held"):
    """A request under way; yields a list that gets its answer."""
    found = []
    thread = threading.Thread(target=lambda: found.append(bench.ask(path)))
    thread.start()
    yield found
    thread.join(30)


@contextmanager
def users(bench):
    """Users who ask without pause, each time on a connection of their own; yields how often they got what."""
    seen, over = Counter(), threading.Event()

    def go_on():
        while not over.is_set():
            seen[bench.ask()[0]] += 1
            time.sleep(0.005)

    threads = [threading.Thread(target=go_on) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def test_shares_are_those_of_the_requests(bench, target):
    assert share(bench, "blue", 50) == 100
    target.split({"blue": 75, "green": 25})
    assert target.look().shares == {"blue": 75, "green": 25, "amber": 0}
    assert 15 < share(bench, "green") < 35
    target.split({"blue": 0, "green": 100})
    assert share(bench, "green", 50) == 100


def test_users_stay_with_a_pool_whose_share_grows(bench, target):
    able(target, "sticky")

    def having(pool):
        return {uid for uid in range(100) if bench.ask(cookie=f"uid=user-{uid}")[1] in POOLS[pool]}

    target.split({"blue": 70, "green": 20, "amber": 10})
    green, amber = having("green"), having("amber")
    assert green
    assert amber
    assert having("green") == green
    target.split({"blue": 40, "green": 40, "amber": 20})
    assert green < having("green")
    assert amber < having("amber")


def test_a_drained_server_finishes_its_work_and_gets_no_other(bench, target):
    target.remove("b2")
    before = counted(bench, "b1")["/held"]
    with work(bench) as answered:
        until(lambda: counted(bench, "b1")["/held"] > before)
        target.admit("b2")
        target.drain("b1")
        assert target.look().servers["b1"].state == "drain"
        assert target.look().servers["b1"].in_flight > 0
        assert servers(bench) == {"b2"}
        told(bench, "b1", "/release")
    assert answered == [(200, "b1")]
    until(lambda: target.look().servers["b1"].in_flight == 0)
    target.remove("b1")
    assert target.look().servers["b1"].state == "maint"
    assert servers(bench) == {"b2"}
    target.admit("b1")
    assert servers(bench) == {"b1", "b2"}


def test_no_request_fails_while_pools_and_servers_change_under_load(bench, target):
    with users(bench) as seen:
        for pool, other in (("green", "blue"), ("blue", "green")) * 2:
            target.split({pool: 100, other: 0})
        target.drain("b1")
        target.admit("b1")
        target.remove("b2")
        target.admit("b2")
    assert set(seen) == {200}


def sees_other(target):
    """Whether it says that green has all traffic, or that somebody has interfered."""
    try:
        return target.look().shares["green"] == 100
    except TargetFailed as problem:
        return "somebody else" in problem.message


def test_what_somebody_else_has_changed_is_seen(bench, target):
    bench.meddle()
    until(lambda: sees_other(target))
    target.split(WHOLE)
    assert servers(bench) == {"b1", "b2"}


def test_a_reload_keeps_what_was_set(bench, target):
    target.split({"blue": 0, "green": 60, "amber": 40})
    target.drain("b1")
    target.remove("b2")
    before = target.look()
    bench.reload()
    after = target.look()
    assert after.shares == before.shares
    assert {name: server.state for name, server in after.servers.items()} == {
        name: server.state for name, server in before.servers.items()
    }
    assert share(bench, "blue", 60) == 0


def test_what_is_refused_leaves_the_former_one_serving(bench, target):
    with bench.spoiled() as other, pytest.raises(TargetFailed) as refused:
        (other or target).split({"blue": 0, "green": 100})
    assert refused.value.message
    assert target.look().shares == WHOLE
    assert servers(bench) == {"b1", "b2"}
    target.split({"blue": 0, "green": 100})
    assert servers(bench) == {"g1"}


def test_a_change_that_was_killed_half_way_is_done_again(bench):
    wanted = {"blue": 0.0, "green": 100.0, "amber": 0.0}
    bench.half(wanted)
    again = bench.target()
    again.split(wanted)
    assert again.look().shares == wanted
    assert servers(bench) == {"g1"}
    bench.reload()
    assert again.look().shares == wanted


def test_copies_are_sent_of_requests_that_change_nothing(bench, target):
    able(target, "mirror")
    before = counted(bench, "g1")
    target.mirror("green", 100)
    assert target.look().mirrored == {"green": 100}
    assert {bench.ask(method=method)[1] for method in ("GET", "POST") * 10} <= {"b1", "b2"}
    until(lambda: (counted(bench, "g1") - before)["/"] >= 10)
    target.mirror("green", 0)
    assert servers(bench, 10) == {"b1", "b2"}
    time.sleep(0.2)
    after = counted(bench, "g1") - before
    assert after["POST"] + after["POST copy"] == 0
    assert after["/"] == 10


@pytest.mark.parametrize("kind", ["haproxy", "nginx", "envoy"])
def test_a_sandbox_gets_copies_of_what_writes_and_a_header_tells_users_apart(kind, ports, tmp_path):
    bench = BENCHES[kind](tmp_path, ports, more={"shadow": {"methods": ["GET", "POST"], "writes": "sandboxed"}})
    own, bench.settings = bench.settings(), lambda: {**own, "header": "x-user"}
    try:
        bench.begin()
        for server in ("b2", "g1"):
            bench.target().admit(server)
        before = counted(bench, "g1")
        bench.target().mirror("green", 100)
        assert {bench.ask(method="POST", body="user=1")[1] for _ in range(5)} <= {"b1", "b2"}
        until(lambda: (counted(bench, "g1") - before)["user=1"] == 5)
        bench.target().mirror("green", 0)
        bench.target().split({"blue": 50, "green": 50})
        for uid in range(10):
            assert len({bench.ask(x_user=f"u{uid}")[1] in POOLS["green"] for _ in range(4)}) == 1
    finally:
        bench.close()


def test_a_salt_divides_users_otherwise_and_nobody_takes_it_for_a_change_of_somebody_else(bench, target):
    def having(salted):
        salted.split({"blue": 50, "green": 50, "amber": 0})
        assert salted.look().shares["green"] == 50
        return {uid for uid in range(60) if bench.ask(cookie=f"uid=user-{uid}")[1] in POOLS["green"]}

    able(target, "sticky")
    if target.kind not in ("haproxy", "nginx"):
        pytest.skip("there is no salt")
    found = bench.configuration()
    one, two = (target_of(replace(found, strategy="ab", ab={"salt": salt})) for salt in ("one", "two"))
    first = having(one)
    assert having(two) != first
    assert having(one) == first
    assert target.look().shares["green"] == 50


def test_requests_that_are_held_are_late_and_none_fails(bench, target):
    able(target, "hold")
    target.hold(20)
    with work(bench, "/") as answered:
        time.sleep(0.2)
        assert answered == []
        target.hold(0)
    assert answered[0][0] == 200
    target.hold(0.2)
    assert bench.ask()[0] == 200


def test_routes_lead_to_their_pool_whatever_its_share(bench, target):
    assert {bench.ask(x_canary="always")[1] for _ in range(5)} == {"g1"}
    assert {bench.ask(x_canary="never")[1] for _ in range(10)} == {"b1", "b2"}
    assert {bench.ask(cookie="arm=amber")[1] for _ in range(5)} == {"a1"}
    target.remove("g1")
    assert {bench.ask(x_canary="always")[1] for _ in range(5)} <= {"b1", "b2"}


def test_a_connection_that_was_upgraded_is_in_flight_until_it_is_cut(bench, target):
    able(target, "cut")
    target.remove("b2")
    with socket.create_connection(("127.0.0.1", bench.front), 10) as client:
        client.sendall(UPGRADE)
        assert b"101" in client.recv(4096)
        target.admit("b2")
        target.drain("b1")
        client.sendall(b"still here")
        assert client.recv(4096) == b"still here"
        until(lambda: target.look().servers["b1"].in_flight == 1)
        target.cut("b1")
        until(lambda: target.look().servers["b1"].in_flight == 0)
        with suppress(ConnectionError):
            assert client.recv(4096) == b""


def test_what_a_target_cannot_do_it_refuses(target):
    for what, arguments in {"mirror": ("green", 1.0), "hold": (1.0,), "cut": ("b1",)}.items():
        if what not in target.can:
            with pytest.raises(TargetFailed, match="cannot"):
                getattr(target, what)(*arguments)


only_haproxy = pytest.mark.parametrize("running", ["haproxy"], indirect=True)


def drained(bench, heard=Wish, **settings):
    """The outcome of draining a server that works on a request, after which the request is let go."""
    drain = configuring.Draining(**settings)
    found = replace(bench.configuration(), drain=drain)
    plan = RolloutPlan("shop", "production", "rolling", "2.0", "1.0", found.fleet, "blue", "")
    world = World(found, plan, bench.target(), None, None, None, lambda **_: heard(), None)
    bench.target().admit("b1")
    bench.target().remove("b2")
    before = counted(bench, "b1")["/held"]
    with work(bench) as answered:
        until(lambda: counted(bench, "b1")["/held"] > before)
        bench.target().admit("b2")
        outcome = world.perform(Drain("b1"))
        told(bench, "b1", "/release")
    return outcome, answered[0][0], bench.target().look().servers["b1"].state


@only_haproxy
def test_a_drain_ends_empty_or_late_or_aborted_and_says_which(bench):
    def released():
        told(bench, "b1", "/release")
        return Wish()

    outcome, status, state = drained(bench, released, timeout=20)
    assert (outcome.ok, outcome.facts["end"], status, state) == (True, "empty", 200, "drain")
    outcome, status, state = drained(bench, timeout=0.1)
    assert (outcome.ok, outcome.facts["end"], status, state) == (False, "timeout", 200, "ready")
    assert outcome.facts["left"] == 1
    outcome, status, state = drained(bench, timeout=0.1, then="cut")
    assert (outcome.ok, outcome.facts["end"], status, state) == (True, "timeout", 502, "drain")
    outcome, status, state = drained(bench, lambda: Wish("abort", "enough"), timeout=20)
    assert (outcome.ok, outcome.facts["end"], status, state) == (False, "aborted", 200, "ready")
    assert outcome.reason == "abort: enough"


@only_haproxy
def test_all_traffic_moves_when_what_was_before_is_answered_and_requests_wait_meanwhile(bench):
    target = bench.target()
    plan = RolloutPlan("shop", "production", "blue-green", "2.0", "1.0", bench.configuration().fleet, "blue", "green")
    plan = replace(plan, rules=replace(plan.rules, hold=20.0))
    moved = []
    target.hold(0)
    target.remove("b2")
    before = counted(bench, "b1")["/held"]
    switching = threading.Thread(
        target=lambda: moved.append(switched(bench.target(), plan, {"blue": 0, "green": 100, "amber": 0}))
    )
    with work(bench) as answered:
        until(lambda: counted(bench, "b1")["/held"] > before)
        switching.start()
        until(lambda: "until 0" not in (bench.folder / "hold.map").read_text())
        with work(bench, "/") as waited:
            time.sleep(0.2)
            assert waited == answered == []
            assert target.look().shares["blue"] == 100
            told(bench, "b1", "/release")
        switching.join(20)
    assert (answered, waited) == ([(200, "b1")], [(200, "g1")])
    assert moved[0].facts["held_requests"] == 1
    assert 0.2 < moved[0].facts["held_seconds"] < 20


@only_haproxy
def test_streams_that_are_older_than_their_age_are_ended_and_the_drain_is_empty(bench):
    target = bench.target()
    target.remove("b2")
    plan = RolloutPlan("shop", "production", "rolling", "2.0", "1.0", bench.configuration().fleet, "blue", "")
    ages = configuring.Draining(timeout=20, max_age=1.0, jitter=0.3)
    world = World(replace(bench.configuration(), drain=ages), plan, target, None, None, None, lambda **_: Wish(), None)
    with work(bench, "/stream") as first, work(bench, "/stream") as second:
        until(lambda: len(target.connections("b1")) == 2)
        target.admit("b2")
        outcome = world.perform(Drain("b1"))
    assert (outcome.ok, outcome.facts["end"], outcome.facts["closed"]) == (True, "empty", 2)
    assert first == second == [(0, "")]
    assert servers(bench) == {"b2"}


@only_haproxy
def test_an_agent_is_not_heard_while_its_server_is_out_of_the_traffic(bench):
    said = threading.Event()

    class Agent(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.sendall(b"up ready 100%\n")
            said.set()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Agent) as agent:
        threading.Thread(target=agent.serve_forever, args=(0.02,), daemon=True).start()
        name = bench.folder / "haproxy.cfg"
        kept = name.read_text()
        check = f" agent-check agent-port {agent.server_address[1]} agent-inter 50ms"
        name.write_text(kept.replace(f":{bench.ports['b1']} ", f":{bench.ports['b1']}{check} "))
        bench.reload()
        try:
            assert said.wait(10)
            target = bench.target()
            target.drain("b1")
            said.clear()
            assert not said.wait(0.3)
            assert target.look().servers["b1"].state == "drain"
            assert servers(bench) == {"b2"}
            target.admit("b1")
            assert said.wait(10)
        finally:
            agent.shutdown()
            name.write_text(kept)
            bench.reload()


def rolled_out(bench, project, **data):
    """Roll a version out behind a program, under load."""
    made = {**bench.configuration().data, "commands": {"start": "true", "stop": "true"}, **data}
    (bench.folder / "rollout.toml").write_text(toml(made))
    if bench.folder != project.folder:
        (bench.folder / "migrations").unlink(missing_ok=True)
        (bench.folder / "migrations").symlink_to(project.folder / "migrations")
    words = ("rollout", "run", "--config", str(bench.folder / "rollout.toml"), "--version", "2.0", "--from", "1.0")
    with users(bench) as seen:
        done = project.cli(*words)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(seen) == {200}
    assert bench.target().look().shares == WHOLE
    return done.stdout


CONVERTED = "{'users': 50, 'conversions': 45 if 'g1' in os.environ['MIGRATOR_SERVERS'] else 5}"


@pytest.mark.in_turn
@pytest.mark.parametrize("kind", ["nginx", "envoy"])
def test_a_shadow_and_a_test_are_carried_out_behind_it_and_no_request_fails(kind, ports, tmp_path, project, database):
    bench, project.url = BENCHES[kind](tmp_path, ports), database.url
    own, bench.settings = bench.settings(), lambda: {**own, "routes": []}
    asked = {"percent": 50, "duration": "100ms", "before": "1s", "every": "1ms", "slower_floor": "5s"}
    shadow = {**asked, "compare": "status", "minimum": 10, "database": "none"}
    probe = {"url": f"http://127.0.0.1:{bench.front}/", "every": "10ms"}
    count = shlex.join([sys.executable, "-c", f"import json, os; print(json.dumps({CONVERTED}))"])
    source = {"source": "command", "command": {"run": count}, "every": "50ms"}
    try:
        bench.begin()
        before = counted(bench, "g1")["/"]
        assert "shadowed" in rolled_out(bench, project, strategy="shadow", probe=probe, shadow=shadow)
        assert counted(bench, "g1")["/"] > before
        assert bench.target().look().mirrored.get("green", 0) == 0
        question = {"baseline": "10%", "effect": "60%", "looks": 1, **source}
        assert "succeeded" in rolled_out(bench, project, strategy="ab", ab=question)
    finally:
        bench.close()


@pytest.mark.in_turn
def test_a_canary_goes_live_behind_it_and_no_request_fails(bench, project, database):
    able(bench.target(), "drain", "split")
    project.url = database.url
    steps = [{"weight": 20, "pause": "100ms"}, {"weight": 60, "pause": "100ms"}]
    rolled_out(bench, project, steps=steps, analysis={"source": "none"})
    found = bench.target().look()
    assert {name: server.state for name, server in found.servers.items() if server.pool != "amber"} == {
        "b1": "ready",
        "b2": "ready",
        "g1": "maint",
    }
