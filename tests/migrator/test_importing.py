"""Deployments of other systems in the ledger: once each, all or none, never shortening what was live."""

from __future__ import annotations

import json

import pytest

from migrator import api
from migrator.errors import UsageError
from tests.plugins.families import MYSQL, POSTGRESQL, named, servers

NEWEST = [(POSTGRESQL, servers(POSTGRESQL)[0]), *((MYSQL, family) for family in servers(MYSQL))]
everywhere = pytest.mark.parametrize("server_database", NEWEST, indirect=True, ids=lambda param: named(*param))


@pytest.fixture
def shop(server_database, project):
    server_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name varchar(50))")
    project.url = server_database.url
    project.revision("first", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    project.apply()
    return project


def line(version, key, **more):
    return json.dumps({"application": "shop", "version": version, "key": key, **more}) + "\n"


def imported(shop, text, **given):
    done = api.deploy_import(shop.settings, "deploys.jsonl", text, api.Given(**given))
    return [record.version for record in done.recorded], [record.version for record in done.finished], done.known


def recorded(shop):
    return [(lived.deployment.version, lived.deployment.status) for lived in api.deployments(shop.settings)]


@everywhere
def test_what_is_imported_twice_is_recorded_once_and_what_is_wrong_leaves_nothing(shop):
    text = line("1.0", "a", shape="first", at="2020-01-01T00:00:00Z", actor="ann", commit="abc")
    text += line("2.0", "b", status="started", at="2020-01-02T00:00:00Z", ci_run="https://ci/1")
    assert imported(shop, text) == (["1.0", "2.0"], [], 0)
    assert imported(shop, text) == ([], [], 2)
    ended = line("2.0", "b", shape="change")
    with pytest.raises(UsageError, match=r"deploys.jsonl:2: .*nowhere"):
        imported(shop, ended + line("3.0", "c", shape="nowhere"))
    with pytest.raises(UsageError, match=r"deploys.jsonl:2: key 'b' is that of shop 2.0"):
        imported(shop, ended + line("3.0", "b"))
    assert recorded(shop) == [("1.0", "succeeded"), ("2.0", "started")]
    assert imported(shop, ended) == ([], ["2.0"], 0)
    assert imported(shop, line("2.0", "b", status="started") + line("2.0", "b", status="failed")) == ([], [], 2)
    assert recorded(shop) == [("1.0", "succeeded"), ("2.0", "succeeded")]
    first, second = (lived.deployment for lived in api.deployments(shop.settings))
    assert (first.survives, first.actor, first.commit_sha, first.claimed_started_at.year) == (
        "first",
        "ann",
        "abc",
        2020,
    )
    assert first.started_at.year > 2020  # the clock of the gate is the database's
    assert (second.survives, second.ci_run) == ("change", "https://ci/1")


def test_a_job_records_itself_and_a_build_that_may_not_run_is_recorded_and_refused(database, project):
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text)")
    project.url = database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    job = {
        "GITLAB_CI": "1",
        "CI_COMMIT_SHA": "abc",
        "CI_PROJECT_NAME": "shop",
        "CI_JOB_ID": "9",
        "GITLAB_USER_LOGIN": "bob",
    }
    given = ("deploy", "import", "--from", "ci", "--shape", "change", "--format", "json")
    done = project.cli(*given, **job)
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert "it reads shapes that are not there yet: change; it is recorded as live" in found["refused"][0]
    project.apply()
    again = json.loads(project.cli(*given, **job).stdout)
    assert (again["recorded"], again["known"]) == ([], 1)
    done = project.cli("deploy", "record", "--app", "shop", "--format", "json", **job)
    said = json.loads(done.stdout)["deployment"]
    assert (said["version"], said["commit_sha"], said["actor"], said["idempotency_key"]) == ("abc", "abc", "bob", None)
    done = project.cli("deploy", "record", "--app", "shop")
    assert (done.returncode, "no version is given" in done.stderr) == (2, True)
    done = project.cli("deploy", "import", "missing.json")
    assert (done.returncode, "missing.json: No such file" in done.stderr) == (2, True)
