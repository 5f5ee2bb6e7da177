"""Which builds may run: the ceiling and the floor."""

from __future__ import annotations

import pytest

from phases.shapes import RevisionState, judge_build

ANCESTORS = {"a": frozenset("a"), "b": frozenset("ab"), "c": frozenset("abc")}

CASES = {
    "all migrated": ("c", "c", {"c": "migrated"}, True, (), ()),
    "not even begun": ("c", "c", {}, False, ("c",), ()),
    "expanded is not enough": ("c", "c", {"c": "expanded"}, False, ("c",), ()),
    "being migrated is not enough": ("c", "c", {"c": "migrating"}, False, ("c",), ()),
    "aborting": ("c", "c", {"c": "aborting"}, False, ("c",), ()),
    "a build of the old shape before the contract": ("b", "b", {"c": "migrated"}, True, (), ()),
    "a build of the old shape after it began": ("b", "b", {"c": "contracting"}, False, (), ("c",)),
    "a build of the old shape after it": ("b", "b", {"c": "purged"}, False, (), ("c",)),
    "a build that uses the old shape and survives the contract": ("b", "c", {"c": "contracted"}, True, (), ()),
    "a build that says nothing after a contract": (None, None, {"c": "contracted"}, False, (), ("c",)),
    "restored": ("b", "b", {"c": "migrated"}, True, (), ()),
    "being restored": ("b", "b", {"c": "restoring"}, True, (), ()),
}


@pytest.mark.parametrize("name", CASES)
def test_verdict(name):
    uses, survives, states, allowed, missing, gone = CASES[name]
    known = {revision: RevisionState(state) for revision, state in states.items()}
    verdict = judge_build(uses, survives, known, ANCESTORS, frozenset("ab"))
    assert (verdict.allowed, verdict.missing, verdict.gone) == (allowed, missing, gone)


def test_an_additive_revision_may_be_read_once_it_is_expanded():
    known = {"c": RevisionState("expanded", additive=True)}
    assert judge_build("c", "c", known, ANCESTORS, frozenset("ab")).allowed


def test_names_the_newest_shape_that_is_ready():
    verdict = judge_build("c", "c", {"c": RevisionState("expanding")}, ANCESTORS, frozenset("ab"))
    assert verdict.newest_safe == "b"
