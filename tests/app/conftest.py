"""What helpers keep for a whole process ends with each test here."""

from __future__ import annotations

import pytest

from migrator.app import deciding


@pytest.fixture(autouse=True)
def no_switch_outlives_its_test(monkeypatch):
    """A switch decides for every session of its process, and the tests of a suite share one."""
    monkeypatch.setattr(deciding, "_sources", [])
    monkeypatch.setattr(deciding, "_places", {})
