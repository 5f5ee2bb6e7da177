"""The linter says of every case what a real server does."""

from __future__ import annotations

from itertools import groupby

import pytest

from benchmarks.lint_corpus_mysql import recorded
from tests.linters.mysql.corpus import verdict

TOPICS = [
    pytest.param(list(found), id=f"{name}-{topic}")
    for name in ("mysql", "mariadb")
    for topic, found in groupby(recorded(name), key=lambda case: case.topic)
]


@pytest.mark.parametrize("found", TOPICS)
def test_the_verdict_is_what_a_server_does(found):
    differ = []
    for case in found:
        for release, truth in case.truth.items():
            said = verdict(case, release)
            if said != ("error" if truth.startswith("error") else truth):
                differ.append((case.statement, release, truth, said))
    assert differ == []


def test_there_are_enough_cases():
    assert all(sum(1 for _ in recorded(name)) >= 120 for name in ("mysql", "mariadb"))
