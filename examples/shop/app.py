"""The shop: a small web application. SHOP_VERSION says which build it is, SHOP_DATABASE_URL where its users are."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import click
from flask import Blueprint, Flask, Response, abort, current_app, g, redirect, render_template, request
from flask.cli import with_appcontext
from models import initials, user_model
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import Session, sessionmaker

from migrator.app import readiness, register

pages = Blueprint("pages", __name__)
operations = Blueprint("operations", __name__)


class Metrics:
    """What Prometheus scrapes. Each series is there from the start: from nothing to 1 is no increase for Prometheus."""

    def __init__(self, version: str) -> None:
        self.registry = CollectorRegistry()
        requests = Counter("http_requests", "Pages asked for.", ["version", "code"], registry=self.registry)
        seconds = Histogram("http_request_duration_seconds", "Time taken.", ["version"], registry=self.registry)
        self.requests = {code: requests.labels(version, f"{code}xx") for code in range(1, 6)}
        self.seconds = seconds.labels(version)


@dataclass
class Shop:
    """What the pages need."""

    version: str
    user: type
    engine: Engine
    sessions: sessionmaker[Session]
    metrics: Metrics


def shop() -> Shop:
    return current_app.extensions["shop"]


def registered(version: str) -> Engine:
    """Connections that are named after this build. It does not start where the database has not what it uses."""
    url = os.environ["SHOP_DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, pool_size=8, pool_pre_ping=True)
    register(engine, app="shop", version=version)
    return engine


def create_app() -> Flask:
    """The application, as gunicorn and `flask` call it."""
    app, version = Flask(__name__), os.environ["SHOP_VERSION"]
    engine = registered(version)
    app.extensions["shop"] = Shop(version, user_model(version), engine, sessionmaker(engine), Metrics(version))
    app.register_blueprint(pages)
    app.register_blueprint(operations)
    app.cli.add_command(add_user)
    app.after_request(say_version)
    return app


def say_version(response: Response) -> Response:
    response.headers["X-Version"] = shop().version
    return response


@pages.before_request
def begin() -> None:
    g.begun = time.perf_counter()


@pages.after_request
def count(response: Response) -> Response:
    shop().metrics.requests[response.status_code // 100].inc()
    shop().metrics.seconds.observe(time.perf_counter() - g.begun)
    return response


@pages.get("/")
def users() -> str:
    user = shop().user
    with shop().sessions() as session:
        number = session.scalar(select(func.count()).select_from(user))
        newest = session.scalars(select(user).order_by(user.id.desc()).limit(20)).all()
        return render_template("users.html", version=shop().version, number=number, users=newest)


@pages.post("/users")
def add() -> Response:
    with shop().sessions.begin() as session:
        added = shop().user(name=request.form["name"])
        session.add(added)
        session.flush()
        return redirect(f"/users/{added.id}", 303)


@pages.get("/users/<int:number>")
def one(number: int) -> str:
    with shop().sessions() as session:
        found = session.get(shop().user, number) or abort(404)
        return render_template("user.html", user=found, initials=initials(shop().version, found.name))


@pages.post("/users/<int:number>")
def rename(number: int) -> Response:
    with shop().sessions.begin() as session:
        found = session.get(shop().user, number) or abort(404)
        found.name = request.form["name"]
    return redirect(f"/users/{number}", 303)


@operations.get("/ready")
def ready() -> Response:
    """Whether this build may serve: never whether the database is at the newest revision.

    It asks the records and not the table, which a migration locks for a moment: a check that waits for that, too,
    takes all servers out of the traffic at once.
    """
    ok, reason = readiness(shop().engine)
    return Response(f"{reason or 'ready'}\n", 200 if ok else 503)


@operations.get("/live")
def live() -> Response:
    """Whether to restart this process. It does not ask the database: restarts mend no database."""
    return Response("live\n")


@operations.get("/metrics")
def metrics() -> Response:
    return Response(generate_latest(shop().metrics.registry), content_type=CONTENT_TYPE_LATEST)


@click.command("add-user")
@click.argument("name")
@with_appcontext
def add_user(name: str) -> None:
    """Add a user and print all of them: `SHOP_VERSION=1.0 flask add-user "Ann Smith"`."""
    user = shop().user
    with shop().sessions.begin() as session:
        session.add(user(name=name))
        session.flush()
        names = session.scalars(select(user.name).order_by(user.id)).all()
        print(f"shop {shop().version}:", ", ".join(names))
