"""One build for the whole of a rename: `User.name` is users.full_name until users.name may be read."""

import os

from sqlalchemy import String, create_engine, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from migrator.app import ignored_column, read_switch


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    old_name: Mapped[str | None] = ignored_column("full_name", String(80))
    new_name: Mapped[str | None] = ignored_column("name", String(80))


read_switch(User, "name", old=User.old_name, new=User.new_name, revision="0003_rename")

engine = create_engine(os.environ["DATABASE_URL"])
with Session(engine) as session, session.begin():
    session.execute(update(User).where(User.name == "Ada").values({User.name: "Ada L."}))
    session.get_one(User, 1).name += "!"
    query = select(User).where(User.name.like("Ada%")).order_by(User.name)
    print([user.name for user in session.scalars(query)])
engine.dispose()
