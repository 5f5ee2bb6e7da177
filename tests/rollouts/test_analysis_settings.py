"""What an analysis is refused for, and what it takes where nothing is said."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from migrator.errors import UsageError
from migrator.rollouts import configuration as configuring
from migrator.rollouts.analysis.configuration import read
from migrator.rollouts.planning import plan
from migrator.rollouts.targets.base import TrafficState

ONE = {"max": "1%"}

REFUSED = {
    "near miss of a setting": (
        {"sourc": "probe"},
        'unknown setting "sourc" of [tool.migrator.rollout.analysis]; did you mean "source"?',
    ),
    "near miss of a source": ({"source": "prob"}, 'did you mean "probe"?'),
    "near miss of a limit": (
        {"source": "probe", "metrics": {"errors": {"maxx": "1%"}}},
        'unknown setting "maxx" of metrics.errors; did you mean "max"?',
    ),
    "no metric": ({"source": "probe"}, "has no metric"),
    "a metric without a condition": (
        {"source": "probe", "metrics": {"errors": {}}},
        "metrics.errors: has no limit, so it could never fail; give it one of max, min, max_ratio, min_ratio",
    ),
    "a share of successes, taken for one of failures": (
        {"source": "probe", "metrics": {"errors": {"max": "95%"}}},
        "metrics.errors: lets 95 % of the requests fail; if that is meant, and not the share that succeeds, add",
    ),
    "no source": ({"metrics": {"errors": ONE}}, "metrics.errors: nothing says where it is read"),
    "fewer requests than the limit takes": (
        {"source": "probe", "minimum": 100, "metrics": {"errors": ONE}},
        "minimum: 100 requests say nothing of a limit of 1 %: with no failure among them, up to 3 % may fail; 300",
    ),
    "fewer than an error budget takes": (
        {"source": "probe", "minimum": 100, "metrics": {"burn": {"max": 10, "objective": "99.9%"}}},
        "300 are needed",
    ),
    "a ratio without a floor": (
        {"source": "probe", "metrics": {"p95": {"max": "1s", "max_ratio": 1.5}}},
        "metrics.p95: max_ratio needs a floor",
    ),
    "a baseline alone": (
        {"source": "probe", "metrics": {"p95": {"max_ratio": 1.5, "floor": "50ms"}}},
        "metrics have no limit but that of a baseline",
    ),
    "a metric that the source has not": (
        {"source": "haproxy", "metrics": {"p95": {"max": "1s"}}},
        "metrics.p95: haproxy does not have it: it has burn, errors, saturation, traffic; read it from probe or log",
    ),
    "samples of a source that has none": (
        {
            "source": "prometheus",
            "prometheus": {"url": "http://p", "queries": {"requests": "a"}},
            "metrics": {"latency": {"max_ratio": 1.5, "floor": "10ms"}, "traffic": {"min": 1}},
        },
        "metrics.latency: prometheus does not have it",
    ),
    "a query that counts nothing": (
        {
            "source": "prometheus",
            "prometheus": {"url": "http://p", "queries": {"p95": "a"}},
            "metrics": {"p95": {"max": "1s"}},
        },
        "prometheus: does not count requests",
    ),
    "failures of nobody knows how many": (
        {
            "source": "prometheus",
            "prometheus": {"url": "http://p", "queries": {"errors": "a"}},
            "metrics": {"errors": ONE},
        },
        "queries.requests",
    ),
    "an unknown word in a query": (
        {
            "source": "prometheus",
            "prometheus": {"url": "http://p", "queries": {"requests": "sum(a{v='$versoin'})"}},
            "metrics": {"traffic": {"min": 1}},
        },
        "prometheus: queries.requests: $versoin stands for nothing; known are: $pool, $version, $servers, $window",
    ),
    "a log that tells no arms apart": (
        {"source": "log", "log": {"path": "a", "fields": {"status": "s"}}, "metrics": {"errors": ONE}},
        "the names that its lines have for the status, and for one of version, server, address, pool",
    ),
    "a command without a command": ({"source": "command"}, "command: does not say what is run"),
    "a source of nothing": (
        {"source": "probe", "log": {"path": "a"}, "metrics": {"errors": ONE}},
        "log: nothing is read from it; name it as source",
    ),
    "all looks may fail": (
        {"source": "probe", "tolerated": 3, "within": 3, "metrics": {"errors": ONE}},
        "tolerated: 3 of the last 3 looks is all of them; it could never fail",
    ),
    "more in a row than are tolerated at all": (
        {"source": "probe", "tolerated": 1, "consecutive": 3, "metrics": {"errors": ONE}},
        "consecutive: 3 in a row never come to pass, because it fails on 2 in any order",
    ),
    "nothing, and yet something": ({"source": "none", "metrics": {"errors": ONE}}, 'source = "none" judges nothing'),
    "a budget without an objective": (
        {"source": "probe", "metrics": {"burn": {"max": 10}}},
        "metrics.burn: needs the objective",
    ),
}


@pytest.mark.parametrize(("data", "said"), REFUSED.values(), ids=REFUSED)
def test_an_analysis_that_would_find_nothing_is_refused(data, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        read(data)


def test_what_is_not_said_follows_from_the_limits():
    rules = read({"source": "probe", "metrics": {"errors": {"max": "2%"}, "p95": {"max": "300ms"}}})
    assert rules.minimum == 150
    assert (rules.tolerated, rules.every, rules.patience) == (0, 5.0, None)
    assert [(metric.name, metric.max, metric.source) for metric in rules.metrics] == [
        ("errors", 0.02, "probe"),
        ("p95", 0.3, "probe"),
    ]


def test_each_metric_may_have_a_source_of_its_own():
    rules = read(
        {"source": "haproxy", "metrics": {"errors": ONE, "p99": {"max": "1s", "source": "probe"}}},
    )
    assert set(rules.sources) == {"haproxy", "probe"}


def test_an_exit_code_is_a_limit_of_its_own():
    rules = read({"source": "command", "command": {"run": "./judge.sh"}, "minimum": 0})
    assert [(metric.name, metric.max) for metric in rules.metrics] == [("complaints", 0.0)]


def test_nothing_is_judged_only_where_it_is_said():
    assert read({"source": "none"}) is None


class Divided:
    """A target whose live pool has all traffic."""

    can = frozenset({"drain", "split"})

    def look(self):
        return TrafficState({}, {"blue": 100.0, "green": 0.0})


def configuration(strategy, **more):
    pools = {"blue": {"b1": "h:1", "b2": "h:2"}, "green": {"g1": "h:3"}}
    return configuring.read({"app": "shop", "strategy": strategy, "pools": pools, "target": {}, **more}, None)


STEPS = [{"weight": 5, "pause": "1m"}]
JUDGED = {"source": "probe", "metrics": {"errors": ONE}}
UNJUDGED = {
    "a canary without a word": ("canary", {"steps": STEPS}, "a canary that nothing judges finds nothing"),
    "a canary that only counts": (
        "canary",
        {"steps": [{"weight": 5, "pause": "0"}], "analysis": JUDGED},
        "nothing is ever watched",
    ),
    "batches without a pause": ("rolling", {"analysis": JUDGED}, "nothing is ever watched"),
    "a switch without a wait": ("blue-green", {"analysis": JUDGED}, "nothing is ever watched"),
}


@pytest.mark.parametrize(("strategy", "more", "said"), UNJUDGED.values(), ids=UNJUDGED)
def test_a_version_that_nothing_would_judge_is_refused(strategy, more, said):
    found = configuration(strategy, **more)
    rules = read(found.analysis) if found.analysis else None
    with pytest.raises(UsageError) as refused:
        plan(found, Divided(), "2.0", "1.0", rules)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("strategy", "more"),
    [
        ("canary", {"steps": STEPS, "analysis": {"source": "none"}}),
        ("canary", {"steps": STEPS, "analysis": JUDGED}),
        ("rolling", {}),
        ("rolling", {"bake": "1m", "analysis": JUDGED}),
        ("blue-green", {"keep": "promote", "analysis": JUDGED}),
    ],
)
def test_what_is_judged_or_said_not_to_be_is_planned(strategy, more):
    found = configuration(strategy, **more)
    rules = read(found.analysis) if found.analysis else None
    assert plan(found, Divided(), "2.0", "1.0", rules).live == "blue"


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        ({"start": "run {prot}"}, 'start: "{prot}" stands for nothing; did you mean "{port}"?'),
        ({"start": "run '{\"a\": 1}'"}, "stands for nothing"),
        ({"checks": ["run {"]}, "for braces that name nothing"),
        ({"attempts": 0}, "is not a whole number above zero"),
    ],
)
def test_a_command_that_names_what_is_not_there_is_refused(commands, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        configuration("rolling", commands=commands)


PAGES = Path(__file__).parents[2] / "docs" / "how-to"
EXAMPLES = [
    pytest.param(tomllib.loads(block)["tool"]["migrator"]["rollout"], id=f"{page}-{number}")
    for page in ("rollouts.md", "rollout-analysis.md")
    for number, block in enumerate(re.findall(r"```toml\n(.*?)```", (PAGES / page).read_text(), re.S))
]


@pytest.mark.parametrize("example", EXAMPLES)
def test_what_the_pages_show_is_accepted(example):
    assert read(example["analysis"]).metrics
    if "strategy" in example:
        found = configuring.read(example, None)
        plan(found, Divided(), "2.0", "1.0", read(found.analysis))
