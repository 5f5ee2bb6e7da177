"""How far a revision is: asked of the ledger, remembered, and never taken back by a look that is older."""

from __future__ import annotations

import asyncio

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from migrator.app import Known, Phase, follow, known_phase, phase_of, phase_of_async
from migrator.app.phases import Phases, phases_of, reached
from migrator.errors import UsageError
from migrator.ledger.tables import STATES
from tests.app.servers import app_url, async_url

REVISION = "0001_rename"


def known(phase, position):
    return {REVISION: Known(REVISION, phase, phase.name.lower(), position=position)}


@pytest.fixture
def remembered():
    engine = sa.create_engine("sqlite://")
    yield phases_of(engine)
    engine.dispose()


def test_every_state_of_the_ledger_has_a_phase():
    later = [reached(state) for state in STATES[:8]]
    assert later == sorted(later)
    assert {reached("aborting"), reached("none")} == {Phase.ABSENT}
    assert reached("expanded", additive=True) is Phase.MIGRATED


def test_a_look_that_fails_or_is_behind_takes_nothing_back(remembered: Phases):
    remembered.take(known(Phase.MIGRATED, 7))
    remembered.take(known(Phase.EXPANDED, 6))
    found = remembered.of(REVISION)
    assert (found.phase, found.stale) == (Phase.MIGRATED, True)
    assert "behind" in found.reason
    remembered.failed(OSError("connection refused"))
    found = remembered.of(REVISION)
    assert (found.phase, found.stale, found.reason) == (Phase.MIGRATED, True, "connection refused")
    remembered.take(known(Phase.ABSENT, 8))  # aborted, and that is known for sure
    found = remembered.of(REVISION)
    assert (found.phase, found.stale) == (Phase.ABSENT, False)


def test_what_nobody_has_looked_at_is_as_assumed_and_stale(remembered: Phases):
    assert remembered.of(REVISION).phase is Phase.ABSENT
    found = remembered.of(REVISION, assume=Phase.CONTRACTED)
    assert (found.phase, found.stale) == (Phase.CONTRACTED, True)


def users(database):
    database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(80) NOT NULL)", "INSERT INTO users VALUES (1, 'Ada')"
    )


def test_the_phase_of_a_revision_is_followed_from_the_ledger(database, project):
    users(database)
    project.url = database.url
    project.revision(REVISION, 'RenameColumn("users", "full_name", "name")')
    engine = sa.create_engine(app_url(database))
    seen = [phase_of(REVISION, engine)]
    for phase in ("expand", "migrate", "contract"):
        project.apply(phase, to=REVISION)
        assert phase_of(REVISION, engine) == seen[-1]  # it is remembered
        with Session(engine) as session:
            seen.append(phase_of(REVISION, session, ttl=0))
        assert known_phase(REVISION, engine.execution_options(stream_results=True)) == seen[-1]
    assert [each.phase for each in seen] == [Phase.ABSENT, Phase.EXPANDED, Phase.MIGRATED, Phase.CONTRACTED]
    assert not any(each.stale for each in seen)
    project.restore(REVISION)
    assert phase_of(REVISION, engine, ttl=0).phase is Phase.MIGRATED
    project.abort(REVISION)
    assert phase_of(REVISION, engine, ttl=0).phase is Phase.ABSENT
    engine.dispose()
    assert asyncio.run(asked(database)) == [Phase.ABSENT, Phase.ABSENT]


async def asked(database):
    engine = create_async_engine(async_url(database))
    follow(engine, REVISION)
    with pytest.raises(UsageError, match="async"):
        phase_of(REVISION, engine)
    async with AsyncSession(engine) as session:
        first = await phase_of_async(REVISION, session)
    second = known_phase(REVISION, engine)
    await engine.dispose()
    assert not first.stale
    return [first.phase, second.phase]


def test_of_a_database_that_alembic_has_migrated_the_revision_is_over(database, project):
    users(database)
    project.url = database.url
    project.revision(REVISION, 'RenameColumn("users", "full_name", "name")')
    assert project.alembic("upgrade", "head").returncode == 0
    engine = sa.create_engine(app_url(database))
    assert phase_of(REVISION, engine).phase is Phase.CONTRACTED
    assert phase_of("0000_long_before", engine, assume=Phase.CONTRACTED).phase is Phase.CONTRACTED
    engine.dispose()
