"""The application, in two versions: `python app.py 1.0 "Ann Smith"` adds a user and prints all of them."""

import os
import sys

from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

COLUMN = {"1.0": "full_name", "2.0": "name"}


class Base(DeclarativeBase):
    pass


def model(version: str) -> type:
    class User(Base):
        __tablename__ = "users"
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(COLUMN[version])

    return User


def main() -> None:
    version, added = sys.argv[1:]
    user = model(version)
    url = os.environ["SHOP_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    with Session(create_engine(url)) as session, session.begin():
        session.add(user(name=added))
        session.flush()
        names = session.scalars(select(user).order_by(user.id)).all()
        print(f"shop {version}:", ", ".join(item.name for item in names))


if __name__ == "__main__":
    main()
