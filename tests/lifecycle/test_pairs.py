"""Two operations that are not refused together go the way that each goes alone: in one revision, or in two in flight.

`MIGRATOR_TEST_PAIRS=1000` takes so many pairs; each number is always the same pair.
"""

from __future__ import annotations

import os
import random

import psycopg
import pymysql
import pytest

from migrator.errors import PlanRefused
from tests.lifecycle.test_operations import PREPARED, SUITES
from tests.lifecycle.walking import Case, own_names, same, walk
from tests.plugins.families import kind_of, named, servers

PAIRS = int(os.environ.get("MIGRATOR_TEST_PAIRS", "8"))


def pairs():
    for number in range(PAIRS):
        chosen = random.Random(number)
        kind = chosen.choice(sorted(SUITES))
        one, two = chosen.sample(sorted(SUITES[kind].cases), 2)
        where, apart = (kind, chosen.choice(servers(kind))), chosen.random() < 0.5
        words = f"{number} {named(*where)} {one} {'and then' if apart else 'with'} {two}"
        yield pytest.param(where, one, two, apart, id=words)


def together(database, cases):
    """One case of both, whose tables are there; a pair that cannot be said together is none."""
    for case in cases:
        if case.stays:
            pytest.skip("an abort leaves a line of the schema")
        try:
            database.run(*([case.given] if isinstance(case.given, str) else case.given))
        except (psycopg.Error, pymysql.Error) as problem:
            pytest.skip(f"what both begin with cannot be had at once: {problem}")
    return Case(", ".join(case.operation for case in cases), moves=any(case.moves for case in cases))


def walk_apart(case, database, project, first, second):
    """The way of two revisions that are migrated."""
    migrated = database.dump()
    project.abort(second, discard=True)
    project.apply()
    assert same(database.dump(), migrated, case), "the second again"
    for revision in (first, second):
        before = database.dump()
        project.apply("contract", revision)
        if project.states().get(revision) == "contracted":
            project.restore(revision)
            assert same(database.dump(), before, case), f"restore of {revision}"
            project.apply("contract", revision)
    for revision in (first, second):
        project.apply("purge", revision)
    assert own_names(database.dump()) == []
    assert database.rows("SELECT version_num FROM alembic_version") == [(second,)]


@pytest.mark.parametrize(("server_database", "one", "two", "apart"), list(pairs()), indirect=["server_database"])
def test_two_operations_go_out_back_and_through(one, two, apart, server_database, project):
    kind = kind_of(server_database)
    cases = [SUITES[kind].cases[name] for name in (one, two)]
    with PREPARED[kind](server_database):
        case = together(server_database, cases)
        project.url = server_database.url
        operations = [each.operation for each in cases] if apart else [case.operation]
        revisions = [project.revision(f"number_{i}", operation) for i, operation in enumerate(operations)]
        try:
            project.plan(revisions[-1])
            if apart:
                project.apply()  # what is known once the first is there may refuse the second
        except PlanRefused as refusal:
            pytest.skip(f"refused together: {refusal}")
        (walk_apart if apart else walk)(case, server_database, project, *revisions)
