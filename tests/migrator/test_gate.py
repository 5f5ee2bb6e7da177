"""Records, gate, floor, overrides and audit on real servers; what they decide is in tests/phases/test_gate_cases.py."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from migrator import api
from migrator.api import Build
from migrator.database import connect
from migrator.errors import NotYet, UsageError
from migrator.ledger import audit, schema, tables
from phases.model import Phase
from tests.plugins.aging import age, guarded, unguarded
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of, named, servers

NEWEST = [(POSTGRESQL, servers(POSTGRESQL)[0]), *((MYSQL, family) for family in servers(MYSQL))]
everywhere = pytest.mark.parametrize("server_database", NEWEST, indirect=True, ids=lambda param: named(*param))


@pytest.fixture
def shop(server_database, project):
    """A table whose column is renamed, everything but the contract done."""
    server_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(50) NOT NULL)",
        "INSERT INTO users VALUES (1, 'Ann')",
    )
    project.url = server_database.url
    project.revision("first", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.revision("change", 'RenameColumn("users", "full_name", "name")')
    project.apply()
    return project


def own(database, statement):
    """A statement on tables of the ledger."""
    return statement.replace("migrator.", "migrator_") if kind_of(database) == MYSQL else statement


def record(shop, version, shape=None, **more):
    return api.deploy_record(shop.settings, Build("shop", version, shape=shape, **more))


def gate(shop, **settings):
    return api.gate(replace(shop.settings, **settings), "change")["change"]


def failing(shop):
    return {condition.name: condition.evidence for condition in gate(shop).failing}


def contract(shop, override=None, **settings):
    return api.apply(replace(shop.settings, **settings), phase=Phase.CONTRACT, to="change", override=override)


@everywhere
def test_one_line_in_a_deploy_script_opens_the_gate_a_day_later(shop):
    """And the floor it leaves stops a rollback, naming the boundary and the newest version that may run."""
    first = record(shop, "1.0", "first")
    record(shop, "2.0")
    assert list(failing(shop)) == ["24 hours without an old build"]
    assert gate(shop).opens_at is not None
    unseen = [condition.name for condition in gate(shop).conditions if not condition.observed]
    strict = [condition.name for condition in gate(shop, policy="strict").failing]
    assert strict == [*unseen, "24 hours without an old build"]
    age(shop.url, 23.99)
    with pytest.raises(NotYet, match="24 hours without an old build"):
        contract(shop)
    age(shop.url, 0.01)
    assert api.audit_verify(shop.settings).findings == ()
    assert contract(shop).states["change"] == "contracted"
    with pytest.raises(NotYet, match="it uses shapes that are gone: change") as refused:
        api.deploy_start(shop.settings, Build("shop", "1.0"))
    assert refused.value.facts["newest_safe_version"] == "2.0"
    checked = api.deploy_check(shop.settings, "1.0")
    assert (checked.allowed, checked.gone, checked.shape_source) == (False, ("change",), "recorded")
    assert api.deploy_check(shop.settings, "2.0").allowed
    assert "nobody recorded" in api.deploy_check(shop.settings, "1.7").message
    assert api.deploy_check(shop.settings, "2.1", here=True).shape_source == "computed"
    assert not api.deploy_check(shop.settings, "2.1", shape="first").allowed
    with pytest.raises(NotYet, match="it is recorded as live"):
        record(shop, "1.0")
    last = api.deployments(shop.settings)[-1]
    assert (last.deployment.version, last.until, last.deployment.survives) == ("1.0", None, first.survives)


@everywhere
def test_what_was_changed_by_hand_is_found_and_shuts_the_gate(shop, server_database):
    record(shop, "1.0", "first")
    record(shop, "2.0")
    late = "UPDATE migrator.deployments SET finished_at = '2020-01-01 00:00:00' WHERE version = '2.0'"
    server_database.run(own(server_database, late))
    (found,) = api.audit_verify(shop.settings).findings
    assert "record 2 of deployments was changed: finished_at is 2020-01-01T00:00:00+00:00, was " in found
    assert failing(shop)["records unaltered"] == found
    with pytest.raises(NotYet, match="no override lets the contract of change through"):
        contract(shop, api.Override("in a hurry"))
    with pytest.raises(UsageError, match="with a reason"):
        api.audit_accept(shop.settings, " ")
    accepted = api.audit_accept(shop.settings, "the clock was wrong, ticket 9")
    assert (accepted.findings, [item["findings"] for item in accepted.accepted]) == ((), [[found]])
    assert "records unaltered" not in failing(shop)
    head = accepted.head
    for statement, said in (
        ("DELETE FROM migrator.deployments WHERE version = '1.0'", "record 1 of deployments was removed: shop 1.0"),
        ("UPDATE migrator.events SET actor = 'eve' WHERE kind = 'migrated'", "(audit accepted) was changed, or one"),
        (f"DELETE FROM migrator.events WHERE kind = '{audit.ACCEPTED}'", "events of its chain"),
    ):
        forged(shop.url, own(server_database, statement))
        assert any(said in finding for finding in api.audit_verify(shop.settings).findings)
    assert any(head in finding for finding in api.audit_verify(shop.settings, head=head).findings)


def forged(url, statement):
    """What only somebody does who may do everything: around the trigger that keeps the log."""
    with connect(url, "test") as session:
        prefixed = session.family.commits_ddl
        unguarded(session.connection, prefixed)
        if prefixed:
            session.alone("DROP TRIGGER IF EXISTS migrator_events_delete")
        session.alone(statement)
        guarded(session.connection, prefixed)


@everywhere
def test_an_override_names_its_blockers_is_approved_by_another_and_used_once(shop, monkeypatch):
    record(shop, "1.0", "first")
    asked = api.Override("")
    with pytest.raises(UsageError, match="no override of change was asked for"):
        contract(shop, asked)
    with pytest.raises(NotYet, match="an override takes approvals here: 1"):
        contract(shop, api.Override("in a hurry"), override_approvals=1)
    monkeypatch.setenv("MIGRATOR_ACTOR", "ann")
    made = api.override_request(shop.settings, "change", reason="leaks addresses", code="security", approvals=1)
    assert set(made.blockers) == set(failing(shop))
    with pytest.raises(NotYet, match="0 of 1 approvals of somebody other than ann"):
        contract(shop, asked)
    with pytest.raises(UsageError, match="somebody else has to approve it"):
        api.override_approve(shop.settings, made.id)
    monkeypatch.setenv("MIGRATOR_ACTOR", "bob")
    assert api.override_approve(shop.settings, made.id).approvers == ("bob",)
    started = api.deploy_start(shop.settings, Build("shop", "2.0"))
    with pytest.raises(NotYet, match="no deployment running did hold when it was asked for"):
        contract(shop, asked)
    assert started.status == "started"
    api.deploy_finish(shop.settings, "shop", "production", "2.0", "succeeded")
    assert contract(shop, asked).states["change"] == "contracted"
    shop.restore("change")
    with pytest.raises(UsageError, match="no override of change was asked for"):
        contract(shop, asked)
    (kept,) = api.overrides(shop.settings)
    assert (kept.code, kept.reason, kept.actor, kept.approvers) == ("security", "leaks addresses", "ann", ("bob",))
    api.override_request(shop.settings, "change", reason="again")
    age(shop.url, 1)
    with pytest.raises(NotYet, match="it has expired at"):
        contract(shop, asked)
    assert api.audit_verify(shop.settings).findings == ()


@everywhere
def test_events_come_twice_late_and_in_any_order(shop):
    settings = shop.settings
    build = Build("shop", "2.0", key="run 7", digest="sha256:a", ci_run="https://ci/7", region="eu", weight=1.0)
    done = api.deploy_finish(settings, "shop", "production", "2.0", "succeeded", key="run 7", region="eu")
    assert (done.shape_source, done.survives) == ("unknown", None)
    for _ in range(2):
        again = api.deploy_start(settings, build)
        assert (again.id, again.status, again.survives) == (done.id, "succeeded", "change")
    assert api.deploy_finish(settings, "shop", "production", "2.0", "succeeded", key="run 7") == again
    with pytest.raises(UsageError, match="already succeeded"):
        api.deploy_finish(settings, "shop", "production", "2.0", "failed", key="run 7")
    with pytest.raises(UsageError, match="key 'run 7' is that of shop"):
        api.deploy_start(settings, Build("billing", "2.0", key="run 7"))
    assert len(api.deployments(settings)) == 1
    with pytest.raises(UsageError, match="is running in production"):
        api.deploy_finish(settings, "shop", "production", "2.0", "succeeded")
    record(shop, "2.0", digest="sha256:a")
    assert api.deployments(settings)[-1].deployment.shape_source == "recorded"
    record(shop, "2.0", digest="sha256:b")
    assert api.deployments(settings)[-1].deployment.shape_source == "unknown"
    assert "shop 2.0 in production" in failing(shop)["no old build live"]
    assert api.audit_verify(settings).findings == ()


@everywhere
def test_what_is_kept_beside_a_new_build_is_live_until_it_is_stopped_or_retired(shop):
    settings = shop.settings
    record(shop, "1.0", "first")
    record(shop, "2.0", strategy="blue-green")
    api.deploy_record(settings, Build("billing", "7", shape="first"))
    assert failing(shop)["no old build live"].count("since") == 2
    (stopped,) = api.deploy_stop(settings, "shop", "production", "1.0")
    assert stopped.stopped_at is not None
    with pytest.raises(UsageError, match="is recorded as live"):
        api.deploy_stop(settings, "shop", "production", "1.0")
    api.consumer_retire(settings, "billing", reason="switched off")
    assert list(failing(shop)) == ["24 hours without an old build"]
    api.consumer_add(settings, "reports", kind="reader", owner="ann")
    assert failing(shop)["deployments recorded"] == "nothing was ever recorded of reports in production"
    assert [c.application for c in api.consumers(settings) if c.retired_at is None] == ["reports"]
    assert api.audit_verify(settings).findings == ()


@everywhere
def test_case_23_a_clock_that_was_set_back_shuts_the_gate(shop):
    record(shop, "2.0")
    age(shop.url, 25)
    assert gate(shop).open
    age(shop.url, -50)
    assert "something was recorded at" in failing(shop)["clock"]
    assert gate(shop).opens_at is None


def test_case_37_a_copy_of_a_database_inherits_no_permission(database, project):
    project.url = database.url
    project.revision("change", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.apply()
    record(project, "2.0")
    age(project.url, 25)
    api.checklist_record(project.settings, "backup", api.Found("restored", at=datetime.now(UTC) - timedelta(hours=1)))
    assert gate(project, contract_requires=("backup",)).open
    copy = f"{database.name}_copy"
    with database.connect(dbname="postgres") as connection:
        connection.execute(f'CREATE DATABASE "{copy}" TEMPLATE "{database.name}"')
        try:
            project.url = project.url.replace(database.name, copy)
            assert "no deployment was ever recorded" in failing(project)["deployments recorded"]
            record(project, "2.0")
            assert list(failing(project)) == ["24 hours without an old build"]
            assert "backup" in [c.name for c in gate(project, contract_requires=("backup",)).failing]
        finally:
            connection.execute(f'DROP DATABASE "{copy}" WITH (FORCE)')


@everywhere
def test_a_ledger_of_before_gets_its_chain_with_the_records_that_are_there(server_database, project):
    project.url = server_database.url
    project.revision("change", 'CreateTable("other", Column("id", "int", primary_key=True))')
    project.apply()
    record(project, "2.0")
    drop = [f"DROP TABLE migrator.{name}" for name in ("consumers", "approvals", "chain")]
    for table, names in tables.WIDENED[audit.SINCE].items():
        columns = ", ".join(f"DROP COLUMN {name}" for name in names.split())
        drop.append(f"ALTER TABLE migrator.{table.name} {columns}")
    drop.append(f"UPDATE migrator.ledger_version SET version = {audit.SINCE - 1}")
    server_database.run(*(own(server_database, statement) for statement in drop))
    assert failing(project)["24 hours without an old build"]
    assert len(api.deployments(project.settings)) == 1
    assert api.audit_verify(project.settings).events == 0
    record(project, "2.1")
    with connect(project.url, "test") as session, session.transaction() as connection:
        assert schema.installed(connection) == tables.VERSION
    assert api.audit_verify(project.settings).findings == ()
    with closing(server_database.connect()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(own(server_database, "UPDATE migrator.deployments SET version = '3' WHERE version = '2.0'"))
        connection.commit()
    assert "version is 3, was 2.0" in api.audit_verify(project.settings).findings[0]
