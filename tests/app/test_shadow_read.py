"""A read that is compared gives what the old one gives, costs no more than it may, and says what differed."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from migrator import api
from migrator.app import record_shadow_reads, shadow_read
from migrator.app.shadow_reading import Allowance
from migrator.errors import UsageError
from tests.app.places import engine_of, everywhere


def by_old(session, row):
    return session.scalar(text("SELECT full_name FROM users WHERE id = :id"), {"id": row})


def by_new(session, row):
    if row == 3:
        return session.scalar(text("SELECT nonsense FROM users"))
    return session.scalar(text("SELECT name FROM users WHERE id = :id"), {"id": row})


def key(_session, row):
    return f"user {row}"


def everything(name, old=by_old, new=by_new, **options):
    return shadow_read(name, old, new, sample=1, per_second=1000, share=1, key=key, **options)


@everywhere
def test_verify_shows_what_shadow_reads_of_a_revision_have_found(server_database, project):
    server_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(40))",
        "INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c')",
    )
    project.url = server_database.url
    revision = project.revision("renamed", 'RenameColumn("users", "full_name", "name")')
    project.apply()
    read = everything("users.name", revision=revision)
    with engine_of(server_database) as engine:
        with Session(engine) as session:
            session.execute(text("UPDATE users SET full_name = 'aa' WHERE id = 1"))
            assert [read(session, row) for row in (1, 2, 3)] == ["aa", "b", "c"]
            session.commit()
            # What failed was the new read, not the transaction.
            assert by_old(session, 1) == "aa"
        assert (read.report().compared, read.report().mismatched, read.report().failed) == (2, 0, 1)
        with engine.begin() as connection:
            record_shadow_reads(connection)
        assert read.report().compared == 0
    (found,) = api.verify(project.settings)
    (shown,) = found.shadow_reads
    assert (shown.name, shown.compared, shown.failed, shown.keys) == ("users.name", 2, 1, ("user 3",))
    said = project.cli("verify").stdout
    assert "shadow reads of users.name: 2 compared, 0 differed, 1 failed, user 3" in said
    (listed,) = json.loads(project.cli("verify", "--format", "json").stdout)["verified"]
    assert listed["shadow_reads"][0]["keys"] == ["user 3"]


def test_what_differs_is_counted_and_the_old_answer_given():
    read = everything("numbers", lambda _, row: row, lambda _, row: row % 2)
    assert [read(None, row) for row in range(4)] == [0, 1, 2, 3]
    report = read.report()
    assert (report.compared, report.mismatched, report.keys) == (4, 2, ("user 2", "user 3"))


def test_reads_that_are_awaited_are_compared_alike():
    async def old(_session, row):
        return row

    async def new(_session, row):
        return row % 2

    read = everything("awaited", old, new)

    async def use():
        return [await read(None, row) for row in range(4)]

    assert asyncio.run(use()) == [0, 1, 2, 3]
    assert read.report().mismatched == 2


def test_comparing_stops_at_so_many_a_second_and_at_its_share_of_the_time():
    now = [0.0]
    allowance = Allowance(per_second=2, share=0.1, clock=lambda: now[0])
    taken = []
    for tenth in range(40):
        now[0] = tenth / 10
        taken.append(allowance.take())
    assert sum(taken) <= 2 * 4 + 2
    assert sum(taken) >= 6
    allowance.spend(1.0)
    now[0] += 5
    assert not allowance.take()
    now[0] += 10
    assert allowance.take()


def test_bounds_that_are_none_and_reads_of_two_kinds_are_refused():
    async def awaited(row):
        return row

    with pytest.raises(UsageError, match="between 0 and 1"):
        shadow_read("x", str, str, sample=2)
    with pytest.raises(UsageError, match="is async"):
        shadow_read("x", awaited, str)
