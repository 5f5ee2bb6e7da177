"""A feature flag moved in a running application, which asks OpenFeature: users change, and no server is touched."""

from __future__ import annotations

import json

import pytest

from migrator import api
from migrator.errors import NotYet
from tests.plugins.families import MYSQL, POSTGRESQL, named, servers
from tests.plugins.waiting import until
from tests.rollouts.conftest import ask, script
from tests.rollouts.test_killed import EVERY, killed

FLAG = {
    "state": "ENABLED",
    "variants": {"legacy_read": "old", "dual_write": "both", "new_read": "new"},
    "defaultVariant": "legacy_read",
}
FLAGS = """
[rollout.flags]
kind = "flagd"
file = "flags.json"
evaluated = "http://{address}/flags"
timeout = "5s"
[rollout.flags.known.read_name]
revision = "rename"
segments = [{ attribute = "team", in = ["qa", "support"] }]
ahead = "100ms"
"""
PLAIN = """
[rollout]
app = "shop"
strategy = "toggle"
pools.live = { s1 = "127.0.0.1:1" }
analysis = { source = "none" }
[rollout.flags]
kind = "flagd"
file = "flags.json"
verify = "true"
known.read_name = { revision = "rename" }
"""
FAMILIES = [(POSTGRESQL, servers(POSTGRESQL)[0]), *((MYSQL, server) for server in servers(MYSQL))]
STEPS = '[{ weight = 20, pause = "200ms" }, { weight = 60, pause = "200ms" }]'
JUDGED = """
source = "probe"
every = "50ms"
minimum = 6
metrics.errors = { max = "50%" }
"""
WORDS = ("--config", "rollout.toml")


@pytest.fixture
def flagged(database, shop):
    """A column that is renamed, and a version that is live and can read either name."""
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text)", "INSERT INTO users VALUES (1, 'ann')")
    shop.project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    (shop.folder / "flags.json").write_text(json.dumps({"flags": {"read_name": FLAG, "forgotten": FLAG}}))

    def live(version, phase=None, **settings):
        for server in ("b1", "b2"):
            script("stop", shop.ports[server], shop.folder)
        shop.start("blue", version)
        until(lambda: ask(shop.url) == version)
        shop.project.apply(phase)
        shop.project.cli("deploy", "record", "--app", "shop", "--version", version, "--shape", "none")
        shop.configure("toggle", arm="X-Variant", extra=FLAGS, **{"steps": STEPS, **settings})
        return shop

    return live


def toggle(shop, version, *words):
    return shop.project.cli("rollout", "run", *WORDS, "--version", version, *words)


def processes(shop):
    return {path.name: path.read_text() for path in shop.folder.glob("*.pid")}


def set_to(shop):
    return json.loads((shop.folder / "flags.json").read_text())["flags"]["read_name"]["targeting"]


def test_users_get_the_new_path_by_steps_and_the_contract_waits_for_a_version_without_the_flag(flagged):
    shop = flagged("flagged-2.0", analysis=JUDGED)
    before = processes(shop)
    with shop.clients(1) as seen:
        done = toggle(shop, "flagged-2.0", "--format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert seen.failed == []
    assert processes(shop) == before
    found = json.loads(done.stdout)["rollout"]
    steps = [item for item in found["actions"] if item["action"]["kind"] == "Flag"]
    assert [item["action"]["shares"]["new_read"] for item in steps] == [0, 20, 60, 100]
    assert [bool(item["action"]["ahead"]) for item in steps] == [True, True, True, False]
    assert steps[-1]["outcome"]["facts"]["evaluated"] == {"new_read": 100.0}
    assert 10 < steps[1]["outcome"]["facts"]["evaluated"]["new_read"] < 30
    changes = found["record"]["facts"]["probe"]["arm_changes"]
    assert (changes["most"], changes["back"]) == (1, 0)
    shut = shop.project.cli("gate", "rename")
    assert shut.returncode == 3
    assert "shop flagged-2.0 in production can select the old path by flag read_name" in shut.stdout
    assert shop.project.cli("abort", "rename", "--yes").returncode == 3
    shop.project.cli("deploy", "record", "--app", "shop", "--version", "3.0", "--shape", "rename")
    assert "no version that is live has read_name" in shop.project.cli("gate", "rename").stdout
    shop.project.apply("contract")
    report = shop.project.cli("rollout", "flags", *WORDS, "--check")
    assert report.returncode == 1
    assert "rename is contracted: legacy_read would fail" in report.stdout
    assert "no configuration names it" in report.stdout
    shop.project.cli("deploy", "record", "--app", "shop", "--version", "flagged-2.0", "--shape", "rename")
    floor = toggle(shop, "flagged-2.0", "--variant", "legacy_read")
    assert floor.returncode == 3
    assert "legacy_read is refused once rename is contracted" in floor.stderr


def test_a_new_path_that_does_badly_is_left_at_once_and_the_gate_knows(flagged):
    shop = flagged("flagged-bad-2.0", analysis=JUDGED)
    done = toggle(shop, "flagged-bad-2.0", "--format", "json")
    assert done.returncode == 1, done.stdout + done.stderr
    found = json.loads(done.stdout)["rollout"]["record"]
    assert found["status"] == "rolled_back"
    assert found["facts"]["exposed_percent"] == 20
    assert "rollback_seconds" in found["facts"]
    assert "if" not in set_to(shop)
    with shop.clients() as seen:
        assert set(shop.versions()) == {"flagged-bad-2.0"}
    assert seen.failed == []
    assert "can select the old path by flag read_name" in shop.project.cli("gate", "rename").stdout


def test_a_variant_is_refused_before_its_shape_is_there(flagged):
    shop = flagged("flagged-2.0", phase="expand")
    before = (shop.folder / "flags.json").read_text()
    ceiling = toggle(shop, "flagged-2.0")
    assert ceiling.returncode == 3
    assert "new_read is refused before rename is migrated: it is expanded" in ceiling.stderr
    assert (shop.folder / "flags.json").read_text() == before
    other = toggle(shop, "3.0", "--from", "flagged-2.0")
    assert other.returncode == 2
    assert "a flag is moved in a version that is live" in other.stderr
    assert toggle(shop, "flagged-2.0", "--variant", "dual_write").returncode == 0
    assert shop.project.cli("abort", "rename", "--yes").returncode == 3


@pytest.mark.skipif(not EVERY, reason="MIGRATOR_TEST_KILLS=every")
def test_a_flag_whose_controller_is_killed_at_each_action_is_gone_on_with(flagged):
    shop = flagged("flagged-2.0", steps='[{ weight = 50, pause = "50ms" }]')
    with shop.clients(1) as seen:
        ended = killed(shop, "flagged-2.0")
    assert ended["code"] == 0
    assert ended["kills"] > 6
    assert seen.failed == []
    assert set_to(shop)["fractional"][1:] == [["new_read", 100], ["legacy_read", 0]]


@pytest.mark.parametrize(
    "server_database", [pytest.param(each, id=named(*each)) for each in FAMILIES], indirect=["server_database"]
)
def test_what_a_flag_is_set_to_is_known_to_the_gate_of_every_server(server_database, project):
    server_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name varchar(20))")
    project.url = server_database.url
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    (project.folder / "flags.json").write_text(json.dumps({"flags": {"read_name": FLAG}}))
    (project.folder / "rollout.toml").write_text(PLAIN)
    project.apply()
    api.deploy_record(project.settings, api.Build("shop", "2.0", shape="rename"))
    done = api.rollout_run(project.settings, "2.0", config=project.folder / "rollout.toml")
    assert done.record.status == "succeeded", done.record.said
    verdict = api.gate(project.settings, "rename")["rename"]
    (said,) = [condition.evidence for condition in verdict.conditions if condition.name == "no flag on the old path"]
    assert said.startswith(
        "shop 2.0 in production can select the old path by flag read_name, which is at new_read 100 %"
    )
    with pytest.raises(NotYet, match="the new shape of rename is in use"):
        project.abort("rename")
    (flag,) = api.rollout_flags(project.settings, config=project.folder / "rollout.toml")
    assert (flag.state, flag.shares["new_read"], flag.findings) == ("migrated", 100, ())
    assert flag.since is not None
