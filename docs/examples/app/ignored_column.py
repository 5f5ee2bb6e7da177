"""A build that works before users.nickname is added, and after it is dropped again."""

import os

from sqlalchemy import String, create_engine, inspect, select, update
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, undefer

from migrator.app import ignored_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    full_name: Mapped[str | None] = mapped_column(String(80))
    nickname: Mapped[str | None] = ignored_column(String(80))


engine = create_engine(os.environ["DATABASE_URL"])
with Session(engine) as session:
    session.add(User(id=10, full_name="Alan"))
    session.commit()
    print(session.scalars(select(User).where(User.id == 10)).one().full_name)

    if "nickname" in {column["name"] for column in inspect(engine).get_columns("users")}:
        session.execute(update(User).where(User.id == 10).values(nickname="Prof"))
        session.expire_all()
        print(session.scalars(select(User).options(undefer(User.nickname)).where(User.id == 10)).one().nickname)
    session.commit()
engine.dispose()
