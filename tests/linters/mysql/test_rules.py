"""Every rule of MySQL and MariaDB finds its bad script and nothing finds its good one."""

from __future__ import annotations

import pytest

from linters.dialects import dialect
from linters.engine import Choice, Engine
from linters.session import Given, Session
from linters.source import Source

VERSIONS = {"mysql": (9, 7), "mariadb": (10, 11)}
RULES = [(name, rule) for name in VERSIONS for rule in dialect(name).rules.values()]


def found(name, rule, script, phase=""):
    given = Given(version=rule.version or VERSIONS[name], complete=True, dialect=name)
    defaults = {each.id for each in dialect(name).rules.values() if each.default}
    engine = Engine(Session(given), Choice(rules=frozenset({*defaults, rule.id}), phase=phase))
    engine.seed(Source("schema", rule.given.encode()))
    return {finding.rule for finding in engine.judge(Source("script", script.encode()))}


@pytest.mark.parametrize(("name", "rule"), RULES, ids=[f"{name}-{rule.id}" for name, rule in RULES])
def test_a_rule_finds_its_bad_script_and_nothing_finds_its_good_one(name, rule):
    assert rule.id in found(name, rule, rule.bad)
    assert found(name, rule, rule.good) == set()
    for phase in rule.harmless_in:
        assert rule.id not in found(name, rule, rule.bad, phase)
