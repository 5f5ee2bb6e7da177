"""Every format has every finding, in the form its reader takes."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import pytest

from linters.findings import Category, Finding, Severity
from linters.reports import FORMATS, Problem, Report, writer

FINDING = Finding(
    "drop-column", Category.COMPATIBILITY, Severity.ERROR, "100% of it: a,\nb \x01", "fails", "wait", "sql/a b.sql", 3,
    5, 'ALTER TABLE "t" DROP COLUMN <c>', "ACCESS EXCLUSIVE", ("t",), fingerprint="f" * 32, last_line=4,
)  # fmt: skip
REPORT = Report((FINDING,), ("sql/a b.sql", "clean.sql"), 7, (Problem("bad.sql", "NUL <&>"),), version="1.2.3")


def written(form, report=REPORT):
    return writer(form)(report)


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_found_is_a_report_too(form):
    assert written(form, Report()) is not None


def test_json_has_exactly_the_promised_fields():
    data = json.loads(written("json"))
    assert set(data) == {"findings", "summary"}
    assert (
        list(data["findings"][0])
        == (
            "rule category severity message effect safer file line column statement lock tables rewrites scans"
            " operation assumed fingerprint"
        ).split()
    )
    assert data["summary"]["problems"] == [{"file": "bad.sql", "message": "NUL <&>"}]


def test_sarif_has_what_the_standard_requires():
    log = json.loads(written("sarif"))
    (run,) = log["runs"]
    driver, (result,) = run["tool"]["driver"], run["results"]
    assert (log["version"], log["$schema"].rpartition("/")[2]) == ("2.1.0", "sarif-schema-2.1.0.json")
    assert driver["name"]
    assert driver["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "drop-column"
    assert result["level"] in ("none", "note", "warning", "error")
    assert result["message"]["text"]
    assert result["partialFingerprints"] == {"statement/v1": "f" * 32}
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "sql/a%20b.sql", "uriBaseId": "ROOT"}
    assert (place["region"]["startLine"], place["region"]["startColumn"], place["region"]["endLine"]) == (3, 5, 4)
    assert run["invocations"][0]["executionSuccessful"] is False


def test_annotations_of_github_are_one_line_each_and_escaped():
    problem, annotation = written("github").splitlines()
    assert problem.startswith("::error file=bad.sql,")
    assert annotation.startswith(
        "::error file=sql/a b.sql,line=3,endLine=4,col=5,title=drop-column::100%25 of it: a,%0Ab"
    )


def test_gitlab_takes_a_list_with_fingerprints_of_their_own():
    entries = json.loads(written("gitlab"))
    assert len({entry["fingerprint"] for entry in entries}) == len(entries) == 2
    for entry in entries:
        assert entry["description"]
        assert entry["check_name"]
        assert entry["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert entry["location"]["lines"]["begin"] >= 1


def test_junit_is_xml_with_a_failure_for_each_finding():
    root = ElementTree.fromstring(written("junit"))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    assert root.find(".//failure").get("message").startswith("100% of it")
    assert [case.get("classname") for case in root.iter("testcase") if len(case) == 0] == ["clean.sql"]


def test_text_shows_no_character_that_a_terminal_obeys():
    from dataclasses import replace

    shown = written("text", replace(REPORT, texts={"sql/a b.sql": b"1\n2\n    ALTER \x1b[2J\tTABLE\nDROP\n"}))
    assert "\x1b" not in shown
    assert "    4 | DROP" in shown
