"""The verbs about deployments, consumers, overrides and the audit log, as a user types them."""

from __future__ import annotations

import json

import pytest

from tests.plugins.aging import age


@pytest.fixture
def shop(database, project):
    database.run("CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL)")
    project.url = database.url
    project.revision("first", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    project.apply()
    return project


def said(shop, *words, code=0, **extra):
    done = shop.cli(*words, **extra)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


RECORD = ("deploy", "record", "--app", "shop", "--version")


def test_a_deployment_from_its_canary_to_the_floor(shop):
    said(shop, *RECORD, "1.0", "--shape", "first", "--region", "eu", "--at", "2026-03-01T12:00:00Z", "--actor", "ann")
    canary = ("deploy", "start", "--app", "shop", "--version", "2.0", "--region", "eu", "--strategy", "blue-green")
    said(shop, *canary, "--weight", "1", "--key", "run 7", "--digest", "sha256:a", "--ci-run", "https://ci/7")
    said(shop, "deploy", "finish", "--app", "shop", "--version", "2.0", "--key", "run 7", "--region", "eu")
    listed = said(shop, "deploy", "list")
    assert "shop 1.0 in production/eu: succeeded at" in listed
    assert "blue-green, 1 %, live since" in listed
    (first, _) = shop.json("deploy", "list")["deployments"]
    assert first["live_until"] is None
    assert first["claimed_started_at"] == "2026-03-01T12:00:00+00:00"
    assert first["actor"] == "ann"
    gate = said(shop, "gate", code=3)
    assert "rename: closed\n" in gate
    assert "kept beside 2.0 (blue-green)" in gate
    assert "deploy stop --app NAME --version VERSION" in gate
    assert "stopped at" in said(shop, "deploy", "stop", "--app", "shop", "--version", "1.0", "--region", "eu")
    document = shop.json("gate")["gates"]["rename"]
    assert document["verdict"] == "closed"
    assert document["opens_at"]
    assert {condition["state"] for condition in document["conditions"]} == {"holds", "fails", "not observed"}
    age(shop.url, 24)
    assert "rename: open" in said(shop, "gate")
    said(shop, "apply", "--phase", "contract", "--yes")
    assert "shop 2.0 may run: made for rename, recorded" in said(shop, "deploy", "check", "2.0")
    below = said(shop, "deploy", "check", "1.0", "--app", "shop", code=3)
    assert "it uses shapes that are gone: rename" in below
    assert "newest version of shop that may run: 2.0" in below
    assert "deploy version 2.0, which may run, or: migrator restore rename" in below
    assert shop.json("deploy", "check", "1.0")["check"]["gone"] == ["rename"]
    assert "--here" in said(shop, "deploy", "check", "1.9", code=3)


def test_consumers_come_and_go(shop):
    assert "Nobody is registered" in said(shop, "consumer", "list")
    said(shop, "consumer", "add", "--app", "nightly", "--kind", "cron", "--owner", "ann")
    said(shop, *RECORD, "2.0")
    assert "nothing was ever recorded of nightly in production" in said(shop, "gate", code=3)
    gone = ("consumer", "retire", "--app", "nightly", "--reason", "switched off, ticket 7")
    assert "nightly in production: cron, ann; retired at" in said(shop, *gone)
    assert "ticket 7" in said(shop, "consumer", "list")
    assert "is not known in production" in said(shop, "consumer", "retire", "--app", "x", "--reason", "y", code=2)


def test_a_consumer_that_is_connected_is_not_retired(shop, database):
    said(shop, *RECORD, "1.0", "--shape", "first")
    with database.connect(application_name="shop/1.0"):
        refused = said(shop, "consumer", "retire", "--app", "shop", "--reason", "gone", code=3)
    assert "shop is connected: pid" in refused


def test_an_override_by_two(shop):
    said(shop, *RECORD, "1.0", "--shape", "first")
    ask = ("override", "request", "rename", "--reason", "ticket 42", "--code", "legal", "--approvals", "1")
    asked = said(shop, *ask, MIGRATOR_ACTOR="ann")
    assert "1: rename, legal: ticket 42 (ann); against new build deployed, no old build live" in asked
    assert "next:  as somebody else: migrator override approve 1" in asked
    approved = said(shop, "override", "approve", "1", MIGRATOR_ACTOR="bob")
    assert "next:  migrator apply --phase contract --to rename --override" in approved
    said(shop, "apply", "--phase", "contract", "--to", "rename", "--override", "--yes")
    assert "approved by bob; used at" in said(shop, "override", "list")


def test_the_log_is_exported_and_verified(shop, database):
    said(shop, *RECORD, "2.0")
    events = [json.loads(line) for line in said(shop, "audit", "export").splitlines()]
    head = events[-1]["hash"]
    assert events[-1]["kind"] == "deployment succeeded"
    assert head in said(shop, "audit", "verify", "--head", head)
    database.run("UPDATE migrator.deployments SET survives = 'rename', version = '1.0'")
    found = said(shop, "audit", "verify", code=1)
    assert "record 1 of deployments was changed: version is 1.0, was 2.0" in found
    assert "records unaltered: record 1" in said(shop, "gate", code=3)
    assert "ticket 9" in said(shop, "audit", "accept", "--reason", "ticket 9")
    assert shop.json("audit", "verify")["audit"]["findings"] == []


WRONG = {
    ("deploy", "record", "--app", "shop", "--version", ""): "--version is empty",
    ("deploy", "record", "--app", "shop", "--version", "2", "--weight", "101"): "a weight of 101 is no percentage",
    ("deploy", "record", "--app", "shop", "--version", "2", "--at", "noon"): "'noon' is no moment",
    ("deploy", "record", "--app", "shop", "--version", "2", "--at", "2026-03-01"): "has no time zone",
    ("deploy", "check", "2.0"): "no application is recorded",
    ("deploy", "stop", "--app", "shop", "--version", "2"): "nothing of shop 2 is recorded as live",
    ("override", "approve", "7"): "there is no override 7",
    ("consumer", "add", "--app", " "): "--app is empty",
    ("audit", "accept", "--reason", "x"): "nothing was changed by hand",
}


def test_wrong_words(shop):
    found = {words: said(shop, *words, code=2) for words in WRONG}
    assert [words for words, text in found.items() if WRONG[words] not in text] == []
