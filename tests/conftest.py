"""What every test has: a clean environment, and servers to talk to."""

from __future__ import annotations

import os

import pytest

# What several suites share asserts as tests do.
pytest.register_assert_rewrite("tests.compatibility.living", "tests.crash.killing", "tests.lifecycle.walking")

pytest_plugins = [
    "tests.plugins.servers",
    "tests.plugins.projects",
    "tests.plugins.poolers",
    "tests.plugins.mysql_servers",
    "tests.plugins.families",
]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in os.environ:
        if name.startswith(("MIGRATOR_", "PG")) or name in (
            "DATABASE_URL",
            "GITHUB_ACTIONS",
            "GITLAB_CI",
            "JENKINS_URL",
        ):
            monkeypatch.delenv(name)
