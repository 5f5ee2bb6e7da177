"""Rules and corpus say what real servers do, and the linter says what the corpus does."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from benchmarks.lint_accuracy import findings, ours, score
from benchmarks.lint_corpus import BROKEN, SAFE, Case, decidable, load, try_out
from linters.findings import Category
from linters.rules import RULES
from linters.source import Source
from migrator.shadow import Scratch, compare, observe
from tests.plugins.servers import WANTED, Fleet, missing, versions

CASES = {case.id: case for case in load()}
NOT_SEEN = {
    "replica-identity-lost",  # takes a statement of the old version
    "lock-timeout-missing",  # asked for only where the policy is to have one everywhere
}
"""Hazards of which neither locks nor work tell."""


@pytest.fixture(scope="module")
def scratches(fleet: Fleet) -> Iterator[Callable[[int], Scratch]]:
    with ExitStack() as stack:
        made: dict[int, Scratch] = {}

        def of(major: int) -> Scratch:
            if major not in made:
                made[major] = stack.enter_context(Scratch(fleet.server(major).url))
            return made[major]

        yield of


def has_its_turn(case: Case, major: int) -> bool:
    """Whether a case is tried on a server: one of those it is for; all of them where versions are asked for."""
    majors = [each for each in versions() if case.is_for(each)]
    return major in majors and (bool(WANTED) or majors[zlib.crc32(case.id.encode()) % len(majors)] == major)


def newest() -> int:
    if not versions() or versions()[0] < 18:
        missing("rules are written for PostgreSQL 18")
    return versions()[0]


@pytest.mark.parametrize("major", versions(), ids=lambda major: f"pg{major}")
@pytest.mark.parametrize("name", sorted({case.file.stem for case in CASES.values()}))
def test_what_the_corpus_says_is_what_the_server_does(scratches, major, name):
    cases = [case for case in CASES.values() if case.file.stem == name and has_its_turn(case, major)]
    told = {case.id: try_out(case, scratches(major)) for case in cases}
    assert told == {case.id: case.truth for case in cases}


def test_the_corpus_is_large_and_even():
    assert len(CASES) >= 300
    assert sum(not case.unsafe for case in CASES.values()) >= 0.4 * len(CASES)


@pytest.mark.parametrize(
    ("with_schema", "recall", "precision"), [(True, 1.0, 0.98), (False, 0.98, 0.95)], ids=["with schema", "without"]
)
def test_the_linter_says_what_is_true(with_schema, recall, precision):
    cases = list(CASES.values()) if with_schema else decidable(list(CASES.values()))
    ask = ours(with_schema)
    answers = {case.id: ask(case) for case in cases}
    found = score(answers, cases)
    assert found.recall >= recall, [case.id for case in found.missed]
    assert found.precision >= precision, {case.id: answers[case.id].rules for case in found.wrong}


def test_a_verdict_is_the_same_for_every_version_with_the_same_truth():
    cases = [case for case in CASES.values() if case.is_for(13) and case.is_for(18)]
    differ = [case.id for case in cases if {f.rule for f in findings(case, True, 13)} != {
        f.rule for f in findings(case, True, 18)}]  # fmt: skip
    assert not differ


@pytest.mark.parametrize("rule", [rule for rule in RULES.values() if "postgresql" in rule.dialects], ids=lambda r: r.id)
def test_the_scripts_of_a_rule_do_what_it_says(scratches, rule):
    scratch = scratches(newest())
    good = try_out(Case("good", rule.given, rule.good), scratch)
    assert good in ((SAFE,), (BROKEN,))
    if rule.category is Category.HAZARD and rule.id not in NOT_SEEN:
        assert try_out(Case("bad", rule.given, rule.bad), scratch) != (SAFE,)
    elif rule.category is Category.COMPATIBILITY and rule.id != "required-column":
        assert "error" not in try_out(Case("bad", rule.given, rule.bad), scratch)


@pytest.mark.parametrize(
    ("name", "labels"),
    [("int-to-bigint", {"confirmed"}), ("check-not-valid", set()), ("unique-dirty", {"mismatch"}),
     ("index-blocks-writes", {"confirmed"}), ("validate-check-under-own-lock", {"confirmed"}),
     ("index-concurrently-in-transaction", {"confirmed"}), ("vacuum-full", {"confirmed"})],
)  # fmt: skip
def test_a_finding_is_set_against_what_was_seen(scratches, name, labels):
    case, scratch = CASES[name], scratches(newest())
    scratch.prepare(case.given)
    try:
        seen = list(scratch.run(Source(name, case.script.encode())))
    finally:
        scratch.clean()
    assert {found.label for found in compare(findings(case, True), seen)} == labels
    if labels == {"confirmed"}:
        assert compare([], seen)[0].label == "observed-only"
    assert all(found.label == "static-only" for found in compare(findings(case, True), seen) if found.seen == "")


def test_a_scratch_copy_is_gone_afterwards(database):
    case = CASES["int-to-bigint"]
    databases = "SELECT datname FROM pg_database ORDER BY 1"
    before = database.rows(databases)
    seen = observe(Source(case.id, case.script.encode()), case.given, database.url)
    assert seen[0].rewrites == ("t",)
    assert database.rows(databases) == before
    assert database.rows("SELECT count(*) FROM pg_class WHERE relname = 't'") == [(0,)]
