"""Deployments that other systems have written down: what is read from them, and what is wrong with them, by line."""

from __future__ import annotations

import json
from dataclasses import MISSING, asdict, fields
from pathlib import Path

import pytest

from migrator.errors import UsageError
from migrator.imports import ci
from migrator.imports.reading import read
from migrator.imports.reported import Given, Reported

CASES = Path(__file__).parent / "imports"
DEFAULTS = {f.name: f.default for f in fields(Reported) if f.default is not MISSING}


def said(report):
    found = {**asdict(report), "at": report.at.isoformat() if report.at else None}
    return {name: value for name, value in found.items() if value != DEFAULTS.get(name, ...)}


@pytest.mark.parametrize("case", sorted(folder.name for folder in CASES.iterdir()))
def test_what_an_input_reports(case):
    (given,) = CASES.joinpath(case).glob("input.*")
    expected = json.loads(CASES.joinpath(case, "expected.json").read_text())
    if isinstance(expected, list):
        assert [said(report) for report in read(given.name, given.read_text(), Given())] == expected
        return
    with pytest.raises(UsageError, match="nothing was imported") as refusal:
        read(given.name, given.read_text(), Given())
    problems = refusal.value.facts["problems"]
    assert len(problems) == len(expected["problems"])
    assert all(found.startswith(wanted) for found, wanted in zip(problems, expected["problems"], strict=True))


JOBS = {
    "GitHub Actions": (
        {
            "GITHUB_ACTIONS": "true",
            "GITHUB_SHA": "abc",
            "GITHUB_REPOSITORY": "acme/shop",
            "GITHUB_RUN_ID": "7",
            "GITHUB_RUN_ATTEMPT": "2",
            "GITHUB_ACTOR": "ann",
        },
        ("shop", "abc", "production", "ann", "https://github.com/acme/shop/actions/runs/7/attempts/2"),
    ),
    "GitLab CI": (
        {
            "GITLAB_CI": "true",
            "CI_COMMIT_SHA": "abc",
            "CI_PROJECT_PATH": "acme/shop",
            "CI_PROJECT_NAME": "shop",
            "CI_JOB_ID": "9",
            "CI_JOB_URL": "https://gitlab.example/9",
            "GITLAB_USER_LOGIN": "bob",
            "CI_ENVIRONMENT_NAME": "staging",
        },
        ("shop", "abc", "staging", "bob", "https://gitlab.example/9"),
    ),
    "Jenkins": (
        {
            "JENKINS_URL": "https://ci.example/",
            "BUILD_URL": "https://ci.example/job/shop/3/",
            "JOB_BASE_NAME": "shop",
            "GIT_COMMIT": "abc",
        },
        ("shop", "abc", "production", None, "https://ci.example/job/shop/3/"),
    ),
}


@pytest.mark.parametrize("name", JOBS)
def test_what_a_job_says_of_itself(name):
    environ, expected = JOBS[name]
    report = ci.reported(environ, Given(), "succeeded")
    assert (report.application, report.version, report.environment, report.actor, report.ci_run) == expected
    again = ci.reported(
        {**environ, "GITHUB_RUN_ATTEMPT": "3", "CI_JOB_ID": "10", "BUILD_URL": "x/4/"}, Given(), "failed"
    )
    assert again.key != report.key


@pytest.mark.parametrize(
    ("version", "made"),
    [
        (None, True),
        ("abcdef0123", True),
        ("abcdef0", True),
        ("2.0", True),
        ("v2.0", True),
        ("1.0", False),
        ("abc", False),
    ],
)
def test_the_commit_of_a_job_is_that_of_the_version_it_was_started_for(version, made):
    environ = {"GITLAB_CI": "1", "CI_COMMIT_SHA": "abcdef0123456789", "CI_COMMIT_TAG": "v2.0"}
    assert ci.job(environ).made(version) is made


def test_no_job_at_all_is_said():
    with pytest.raises(UsageError, match="no job of GitHub Actions, GitLab CI or Jenkins"):
        ci.reported({}, Given(application="shop"), "succeeded")
