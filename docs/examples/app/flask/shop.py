"""A build that works before, during and after a rename: Flask, with a sync engine."""

import os

from flask import Flask, request
from sqlalchemy import BigInteger, String, create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from migrator.app import follow, ignored_column, phase_of, read_switch, readiness, register

RENAME = "2_rename_full_name"


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    old_name: Mapped[str | None] = ignored_column("full_name", String(80))
    new_name: Mapped[str | None] = ignored_column("name", String(80))


read_switch(User, "name", old=User.old_name, new=User.new_name, revision=RENAME)


def create_app() -> Flask:
    app = Flask(__name__)
    engine = app.extensions["engine"] = create_engine(os.environ["DATABASE_URL"])
    # One call for each process: with gunicorn in `post_fork`, or without --preload.
    register(engine, app="shop", version=os.environ.get("VERSION", "2.0"), heartbeat=30.0)
    phase_of(RENAME, engine)
    follow(engine, RENAME)

    @app.get("/ready")
    def ready() -> tuple[str, int]:
        ok, reason = readiness(engine)
        return reason, 200 if ok else 503

    @app.post("/users")
    def sign_up() -> tuple[str, int]:
        with Session(engine) as session, session.begin():
            session.add(User(**request.json))
        return "", 201

    @app.get("/users")
    def names() -> list[str]:
        like = request.args.get("like", "%")
        with Session(engine) as session:
            return list(session.scalars(select(User.name).where(User.name.like(like)).order_by(User.name)))

    return app
