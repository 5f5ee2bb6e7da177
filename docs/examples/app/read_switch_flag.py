"""The same, with a flag of OpenFeature that chooses while both columns are filled."""

import os

from openfeature import api
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from sqlalchemy import String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from migrator.app import flag_of, ignored_column, read_switch


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    old_name: Mapped[str | None] = ignored_column("full_name", String(80))
    new_name: Mapped[str | None] = ignored_column("name", String(80))


api.set_provider(InMemoryProvider({"read-name": InMemoryFlag("on", {"on": True, "off": False})}))
read_switch(User, "name", old=User.old_name, new=User.new_name, revision="0003_rename", flag=flag_of("read-name"))

engine = create_engine(os.environ["DATABASE_URL"])
with Session(engine) as session:
    print(session.scalars(select(User.name).where(User.id == 1)).one())
engine.dispose()
api.shutdown()
