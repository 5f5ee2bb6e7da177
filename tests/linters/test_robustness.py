"""No text makes the linter fail: it is judged, or said not to be. `MIGRATOR_TEST_EXAMPLES` says how many are tried."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from linters.engine import Choice, Engine
from linters.rules import RULES
from linters.session import Given, Session
from linters.source import Source

EXAMPLES = int(os.environ.get("MIGRATOR_TEST_EXAMPLES", "150"))
SCRIPTS = sorted({text for rule in RULES.values() for text in (rule.given, rule.bad, rule.good) if text})
ODD = [
    ";", "'", "$$", '"', "(", ")", "--", "/*", "*/", "\\i x\n", ":v", "{{ t }}", "${x}", "%s", "\ufeff", "\x01", "é",
    "COPY t FROM STDIN;\n1\n\\.\n", "BEGIN;", "COMMIT;", "ROLLBACK;", "SAVEPOINT s;", "ROLLBACK TO s;", "NULL", " ",
    "-- migrator: disable=drop-column x\n", "SET search_path = '';", "SET lock_timeout = 'soon';", "(" * 200,
]  # fmt: skip


@st.composite
def scripts(draw):
    """Scripts of several rules one after another, with parts cut out, doubled, and odd text put in."""
    text = ";\n".join(draw(st.lists(st.sampled_from(SCRIPTS), min_size=1, max_size=4)))
    for _ in range(draw(st.integers(0, 4))):
        first = draw(st.integers(0, len(text)))
        last = draw(st.integers(first, min(len(text), first + 30)))
        put = draw(st.sampled_from(["", *ODD]) | st.just(text[first:last] * 2) | st.text(max_size=5))
        text = text[:first] + put + text[last:]
    return text


def judged(text, complete, version):
    session = Session(Given(version=version, complete=complete))
    engine = Engine(session, Choice(rules=frozenset(RULES)))
    source = Source("a.sql", text.encode(errors="replace"))
    return list(engine.judge(source)), source


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(scripts(), st.booleans(), st.sampled_from([12, 18]))
def test_whatever_is_written_is_judged(text, complete, version):
    if "\0" in text:
        return
    findings, source = judged(text, complete, version)
    lines = source.data.count(b"\n") + 1
    assert all(1 <= finding.line <= finding.last_line <= lines and finding.column >= 1 for finding in findings)


def test_a_statement_that_cannot_be_read_is_a_finding():
    for text in ("ALTER TABLE t ADD COLUMN", "ALTER TABEL t", "SELECT 'x", "SELECT {{ x }}", "\\i other.sql\n"):
        assert "unanalysed" in {finding.rule for finding in judged(text, False, 18)[0]}


def test_a_large_script_is_judged():
    rows = "INSERT INTO t VALUES " + ", ".join(f"({n}, 'some text of a row that is not short')" for n in range(40_000))
    findings, source = judged(f"{rows};\nDROP TABLE t;\n" + "-- comment\n" * 700_000, False, 18)
    assert len(source.data) > 9_000_000
    assert "drop-table" in {finding.rule for finding in findings}
