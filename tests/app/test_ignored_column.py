"""A build with an ignored column works before the column is there, while it is, and after."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import String, func, insert, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, undefer

from migrator.app import ignored_column
from tests.app.places import async_engine_of, engine_of, everywhere
from tests.plugins.families import MYSQL, POSTGRESQL, kind_of


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40))
    made: Mapped[str] = mapped_column(String(40), server_default="by hand")
    old: Mapped[str | None] = ignored_column("full_name", String(40))


WITHOUT = "CREATE TABLE users (id {key}, name varchar(40) NOT NULL, made varchar(40) NOT NULL DEFAULT 'by hand')"
KEYS = {POSTGRESQL: "serial PRIMARY KEY", MYSQL: "int AUTO_INCREMENT PRIMARY KEY"}


def use(session):
    """What an application does with a model that has an ignored column."""
    ann = User(name="Ann")
    session.add_all([ann, *(User(name=f"user {number}") for number in range(3))])
    session.flush()
    assert ann.made == "by hand"
    session.execute(insert(User), [{"name": "Bob"}, {"name": "Cid"}])
    session.bulk_insert_mappings(User, [{"name": "Dan"}])
    ann.name = "Anna"
    session.flush()
    session.refresh(ann)
    session.execute(update(User).where(User.name == "Bob").values(name="Bo"))
    session.merge(User(id=ann.id, name="Anne"))
    session.commit()
    assert (ann.name, ann.made) == ("Anne", "by hand")
    assert len(session.scalars(select(User)).all()) == session.scalar(select(func.count()).select_from(User))
    with pytest.raises(InvalidRequestError):
        _ = ann.old
    session.execute(update(User).values(made="again"))
    session.commit()


@everywhere
def test_every_statement_works_before_the_column_is_added_and_after_it_is_dropped(server_database):
    server_database.run(WITHOUT.format(key=KEYS[kind_of(server_database)]))
    with engine_of(server_database) as engine, Session(engine) as session:
        use(session)
        server_database.run("ALTER TABLE users ADD COLUMN full_name varchar(40)")
        use(session)
        session.add(User(name="Eve", old="Evelyn"))
        session.commit()
        eve = session.scalars(select(User).options(undefer(User.old)).where(User.old == "Evelyn")).one()
        assert (eve.name, eve.old) == ("Eve", "Evelyn")
        session.rollback()
        server_database.run("ALTER TABLE users DROP COLUMN full_name")
        session.expunge_all()
        use(session)


@everywhere
def test_it_works_on_an_event_loop(server_database):
    async def used():
        async with async_engine_of(server_database) as engine, AsyncSession(engine) as session:
            await session.run_sync(use)

    server_database.run(WITHOUT.format(key=KEYS[kind_of(server_database)]))
    asyncio.run(used())


def test_what_would_make_statements_name_the_column_is_refused():
    with pytest.raises(TypeError, match="server_default"):
        ignored_column(String(40), server_default="x")
    with pytest.raises(TypeError, match="needs the type"):
        ignored_column("full_name")
