"""A build says which one it is, and does not run where it may not."""

from __future__ import annotations

import asyncio
import logging
import time

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from migrator import api
from migrator.app import (
    Phase,
    phase_of,
    phase_of_async,
    readiness,
    readiness_async,
    register,
    register_async,
    unprepared,
)
from migrator.app.ticking import ticker_of
from migrator.database import connect
from migrator.errors import ConnectionFailed, NotSupportedHere, NotYet, UsageError
from migrator.ledger import observed
from migrator.observing import observe
from tests.app.servers import EVERY, NAMES, app_url, async_url
from tests.plugins.projects import ROOT

RENAME = "0001_rename"
GRANTS = (ROOT / "docs" / "examples" / "app" / "grants.sql").read_text()


@pytest.fixture
def shop(server_database, project):
    """A project whose rename of a column has been migrated; builds 1.0 and 2.0 are recorded."""
    server_database.run("CREATE TABLE users (id int PRIMARY KEY, full_name varchar(80) NOT NULL)")
    project.url, project.database = server_database.url, server_database
    project.revision(RENAME, 'RenameColumn("users", "full_name", "name")')
    return project


def record(project, version, shape):
    api.deploy_record(project.settings, api.Build("shop", version, shape=shape))


def seen(project):
    with connect(project.settings.require_url(), "observe") as session, session.transaction() as connection:
        return {sighting.name for sighting in observed.sightings(connection)}


def soon(holds):
    """Whether something holds within some seconds: a thread of its own does it."""
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.02)
    return holds()


def unseen(project, *builds):
    """Those of some builds that no session on the server is of; none where the server keeps no names."""
    (look,) = observe(project.settings).looks
    keeps_names = "performance_schema is off" not in str(look.missing)
    return set(builds) - {name for name, _ in look.sessions} if keeps_names else set()


@pytest.mark.parametrize("server_database", EVERY, indirect=True, ids=NAMES)
def test_a_registered_build_is_seen_and_runs_only_between_floor_and_ceiling(shop):
    before = sa.create_engine(app_url(shop.database))
    register(before, app="shop", version="0.9")  # nothing is migrated by this program yet
    before.dispose()
    old, new, strange = (sa.create_engine(app_url(shop.database)) for _ in range(3))

    shop.apply("expand")
    record(shop, "1.0", "none")
    with pytest.raises(NotYet, match="not there yet"):
        register(new, app="shop", version="2.0", shape=RENAME)
    assert phase_of(RENAME, old).phase is Phase.EXPANDED
    shop.apply("migrate")
    assert phase_of(RENAME, old, ttl=0).phase is Phase.MIGRATED
    record(shop, "2.0", RENAME)
    register(new, app="shop", version="2.0")
    made = register(old, app="shop", version="1.0", heartbeat=60.0, instance="web-3")
    assert made.name == "shop/1.0#web-3"
    assert readiness(old, ttl=0) == readiness(new, ttl=0) == (True, "")
    assert soon(lambda: "shop/1.0" in seen(shop))
    held = [engine.connect() for engine in (old, new)]
    assert not unseen(shop, "shop/1.0", "shop/2.0")
    for connection in held:
        connection.close()

    shop.apply("contract", to=RENAME)
    ok, reason = readiness(old, ttl=0)
    assert not ok
    assert RENAME in reason
    assert readiness(new, ttl=0).ok
    with pytest.raises(NotYet, match="nobody recorded"):
        register(strange, app="shop", version="3.0")
    ticker = ticker_of(old)
    assert ticker.running
    for engine in (old, new, strange):
        engine.dispose()
    assert not ticker.running
    assert asyncio.run(asynchronous(async_url(shop.database), shop))


async def asynchronous(url, project):
    engine = create_async_engine(url)
    await register_async(engine, app="shop", version="2.1", shape=RENAME, heartbeat=60.0)
    async with engine.connect():
        assert not unseen(project, "shop/2.1")
    ready = await readiness_async(engine, ttl=0)
    assert (await phase_of_async(RENAME, engine)).phase is Phase.CONTRACTED
    ticker = ticker_of(engine.sync_engine)
    assert ticker.running
    await engine.dispose()
    assert not ticker.running
    return ready.ok


def test_a_policy_of_warning_lets_a_build_run_and_says_why_it_may_not(database, project, caplog):
    project.url = database.url
    project.revision("0001_users", 'CreateTable("users", Column("id", "int", primary_key=True))')
    project.apply()
    engine = sa.create_engine(app_url(database))
    with caplog.at_level(logging.WARNING, "migrator.app"):
        register(engine, app="shop", version="1.0", policy="warn")
    ok, reason = readiness(engine)
    assert ok
    assert "nobody recorded" in reason
    (said,) = [record for record in caplog.records if record.name == "migrator.app"]
    assert (said.app, said.version, said.reason) == ("shop", "1.0", reason)
    engine.dispose()


def test_asyncpg_and_connections_without_prepared_statements_have_the_name_too(database):
    names = "SELECT current_setting('application_name')"

    async def by_asyncpg():
        engine = create_async_engine(app_url(database, driver="asyncpg"))
        await register_async(engine, app="shop", version="2.0", instance="web-1")
        async with engine.connect() as connection:
            name = (await connection.execute(sa.text(names))).scalar_one()
        await engine.dispose()
        return name

    assert asyncio.run(by_asyncpg()) == "shop/2.0#web-1"
    engine = sa.create_engine(app_url(database))
    unprepared(engine)
    register(engine, app="shop", version="2.0")
    with engine.connect() as connection:
        assert connection.execute(sa.text(names)).scalar_one() == "shop/2.0 unprepared"
    engine.dispose()


def test_the_grants_of_the_page_are_enough_and_without_them_nothing_is_taken_for_granted(database, project):
    project.url = database.url
    project.revision("0001_users", 'CreateTable("users", Column("id", "int", primary_key=True))')
    project.apply()
    record(project, "1.0", "0001_users")
    database.run("DROP ROLE IF EXISTS shop_app", "CREATE ROLE shop_app LOGIN")
    url = app_url(database).set(username="shop_app", password=None)
    engine = sa.create_engine(url)
    try:
        with pytest.raises(NotSupportedHere, match="permission denied") as refused:
            register(engine, app="shop", version="1.0", heartbeat=60.0)
        assert "read the ledger" in refused.value.next_step
        database.run(GRANTS)
        register(engine, app="shop", version="1.0", heartbeat=60.0)
        assert readiness(engine, ttl=0) == (True, "")
        assert soon(lambda: "shop/1.0" in seen(project))
    finally:
        engine.dispose()
        database.run("DROP OWNED BY shop_app", "DROP ROLE shop_app")


@pytest.mark.parametrize(
    ("url", "options", "said"),
    [
        ("sqlite://", {}, "sqlite is not supported"),
        ("postgresql+psycopg://127.0.0.1:1/shop", {"policy": "ignore"}, "no policy"),
        ("postgresql+psycopg://127.0.0.1:1/shop", {"heartbeat": 0.0}, "too fast"),
        ("postgresql+psycopg://127.0.0.1:1/shop", {"version": "2.0 rc"}, "cannot stand"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_asked(url, options, said):
    with pytest.raises(UsageError, match=said):
        register(sa.create_engine(url), **{"app": "shop", "version": "2.0", **options})


def test_a_database_that_does_not_answer_keeps_a_build_from_being_ready():
    engine = sa.create_engine("postgresql+psycopg://127.0.0.1:1/shop")
    with pytest.raises(UsageError, match="not registered"):
        readiness(engine)
    with pytest.raises(ConnectionFailed):
        register(engine, app="shop", version="2.0")
    register(engine, app="shop", version="2.0", policy="warn")
    ok, reason = readiness(engine, ttl=0)
    assert not ok
    assert "lost" in reason or "answer" in reason or "refused" in reason
