"""What an experiment may be, where, and what follows from how it went: nothing here touches anything."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from migrator.chaos.addresses import Address, address, refuse_foreign, through
from migrator.chaos.configuration import read
from migrator.chaos.machine import experiment, held
from migrator.chaos.model import Answers, Outcome, Probe
from migrator.chaos.probes import bad_against
from migrator.errors import UsageError
from tests.plugins.projects import ROOT

FOLDER = Path("/srv/shop")
PROBE = {"sql": "SELECT count(*) FROM users", "equals": 3}
INSTANCES = {name: {"pid_file": f"{name}.pid", "start": f"./start {name}"} for name in ("w1", "w2", "w3", "w4")}


def given(**changes):
    data = {"title": "A cut", "probes": [PROBE], "faults": [{"kind": "cut"}], "instances": INSTANCES, **changes}
    return read({key: value for key, value in data.items() if value is not None}, FOLDER)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"probes": None}, "without a hypothesis"),
        ({"faults": None}, "without a hypothesis or a fault"),
        ({"durration": "5s"}, 'did you mean "duration"'),
        ({"faults": [{"kind": "cutt"}]}, 'did you mean "cut"'),
        ({"faults": [{"kind": "delay", "latencey": "1s"}]}, 'did you mean "latency"'),
        ({"faults": [{"kind": "cut"}, {"kind": "stall"}]}, "one of them at a time"),
        ({"faults": [{"kind": "freeze", "instances": ["w5"]}]}, "no instance is called w5"),
        ({"faults": [{"kind": "freeze", "instances": 3}]}, "3 of 4 instances would be touched"),
        ({"faults": [{"kind": "freeze", "instances": 2}, {"kind": "kill", "instances": ["w1", "w2", "w3"]}]}, "4 inst"),
        ({"faults": [{"kind": "freeze"}], "instances": {}}, "instances.NAME"),
        ({"faults": [{"kind": "kill"}], "instances": {"w1": {"pid_file": "w1.pid"}}, "most": "100%"}, "say start"),
        ({"faults": [{"kind": "disk"}]}, "needs path"),
        ({"probes": [{"url": "http://x/", "sql": "SELECT 1", "equals": 1}]}, "asks one of"),
        ({"probes": [{"sql": "SELECT 1"}]}, "equals, at_least or at_most"),
        ({"probes": [PROBE, PROBE]}, "two probes are called"),
        ({"probes": [{"url": "http://x/", "stages": ["before"]}]}, "must be one of baseline"),
        ({"begin_after": "1s", "begin_when": "SELECT true"}, "cannot both"),
        ({"listen": "6432"}, "write 127.0.0.1:6432"),
    ],
)
def test_an_experiment_that_cannot_be_meant_is_refused(changes, said):
    with pytest.raises(ValueError, match=said):
        given(**changes)


def test_the_experiments_of_the_how_to_can_be_meant():
    page = (ROOT / "docs/how-to/chaos.md").read_text()
    whole, instances = (tomllib.loads(text)["chaos"] for text in re.findall(r"```toml\n(.*?)```", page, re.S))
    assert read(whole, FOLDER).faults[0].kind == "cut"
    assert read({**whole, **instances}, FOLDER).faults[0].chosen in (("web1",), ("web2",))


def test_a_seed_chooses_the_same_instances_and_a_share_at_least_one():
    chosen = [given(faults=[{"kind": "freeze", "instances": "50%"}], seed=seed).faults[0].chosen for seed in (1, 1)]
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 2
    assert len(given(faults=[{"kind": "freeze", "instances": "1%"}]).faults[0].chosen) == 1


@pytest.mark.parametrize(
    ("url", "named", "said"),
    [
        ("postgresql://u@localhost/shop", "", None),
        ("postgresql://u@127.0.0.1:5433/shop", "", None),
        ("postgresql:///shop?host=/run/postgresql", "", None),
        ("mysql://u@[::1]/shop", "", None),
        ("mysql://u@/shop?unix_socket=/run/mysqld.sock", "", None),
        ("postgresql://u:secret@db.example/shop", "", "db.example/shop is not on this machine"),
        ("mysql://u@10.0.0.7/shop", "", "10.0.0.7/shop is not on this machine"),
        ("postgresql://u@db.example/shop", "db.example/shop", None),
        ("postgresql://u@db.example/shop", "test.example/shop", "meant for test.example/shop"),
        ("postgresql://u@localhost/shop", "localhost/other", "meant for localhost/other"),
        ("postgresql:///shop?host=db.example", "", "not on this machine"),
        ("postgresql:///shop?host=db1,db2", "", "several servers"),
    ],
)
def test_a_database_elsewhere_is_disturbed_only_where_it_is_named(url, named, said):
    if said is None:
        refuse_foreign(url, named)
        return
    with pytest.raises(UsageError, match=said) as refused:
        refuse_foreign(url, named)
    assert "secret" not in f"{refused.value} {refused.value.next_step}"


@pytest.mark.parametrize(
    ("url", "where", "proxied"),
    [
        ("postgresql://u:p@db:6000/s", Address("db", 6000), "postgresql+psycopg://u:p@127.0.0.1:7000/s"),
        ("postgresql:///s?host=/run/pg", Address(path="/run/pg/.s.PGSQL.5432"), None),
        ("mysql://u@h/s?unix_socket=/m.sock&a=b", Address(path="/m.sock"), "mysql+pymysql://u@127.0.0.1:7000/s?a=b"),
    ],
)
def test_a_url_through_the_proxy_differs_only_in_where(url, where, proxied):
    assert address(url) == where
    assert through(url, 7000) == (proxied or "postgresql+psycopg://127.0.0.1:7000/s")


GOOD = Outcome(ok=True)
BAD = Outcome(ok=False, reason="bad")


@pytest.mark.parametrize(
    ("bad", "status"),
    [
        (None, "held"),
        ("Look baseline", "refused"),
        ("Launch", "failed"),
        ("Await", "inconclusive"),
        ("Inject 0", "failed"),
        ("Inject 1", "failed"),
        ("Look fault", "broken"),
        ("Restore 0", "not_restored"),
        ("Restore 1", "not_restored"),
        ("Finish", "broken"),
        ("Again", "broken"),
        ("Look after", "broken"),
    ],
)
def test_the_verdict_says_what_went_wrong_and_everything_that_began_is_taken_away(bad, status):
    verdict, asked = conducted(lambda action: BAD if action == bad else GOOD)
    assert verdict.status == status
    begun = [action for action in asked if action.startswith("Inject")]
    assert [f"Restore {action[-1]}" for action in reversed(begun)] == [a for a in asked if a.startswith("Restore")]
    assert ("Launch" in asked and bad != "Launch") == ("Finish" in asked)


def test_a_fault_that_nothing_felt_says_nothing():
    quiet = Outcome(ok=True, facts={"touched": 0, "what": "cut"})
    assert conducted(lambda action: quiet if action == "Restore 1" else GOOD)[0].status == "inconclusive"


def conducted(answer):
    machine, asked = experiment(2, command=True, afterwards=True), []
    try:
        action = next(machine)
        while True:
            number = getattr(action, "number", getattr(action, "stage", ""))
            asked.append(f"{type(action).__name__} {number}".strip())
            action = machine.send(answer(asked[-1]))
    except StopIteration as over:
        return over.value, asked


@pytest.mark.parametrize(
    ("stage", "failed", "recovered", "ok"),
    [
        ("baseline", 0, True, True),
        ("baseline", 1, True, False),
        ("fault", 2, False, True),
        ("fault", 3, True, False),
        ("after", 9, True, True),
        ("after", 1, False, False),
    ],
)
def test_bad_answers_are_tolerated_as_each_stage_says(stage, failed, recovered, ok):
    probe = Probe("shop", "url", "http://x/", tolerated=0.2)
    answers = {"shop": Answers(10, failed, 0.1, "status 500")}
    assert held(stage, (probe,), answers, {"shop"} if recovered else set()).ok is ok


@pytest.mark.parametrize(
    ("limits", "value", "wrong"),
    [
        ({"equals": "3"}, 3, ""),
        ({"equals": "3"}, 4, "is 4, and not 3"),
        ({"at_least": 3}, 2, "below 3"),
        ({"at_most": 3}, 4, "above 3"),
        ({"at_least": 1, "at_most": 3}, 2, ""),
        ({"at_most": 3}, None, "no number"),
    ],
)
def test_a_value_is_held_against_its_limits(limits, value, wrong):
    assert wrong in bad_against(Probe("rows", "sql", "SELECT 1", **limits), value)
    assert bool(wrong) == bool(bad_against(Probe("rows", "sql", "SELECT 1", **limits), value))
