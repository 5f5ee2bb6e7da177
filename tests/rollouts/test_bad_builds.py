"""A build that is ready and fails its requests is taken back by itself, and never has more traffic than its step."""

from __future__ import annotations

import shutil
import subprocess
import time
import urllib.request
from contextlib import contextmanager

import pytest

from migrator.embedded import free_port
from migrator.rollouts.analysis.model import Arm
from migrator.rollouts.analysis.sources.prometheus import Prometheus
from migrator.rollouts.analysis.statistics import chance
from migrator.rollouts.experiments.configuration import COUNTED
from migrator.rollouts.experiments.looking import counted
from tests.plugins.servers import missing
from tests.plugins.waiting import until

LIMIT = 'every = "200ms"\nmetrics.errors = { max = "3%" }\n'
STEPS = '[{ weight = 20, pause = "20s" }, { weight = 50, pause = "20s" }]'
RULES = {
    "rolling": ({"bake": '"20s"'}, 50),
    "blue-green": ({"steps": STEPS, "bake": '"20s"'}, 20),
    "canary": ({"steps": STEPS}, 20),
    "ab": (
        {
            "ab": '{ share = 20, baseline = "50%", effect = "1%", every = "100ms", source = "command",'
            ' command.run = "false" }'
        },
        20,
    ),
}
SOURCES = {
    "rolling": 'source = "probe"',
    "blue-green": 'source = "haproxy"',
    "ab": 'source = "haproxy"',
    "canary": 'source = "log"\nlog = { path = "access.json", fields = { status = "status", server = "server" } }',
}
QUERIES = """
[rollout.analysis.prometheus]
url = "http://127.0.0.1:{port}"
[rollout.analysis.prometheus.queries]
requests = 'sum(increase(haproxy_server_http_responses_total{{proxy="$pool",server=~"$servers"}}[$window]))'
errors = 'sum(increase(haproxy_server_http_responses_total{{proxy="$pool",server=~"$servers",code="5xx"}}[$window]))'
"""


def run(shop, version):
    return shop.project.cli("rollout", "run", "--config", "rollout.toml", "--version", version)


def more_than(seen, version, share):
    """Whether a version had a larger share of the traffic, in percent, than chance explains, while it had any."""
    first = seen.order.index(version)
    last = len(seen.order) - 1 - seen.order[::-1].index(version)
    between = seen.order[first + 1 : last]
    return chance(between.count(version), len(between), share / 100) < 1e-6


def taken_back(shop, share, said):
    """Roll a bad build out, and hold what users and the ledger saw of it against what is promised."""
    with shop.clients() as seen:
        done = run(shop, "bad-2.0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert said in done.stdout
    assert set(seen.failed) == {"500 bad-2.0"}
    assert not more_than(seen, "bad-2.0", share)
    with shop.clients() as later:
        time.sleep(0.2)
    assert later.failed == []
    assert set(later.good) == {"1.0"}
    assert set(shop.served().values()) <= {"1.0", ""}
    record = shop.project.json("rollout", "status", "--config", "rollout.toml")["rollout"]["record"]
    assert record["status"] == "rolled_back"
    assert record["facts"]["analysis"]["verdict"] == "fail"
    assert record["facts"]["exposed_percent"] == pytest.approx(share, abs=0.01)
    assert f"up to {record['facts']['exposed_percent']} % of the traffic" in done.stdout
    assert f"taken back in {record['facts']['rollback_seconds']} s" in done.stdout


@pytest.mark.in_turn
@pytest.mark.parametrize("strategy", RULES)
def test_a_bad_build_is_taken_back_and_never_has_more_than_its_share(shop, strategy):
    rules, share = RULES[strategy]
    shop.configure(strategy, analysis=LIMIT + SOURCES[strategy], **rules)
    taken_back(shop, share, "requests failed, which a rate of 3 % does not explain")


@contextmanager
def prometheus(shop):
    """A Prometheus that looks at the exporter of the load balancer; gives its port."""
    program = shutil.which("prometheus")
    if program is None:
        missing("no prometheus on this machine")
    port = free_port()
    (shop.folder / "prometheus.yml").write_text(
        "global: { scrape_interval: 250ms, scrape_timeout: 250ms }\n"
        f"scrape_configs: [{{ job_name: shop, static_configs: [{{ targets: ['127.0.0.1:{shop.exporter}'] }}] }}]\n"
    )
    words = [
        program,
        f"--config.file={shop.folder}/prometheus.yml",
        f"--storage.tsdb.path={shop.folder}/metrics",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    running = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: answers(f"http://127.0.0.1:{port}/api/v1/query?query=haproxy_server_status"))
        yield port
    finally:
        running.terminate()
        running.wait(20)


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as said:
            return b"g1" in said.read()
    except OSError:
        return False


@pytest.mark.in_turn
def test_prometheus_says_that_a_canary_is_bad(shop):
    with prometheus(shop) as port:
        limit = 'source = "prometheus"\n' + LIMIT + QUERIES.format(port=port)
        shop.configure("canary", analysis=limit, **RULES["canary"][0])
        taken_back(shop, 20, "requests failed, which a rate of 3 % does not explain")
        count = 'sum(increase(haproxy_server_http_responses_total{proxy="$pool",code="2xx"}[$window]))'
        source = Prometheus({"url": f"http://127.0.0.1:{port}", "queries": dict.fromkeys(COUNTED, count)}, None)
        source.until = time.time()
        arms = counted(
            *(source.read(Arm(pool, version), 60.0) for pool, version in (("blue", "1.0"), ("green", "2.0")))
        )
        assert arms.problem == ""
        assert arms.control.users == arms.control.conversions > arms.variant.users


@pytest.mark.in_turn
def test_a_step_without_traffic_is_held_until_there_is_some(shop):
    shop.configure("blue-green", analysis=LIMIT + 'source = "haproxy"', bake='"200ms"')
    text = (shop.folder / "rollout.toml").read_text()
    (shop.folder / "rollout.toml").write_text(text.replace('every = "20ms"', 'every = "1h"'))
    words = ("rollout", "status", "--config", "rollout.toml")
    with shop.project.begun("rollout", "run", "--config", "rollout.toml", "--version", "2.0") as runner:
        until(
            lambda: "insufficient traffic: 0 requests, and 100 are needed to judge" in shop.project.cli(*words).stdout
        )
        assert runner.poll() is None
        with shop.clients():
            assert runner.wait(30) == 0
    facts = shop.project.json(*words)["rollout"]["record"]["facts"]
    assert facts["analysis"]["verdict"] == "pass"


@pytest.mark.in_turn
def test_a_version_that_begins_to_do_badly_during_a_pause_is_taken_back(shop):
    log = 'log = { path = "said.json", fields = { status = "status", server = "server" } }\nsource = "log"\n'
    shop.configure("blue-green", analysis=LIMIT + log, bake='"1h"')
    said = shop.folder / "said.json"
    said.touch()
    words = ("--config", "rollout.toml")
    with shop.project.begun("rollout", "run", *words, "--version", "2.0") as runner:
        until(lambda: "2.0" in shop.versions())
        assert shop.project.cli("rollout", "pause", *words).returncode == 0
        with said.open("a") as log:
            log.write('{"status": 500, "server": "g1"}\n' * 20)
        assert runner.wait(30) == 1
    assert set(shop.versions()) == {"1.0"}
