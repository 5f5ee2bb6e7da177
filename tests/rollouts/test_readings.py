"""Sources of readings: what they count, and what is no reading though it looks like one."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest

from migrator.rollouts.analysis.model import Arm
from migrator.rollouts.analysis.sources import haproxy, prometheus
from migrator.rollouts.analysis.sources.base import Around
from migrator.rollouts.analysis.sources.command import Command
from migrator.rollouts.analysis.sources.haproxy import Counts
from migrator.rollouts.analysis.sources.log import AccessLog
from migrator.rollouts.analysis.sources.probe import Client
from migrator.rollouts.configuration import Probing
from migrator.rollouts.plan import RolloutPlan, Server
from migrator.rollouts.probing import Probe, Sample

CASES = Path(__file__).parent / "cases"
FLEET = (Server("b1", "blue", "127.0.0.1:8001"), Server("g1", "green", "127.0.0.1:8002"))
PLAN = RolloutPlan("shop", "production", "canary", "2.0", "1.0", FLEET, "blue", "green")
CANARY, LIVE = Arm("green", "2.0", ("g1",)), Arm("blue", "1.0", ("b1",))


def around(folder, probe=None):
    return Around(PLAN, None, probe, folder)


def test_haproxy_counts_requests_that_no_server_answered_as_failed():
    found = haproxy.counts((CASES / "haproxy" / "no_server_answers.csv").read_text(), ["green"])
    assert found == {"g1": Counts(1, 1, busy=0, limit=10), "g2": Counts(0, 0)}


def test_counts_of_haproxy_go_on_over_a_reload():
    looks = [Counts(1000, 10), Counts(1400, 12), Counts(30, 1), Counts(90, 1)]
    total, last = {}, {}
    for look in looks:
        total, last = haproxy.onwards(total, last, {"g1": look}), {"g1": look}
    read = haproxy.reading(["g1"], {"g1": Counts(0, 0)}, total, last)
    assert (read.requests, read.errors) == (400 + 30 + 60, 2 + 1)


def test_a_server_that_haproxy_does_not_know_is_no_server_without_failures():
    assert haproxy.reading(["g1"], {}, {}, {}).problem == "HAProxy has no statistics of g1"


def test_the_busiest_server_says_how_busy_an_arm_is():
    found = {"g1": Counts(0, 0, busy=2, limit=10), "g2": Counts(0, 0, busy=9, limit=10)}
    assert haproxy.reading(["g1", "g2"], {}, found, found).values == {"saturation": 0.9}


def vector(*values):
    result = [{"metric": {}, "value": [1700000000.0, value]} for value in values]
    return json.dumps({"status": "success", "data": {"resultType": "vector", "result": result}}).encode()


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (vector(), "query errors gives nothing; where that means none, add: or vector(0)"),
        (vector("1", "2"), "query errors gives 2 series, and one is needed: sum(…)"),
        (vector("NaN"), "query errors gives NaN, which is no number"),
        (vector("+Inf"), "query errors gives +Inf, which is no number"),
        (b"<html>", "query errors: the answer is none of Prometheus: b'<html>'"),
    ],
)
def test_what_prometheus_does_not_know_is_no_zero(answer, problem):
    with pytest.raises(prometheus.NoAnswer) as said:
        prometheus.value_of("errors", answer)
    assert str(said.value) == problem


def test_a_value_of_prometheus():
    scalar = json.dumps({"data": {"resultType": "scalar", "result": [1700000000.0, "3"]}}).encode()
    assert [prometheus.value_of("errors", answer) for answer in (vector("2.5"), scalar)] == [2.5, 3.0]


def test_a_query_names_its_arm_and_leaves_the_rest_of_the_language_alone():
    arm = Arm("green", '2.0"', ("g-1", "g2"))
    query = 'sum(increase(hits{pool="$pool",v="$version",s=~"$servers",path=~"/a$"}[$window]))'
    assert prometheus.filled(query, arm, 12.4) == (
        'sum(increase(hits{pool="green",v="2.0\\"",s=~"g\\\\-1|g2",path=~"/a$"}[12s]))'
    )


@pytest.fixture
def opened():
    """Make a log that is read from this moment on, and let go of it in the end."""
    logs = []

    def make(folder, data):
        logs.append(AccessLog(data, around(folder)))
        logs[-1].begin()
        return logs[-1]

    yield make
    for log in logs:
        log.end()


LOG = {"path": "access.json", "fields": {"status": "s", "milliseconds": "ms", "server": "who"}}


def wrote(path, *lines, mode="a"):
    with path.open(mode) as file:
        file.write("".join(lines))


def line(status, who="g1", ms=5):
    return json.dumps({"s": status, "who": who, "ms": ms}) + "\n"


def test_a_log_is_read_from_the_beginning_of_the_watch_over_its_rotation(tmp_path, opened):
    path = tmp_path / "access.json"
    wrote(path, line(500), line(500))
    log = opened(tmp_path, LOG)
    assert log.read(CANARY, 60).requests == 0
    wrote(
        path,
        "Nov 21 10:00:00 edge haproxy[7]: " + line(200, ms=12),
        line(503),
        line(200, "b1"),
        line(-1),
        "garbage\n",
        '{"s": 200',
    )
    assert log.read(CANARY, 60).requests == 2
    wrote(path, ', "who": "g1"}\n', line(200))
    path.rename(tmp_path / "access.json.1")
    wrote(tmp_path / "access.json.1", line(404))
    wrote(path, line(502))
    read = log.read(CANARY, 60)
    assert (read.requests, read.errors) == (6, 2)
    assert read.latencies[0] == 0.012
    wrote(path, '{"s": 200, "who": "g1"}\n', mode="w")  # emptied in its place, and shorter than it was
    assert log.read(CANARY, 60).requests == 7
    assert log.read(LIVE, 60).requests == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (None, "access.json cannot be read: No such file or directory"),
        ('{"s": 200}\n', "none of 1 lines of access.json has the fields that are named"),
        ("127.0.0.1 - GET / 200\n", "none of 1 lines of access.json has the fields that are named"),
    ],
)
def test_a_log_that_cannot_be_read_is_no_log_without_failures(tmp_path, opened, text, problem):
    log = opened(tmp_path, LOG)
    if text:
        wrote(tmp_path / "access.json", text)
    assert log.read(CANARY, 60).problem.endswith(problem)


@pytest.mark.parametrize(
    ("fields", "said", "ours"),
    [
        ({"version": "v", "server": "w"}, {"v": "2.0", "w": "b1"}, True),
        ({"version": "v", "server": "w"}, {"v": "", "w": "g1"}, True),
        ({"address": "up"}, {"up": "127.0.0.1:8001, 127.0.0.1:8002"}, True),
        ({"address": "up"}, {"up": "127.0.0.1:8002, 127.0.0.1:8001"}, False),
        ({"pool": "p"}, {"p": "green"}, True),
        ({"pool": "p"}, {"p": "blue"}, False),
    ],
)
def test_a_line_is_of_the_arm_that_answered_last(tmp_path, opened, fields, said, ours):
    log = opened(tmp_path, {"path": "access.json", "fields": {"status": "s", **fields}})
    wrote(tmp_path / "access.json", json.dumps({"s": 200, **said}) + "\n")
    assert log.read(CANARY, 60).requests == int(ours)


def command(tmp_path, program):
    (tmp_path / "judge.py").write_text(program)
    return Command({"run": f"{sys.executable} judge.py", "timeout": "0.5s"}, around(tmp_path)).read(CANARY, 30.0)


def test_a_command_is_told_the_arm_and_says_figures(tmp_path):
    read = command(
        tmp_path,
        "import json, os\n"
        "named = [os.environ['MIGRATOR_' + name] for name in ('ARM', 'VERSION', 'PREVIOUS', 'SERVERS', 'SECONDS')]\n"
        "assert named == ['green', '2.0', '1.0', 'g1', '30.000'], named\n"
        "print(json.dumps({'requests': 400, 'errors': 3, 'p95': 0.2, 'conversion': None}))\n",
    )
    assert (read.requests, read.errors, read.problem, read.refused) == (400, 3, "", "")
    assert read.values == {"p95": 0.2, "complaints": 0.0}


def test_a_command_says_with_its_exit_code_how_an_arm_does(tmp_path):
    assert command(tmp_path, "print('fine')").values == {"complaints": 0.0}
    refused = command(tmp_path, "print('conversion fell'); print('by half'); exit(1)").refused
    assert refused.endswith("ended with 1: conversion fell | by half")
    assert command(tmp_path, "exit(3)").problem.endswith("does not know yet")


def test_a_command_that_takes_too_long_or_is_not_there_says_nothing(tmp_path):
    late = "import subprocess, time\nsubprocess.Popen(['sleep', '60'])\nprint('began', flush=True)\ntime.sleep(60)"
    assert command(tmp_path, late).problem.endswith("took longer than 0.5 s: began")
    gone = Command({"run": "./nothing"}, around(tmp_path)).read(CANARY, 1.0)
    assert gone.problem == "./nothing cannot be run: No such file or directory"
    assert command(tmp_path, 'print(\'{"errors": "many"}\')').problem
    assert command(tmp_path, "print('{\"p95\": NaN}')").problem


def test_a_program_that_goes_on_in_the_background_is_not_waited_for(tmp_path):
    leaving = "import subprocess\nprint(subprocess.Popen(['sleep', '5']).pid, flush=True)"
    begun = time.monotonic()
    assert command(tmp_path, leaving).values == {"complaints": 0.0}
    assert time.monotonic() - begun < 5


def test_the_client_tells_versions_apart_and_blames_the_one_that_is_rolled_out():
    probe = Probe(Probing("http://127.0.0.1/"), "X-Version")
    client = Client({}, around(Path(), probe))
    client.begin()
    assert client.read(CANARY, 60).problem == "the probe has had no answer"
    at = time.monotonic()
    for status, version in ((200, "1.0"), (200, "2.0"), (500, "2.0"), (503, ""), (0, ""), (500, "1.0")):
        probe.note(Sample(at, 0.01, status, version))
    canary, live = client.read(CANARY, 60), client.read(LIVE, 60)
    assert (canary.requests, canary.errors, len(canary.latencies)) == (4, 3, 1)
    assert (live.requests, live.errors) == (2, 1)
    client.begin()
    assert client.read(CANARY, 60).requests == 0
