"""A build that works before, during and after a rename: FastAPI, with an async engine."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, FastAPI, Response
from pydantic import BaseModel
from sqlalchemy import BigInteger, String, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from migrator.app import follow, ignored_column, phase_of_async, read_switch, readiness_async, register_async

RENAME = "2_rename_full_name"

engine = create_async_engine(os.environ["DATABASE_URL"])
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    old_name: Mapped[str | None] = ignored_column("full_name", String(80))
    new_name: Mapped[str | None] = ignored_column("name", String(80))


read_switch(User, "name", old=User.old_name, new=User.new_name, revision=RENAME)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    await register_async(engine, app="shop", version=os.environ.get("VERSION", "2.0"), heartbeat=30.0)
    await phase_of_async(RENAME, engine)  # known before the first request, and looked at in the background from then on
    follow(engine, RENAME)
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def transaction() -> AsyncIterator[AsyncSession]:
    async with sessions.begin() as session:
        yield session


Transaction = Annotated[AsyncSession, Depends(transaction)]


class NewUser(BaseModel):
    id: int
    name: str


@app.get("/ready")
async def ready(response: Response) -> dict[str, str]:
    ok, reason = await readiness_async(engine)
    response.status_code = 200 if ok else 503
    return {"reason": reason}


@app.post("/users", status_code=201)
async def sign_up(user: NewUser, session: Transaction) -> None:
    session.add(User(id=user.id, name=user.name))


@app.get("/users")
async def names(session: Transaction, like: str = "%") -> list[str]:
    found = await session.scalars(select(User.name).where(User.name.like(like)).order_by(User.name))
    return list(found)
