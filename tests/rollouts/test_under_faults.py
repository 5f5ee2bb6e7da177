"""A rollout whose connection to the database breaks: users notice nothing, and it is gone on with."""

from __future__ import annotations

import json

EXPERIMENT = """\
[chaos]
title = "A rollout survives the loss of its connection"
command = "migrator rollout run --version 2.0 --config rollout.toml"
exits = [1]
afterwards = "migrator rollout resume --config rollout.toml"
begin_when = "SELECT count(*) >= 4 FROM migrator.rollout_actions"
baseline = "0"
[[chaos.probes]]
name = "users are served"
url = "{url}"
every = "10ms"
[[chaos.probes]]
name = "the version is live"
sql = "SELECT status FROM migrator.rollouts"
equals = "succeeded"
stages = ["after"]
[[chaos.faults]]
kind = "reset"
"""


def test_a_rollout_whose_connection_breaks_is_gone_on_with_and_nobody_notices(shop):
    shop.configure("blue-green", bake='"200ms"')
    (shop.folder / "reset.toml").write_text(EXPERIMENT.format(url=shop.url))
    done = shop.project.cli("chaos", "run", "reset.toml", "--format", "json")
    found = json.loads(done.stdout)["report"]
    assert (done.returncode, found["verdict"]["reason"]) == (0, "the hypothesis held")
    assert [one["exit_code"] for one in found["commands"]] == [1, 0]
    assert set(shop.versions()) == {"2.0"}
