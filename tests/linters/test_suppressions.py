"""Comments silence what they are about, say why, and are found out when they do not."""

from __future__ import annotations

from datetime import date

import pytest

from linters.engine import Choice, Engine
from linters.session import Given, Session
from linters.source import Source

DROP = "ALTER TABLE users DROP COLUMN fax;"
INDEX = "CREATE INDEX i ON users (a);"


def found(text, today=date(2026, 6, 1), **choice):
    engine = Engine(Session(Given()), Choice(today=today, **choice))
    return [(finding.rule, finding.line) for finding in engine.judge(Source("a.sql", text.encode()))]


@pytest.mark.parametrize(
    "text",
    [
        f"-- migrator: disable=drop-column nobody reads it\n{DROP}",
        f"-- migrator: disable=drop-column nobody reads it\n\n-- another comment\n{DROP}",
        f"{DROP} -- migrator: disable=drop-column nobody reads it",
        f"/* migrator: disable=drop-column nobody reads it */ {DROP}",
        "ALTER TABLE users\n  -- migrator: disable=drop-column nobody reads it\n  DROP COLUMN fax;",
        "ALTER TABLE users\n  DROP COLUMN fax; -- migrator: disable=drop-column nobody reads it",
        f"SELECT 1;\n{DROP}\n-- migrator: disable-file=drop-column nobody reads it",
        f"-- migrator: disable=drop-column nobody reads it until=2026-06-01\n{DROP}",
        f"-- migrator: disable=index-blocks-writes,drop-column a quiet night\n{INDEX} {DROP}",
    ],
)
def test_a_comment_silences_the_statement_it_is_about(text):
    assert found(text) == []


def test_a_comment_silences_no_other_statement_and_no_other_rule():
    assert found(f"-- migrator: disable=drop-column gone\n{DROP}\n{DROP}") == [("drop-column", 3)]
    assert found(f"-- migrator: disable=drop-column gone\nSELECT 1;\n{DROP}") == [
        ("unused-suppression", 1),
        ("drop-column", 3),
    ]
    assert ("index-blocks-writes", 2) in found(f"-- migrator: disable=drop-column gone\n{INDEX}")


@pytest.mark.parametrize(
    ("comment", "rule"),
    [
        ("disable=drop-column", "suppression-without-reason"),
        ("disable=drop-column until=2030-01-01", "suppression-without-reason"),
        ("disable=drop-column gone until=2026-05-31", "expired-suppression"),
        ("disable=drop-column gone until=soon", "unused-suppression"),
        ("disable=drop-colum gone", "unused-suppression"),
        ("disable drop-column gone", "unused-suppression"),
        ("disable-next-line=drop-column gone", "unused-suppression"),
    ],
)
def test_a_comment_that_silences_nothing_is_said_to(comment, rule):
    assert found(f"-- migrator: {comment}\n{DROP}") == [(rule, 1), ("drop-column", 2)]


def test_a_comment_about_a_rule_that_is_not_asked_is_not_called_unused():
    text = f"-- migrator: disable=drop-column gone\n{DROP}"
    assert found(text, phase="contract") == []
    assert found("-- migrator: disable=lock-timeout-missing short\nSELECT 1;") == []
