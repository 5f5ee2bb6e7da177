"""A whole change in one command: expand, migrate, roll out."""

from __future__ import annotations

import pytest

WORDS = ("change", "--to", "2.0", "--config", "rollout.toml", "--format", "json")


@pytest.fixture
def change(database, shop):
    """A column to be renamed, and a rollout that is configured."""
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text)", "INSERT INTO users VALUES (1, 'ann')")
    shop.project.revision("change", 'RenameColumn("users", "full_name", "name")')
    shop.configure("rolling", hold='"3s"')
    return shop


def test_a_change_is_migrated_before_its_version_goes_live_and_waits_for_the_gate(change):
    """Requests are held while a step shuts the table."""
    with change.clients() as seen:
        found = change.project.json("release", *WORDS)["released"]
    assert seen.failed == []
    assert set(change.versions()) == {"2.0"}
    assert change.project.states() == {"change": "migrated"}
    assert found["rollout"]["record"]["status"] == "succeeded"
    (*_, deployed) = change.project.json("deploy", "list")["deployments"]
    assert (deployed["version"], deployed["uses"], deployed["status"]) == ("2.0", "change", "succeeded")
    assert not found["gate"]["open"]
    assert 0 < found["held_seconds"] <= 3
    assert (change.folder / "hold.map").read_text().startswith("until 0")
    again = change.project.json("release", *WORDS)["released"]
    assert (again["applied"]["outcomes"], again["rollout"]) == ([], found["rollout"])


def test_a_rollout_that_is_configured_wrongly_is_refused_before_the_database_is_touched(change):
    change.configure("rolling", batch_size=2, max_unavailable=2)
    refused = change.project.cli("release", *WORDS)
    assert refused.returncode == 2
    assert "would leave none for the traffic" in refused.stdout
    unknown = change.project.cli("release", *WORDS, "--strategy", "canari")
    assert unknown.returncode == 2
    assert 'did you mean \\"canary\\"?' in unknown.stdout
    assert change.project.states() == {"change": "pending"}
