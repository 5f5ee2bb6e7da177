"""Every rule finds its bad script and nothing finds its good one, in the schema both start from."""

from __future__ import annotations

import pytest

from linters.engine import Choice, Engine
from linters.findings import Category
from linters.rules import RULES
from linters.session import Given, Session
from linters.source import Source

DEFAULTS = {rule.id for rule in RULES.values() if rule.default}


def found(rule, script, phase=""):
    complete = rule.category is not Category.UNANALYSED
    session = Session(Given(version=18, complete=complete, timezone="UTC"))
    engine = Engine(session, Choice(rules=frozenset({*DEFAULTS, rule.id}), phase=phase))
    engine.seed(Source("schema", rule.given.encode()))
    return {finding.rule for finding in engine.judge(Source("script", script.encode()))}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_finds_its_bad_script_and_nothing_finds_its_good_one(rule):
    assert rule.id in found(rule, rule.bad)
    assert found(rule, rule.good) == set()


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if rule.harmless_in], ids=lambda rule: rule.id)
def test_what_breaks_the_old_version_is_in_order_once_it_is_gone(rule):
    for phase in rule.harmless_in:
        assert rule.id not in found(rule, rule.bad, phase)
