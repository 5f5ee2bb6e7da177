"""A switched name reads the old column until the new one may be read, all through a transaction alike."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import String, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, aliased, mapped_column

from migrator.app import Phase, flag_of, ignored_column, phase_of, read_switch
from migrator.errors import UsageError
from tests.app.places import async_engine_of, engine_of, everywhere

BOTH = "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(40), name varchar(40))"
ROWS = "INSERT INTO users VALUES (1, 'old a', 'new b'), (2, 'old b', 'new a')"
WRITTEN = [(1, "set"), (2, "updated"), (3, "added"), (4, "inserted")]


class Flags:
    """A flag that a test sets."""

    def __init__(self):
        self.on = False
        self.fails = False

    def __call__(self):
        if self.fails:
            raise ConnectionError("the provider is away")
        return self.on


def model(**when):
    class Base(DeclarativeBase):
        pass

    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
        old: Mapped[str | None] = ignored_column("full_name", String(40))
        new: Mapped[str | None] = ignored_column("name", String(40))

    read_switch(User, "name", old=User.old, new=User.new, **when)
    return User


def ordered(session, User):
    return [user.name for user in session.scalars(select(User).order_by(User.name))]


@everywhere
def test_reads_filters_and_ordering_follow_the_flag_from_one_transaction_to_the_next(server_database):
    server_database.run(BOTH, ROWS)
    flag = Flags()
    User = model(flag=flag)
    prepared = select(User.id).where(User.name == "new a")
    with engine_of(server_database) as engine, Session(engine) as session:
        assert ordered(session, User) == ["old a", "old b"]
        flag.on = True
        # The transaction goes on as it began, also for a statement it has not had before.
        assert ordered(session, User) == ["old a", "old b"]
        assert session.scalars(prepared).all() == []
        session.rollback()
        assert ordered(session, User) == ["new a", "new b"]
        assert session.scalars(prepared).all() == [2]
        twin = aliased(User)
        pairs = select(User.name, twin.name).join(twin, twin.name == User.name).order_by(User.name)
        assert session.execute(pairs).all() == [("new a", "new a"), ("new b", "new b")]
        session.rollback()
        flag.fails = True
        assert ordered(session, User) == ["new a", "new b"]
        session.rollback()
        flag.fails, flag.on = False, False
        assert ordered(session, User) == ["old a", "old b"]


def ways_to_write(session, User):
    session.add(User(id=3, name="added"))
    session.execute(insert(User).values(id=4, name="inserted"))
    session.flush()
    session.get(User, 1).name = "set"
    session.flush()
    session.execute(update(User).where(User.id == 2).values(name="updated"))
    session.execute(update(User).where(User.id == 4).values({User.name: User.name}))
    session.commit()


@everywhere
def test_one_build_reads_and_writes_what_is_there_from_before_the_expand_until_after_the_contract(
    server_database, project
):
    server_database.run(BOTH.replace(", name varchar(40)", ""), "INSERT INTO users VALUES (1, 'a'), (2, 'b')")
    project.url = server_database.url
    revision = project.revision("0002_rename", 'RenameColumn("users", "full_name", "name")')
    User = model(revision=revision)
    with engine_of(server_database) as engine, Session(engine) as session:
        for phase, reached, columns in (
            (None, Phase.ABSENT, ["full_name"]),
            ("expand", Phase.EXPANDED, ["full_name", "name"]),
            ("migrate", Phase.MIGRATED, ["full_name", "name"]),
            ("contract", Phase.CONTRACTED, ["name"]),
        ):
            made_before = User(id=9, name="made before it")
            if phase:
                project.apply(phase, **({"to": revision} if phase == "contract" else {}))
            session.add_all([made_before, User(id=10, name="made before anybody has looked")])
            session.commit()
            assert phase_of(revision, engine, ttl=0).phase is reached
            session.execute(text("DELETE FROM users WHERE id > 2"))
            ways_to_write(session, User)
            for column in columns:
                assert session.execute(text(f"SELECT id, {column} FROM users ORDER BY id")).all() == WRITTEN
            assert [(user.id, user.name) for user in session.scalars(select(User).order_by(User.id))] == WRITTEN
            session.expunge_all()
            session.rollback()


@everywhere
def test_it_switches_on_an_event_loop(server_database):
    server_database.run(BOTH, ROWS)
    flag = Flags()
    User = model(flag=flag, revision="0002_rename", assume=Phase.MIGRATED)

    async def read():
        async with async_engine_of(server_database) as engine, AsyncSession(engine) as session:
            found = [ordered_of(await session.scalars(select(User).order_by(User.name)))]
            flag.on = True
            found.append(ordered_of(await session.scalars(select(User).order_by(User.name))))
            await session.rollback()
            found.append(ordered_of(await session.scalars(select(User).order_by(User.name))))
        return found

    assert asyncio.run(read()) == [["old a", "old b"], ["old a", "old b"], ["new a", "new b"]]


def ordered_of(users):
    return [user.name for user in users]


def test_a_flag_of_openfeature_decides_and_an_error_of_its_provider_is_no_answer():
    from openfeature import api
    from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

    api.set_provider(InMemoryProvider({"read-name": InMemoryFlag("on", {"on": True, "off": False})}))
    try:
        assert flag_of("read-name")() is True
        assert flag_of("no-such-flag")() is None
    finally:
        api.clear_providers()


def test_a_switch_that_is_not_told_when_is_refused():
    with pytest.raises(UsageError, match="when to switch"):
        model()
