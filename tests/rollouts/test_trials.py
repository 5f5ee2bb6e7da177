"""Shadows and A/B tests on a real load balancer, and the role of a shadow on real servers."""

from __future__ import annotations

import json
import sys

import pytest
from sqlalchemy import make_url

from migrator.database import connect
from migrator.rollouts.shadowing.configuration import Shadowing
from migrator.rollouts.shadowing.confining import confined
from tests.plugins.families import MYSQL, POSTGRESQL, named, servers
from tests.plugins.waiting import until
from tests.rollouts.test_strategies import STRATEGIES, run

SHADOW = (
    '{{ percent = 100, duration = "{duration}", before = "1s", every = "5ms", minimum = 20, slower_floor = "{floor}",'
    ' ignore = ["[0-9.]+", "greedy-"], database = "none" }}'
)
WORDS = ("--config", "rollout.toml")


def shadow(shop, *, duration="300ms", floor="5s"):
    shop.configure("shadow", shadow=SHADOW.format(duration=duration, floor=floor))


def deployments(shop):
    return [(item["strategy"], item["status"]) for item in shop.project.json("deploy", "list")["deployments"]]


@pytest.mark.in_turn
def test_a_bad_build_is_found_as_a_shadow_and_nobody_has_an_answer_of_it(shop):
    shadow(shop, duration="20s")
    before = shop.served()
    with shop.clients() as seen:
        done = run(shop, "bad-2.0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "answers differ, and 0 % is the limit: /: status 500 instead of 200" in done.stdout
    assert "no user had an answer of bad-2.0" in done.stdout
    assert seen.failed == []
    assert set(seen.good) == {"1.0"}
    assert shop.served() == before
    logged = [json.loads(line) for line in (shop.folder / "shadow-differences.jsonl").read_text().splitlines()]
    assert {(row["live"]["status"], row["shadow"]["status"]) for row in logged} == {(200, 500)}
    assert (shop.folder / "mirror.map").read_text() == "pool green\nshare 0\n"
    assert deployments(shop)[-1] == ("shadow", "rolled_back")
    assert shop.project.json("rollout", "status", *WORDS)["rollout"]["record"]["facts"]["exposed_percent"] == 0


@pytest.mark.in_turn
def test_copies_stop_when_users_wait_longer_because_of_them_and_a_good_shadow_is_no_deployment(shop):
    shadow(shop, duration="20s", floor="50ms")
    with shop.clients(1) as seen:
        done = run(shop, "greedy-2.0")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "since requests are copied" in done.stdout
    assert (seen.failed, set(seen.good)) == ([], {"1.0"})
    shadow(shop)
    with shop.clients(1) as seen:
        done = run(shop, "2.0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "shadowed" in done.stdout
    assert (seen.failed, set(seen.good)) == ([], {"1.0"})
    assert deployments(shop)[-1] == ("shadow", "succeeded")
    assert shop.project.cli("rollout", "run", *WORDS, "--version", "3.0", "--strategy", "rolling").returncode == 0
    record = shop.project.json("rollout", "status", *WORDS)["rollout"]["record"]
    assert record["plan"]["plan"]["previous"] == "1.0"


@pytest.mark.in_turn
def test_servers_of_a_test_take_part_in_no_other_rollout_and_it_is_aborted(shop):
    never = STRATEGIES["ab"]["ab"].replace('effect = "70%"', 'effect = "1%"')
    shop.configure("ab", ab=never.replace("looks = 2", "share = 20"))
    config = shop.folder / "rollout.toml"
    (shop.folder / "other.toml").write_text(config.read_text().replace('app = "shop"', 'app = "search"'))
    with shop.clients() as seen, shop.project.begun("rollout", "run", *WORDS, "--version", "2.0") as runner:
        until(lambda: "insufficient traffic" in shop.project.cli("rollout", "status", *WORDS).stdout)
        words = ("--config", "other.toml", "--version", "2.0", "--from", "1.0", "--strategy", "rolling")
        other = shop.project.cli("rollout", "run", *words)
        assert "takes part in another rollout that is under way: ab of shop 2.0" in other.stderr
        assert shop.project.cli("rollout", "abort", *WORDS).returncode == 0
        assert runner.wait(30) == 1
    assert seen.failed == []
    assert set(shop.versions()) == {"1.0"}


FAMILIES = [
    (kind, server) for kind in (POSTGRESQL, MYSQL) for server in servers(kind)[: 1 if kind == POSTGRESQL else 2]
]
READER = {
    "postgresql": ["CREATE ROLE {role} LOGIN", "GRANT SELECT ON users TO {role}"],
    "mysql": ["CREATE USER {role}@localhost", "GRANT SELECT ON `{database}`.* TO {role}@localhost"],
}
GROUP = {
    "postgresql": ["CREATE ROLE {role}_group", "GRANT DELETE ON users TO {role}_group", "GRANT {role}_group TO {role}"],
    "mysql": [
        "CREATE ROLE {role}_group",
        "GRANT DELETE ON `{database}`.users TO {role}_group",
        "GRANT {role}_group TO {role}@localhost",
        "SET DEFAULT ROLE {role}_group {to} {role}@localhost",
    ],
}
END = {
    "postgresql": ["DROP OWNED BY {role}, {role}_group", "DROP ROLE {role}, {role}_group"],
    "mysql": ["DROP USER {role}@localhost", "DROP ROLE {role}_group"],
}


@pytest.mark.parametrize(
    "server_database", [pytest.param(each, id=named(*each)) for each in FAMILIES], indirect=["server_database"]
)
def test_a_shadow_whose_role_may_write_is_refused_whomever_it_has_that_from(server_database, tmp_path, monkeypatch):
    kind = "mysql" if hasattr(server_database, "family") else "postgresql"
    role = f"shadow_{server_database.name[-6:]}"
    to = "FOR" if getattr(server_database, "family", "") == "mariadb" else "TO"

    def does(statements):
        given = {"role": role, "database": server_database.name, "to": to}
        server_database.run(*(statement.format_map(given) for statement in statements))

    def asked(**settings):
        with connect(server_database.url, "rollout") as ours:
            return confined(Shadowing(environment="SHADOW_URL", **settings), ours, tmp_path)

    assert "SHADOW_URL is not set" in asked().reason
    monkeypatch.setenv("SHADOW_URL", make_url(server_database.url).set(username=role).render_as_string())
    does(["CREATE TABLE users (id int PRIMARY KEY)", *READER[kind]])
    try:
        assert (asked().ok, "may write nothing" in asked().reason) == (True, True)
        does(GROUP[kind])
        found = asked()
        assert (found.ok, "users" in found.reason) == (False, True), found
        assert not asked(sandboxed=True).ok
    finally:
        does(END[kind])
    said = Shadowing(confirm=f"{sys.executable} -c 'raise SystemExit(\"it can\")'")
    with connect(server_database.url, "rollout") as ours:
        assert confined(said, ours, tmp_path).reason.endswith("ended with 1: it can")
