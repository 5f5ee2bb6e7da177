"""Everything that the demo needs, on this machine, until it is over: database, shop, HAProxy, Prometheus, clients."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from clients import NAMES, Clients
from models import user_model
from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from migrator import api, settings
from migrator.demo.servers import STARTS
from migrator.rollouts import configuration as rollouts
from migrator.rollouts.configuration import Configuration
from migrator.rollouts.instances import Instances
from migrator.settings import Settings

HERE = Path(__file__).resolve().parent
RUN = Path("run")
PROGRAMS = ("haproxy", "prometheus", "curl")
FIRST, USERS = "1.0", 200


class Unfit(Exception):
    """This machine cannot play the demo as it is; what to do."""


@dataclass(frozen=True)
class Stage:
    """What is running. `server`: of the database; `shop` and `prometheus`: where people find them."""

    server: str
    settings: Settings
    shop: str
    prometheus: str
    clients: Clients


@contextmanager
def stage(database: str) -> Iterator[Stage]:
    """Start it, with version 1.0 live; nothing of it is left in the end, whatever ends it.

    Args:
        database: `postgresql` or `mariadb`.

    Raises:
        Unfit: a program is missing, or an address is in use.
    """
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    os.chdir(HERE)
    found = rollouts.load()
    shop, prometheus = found.target["listen"], found.analysis["prometheus"]["url"].removeprefix("http://")
    look(found, shop, prometheus)
    shutil.rmtree(RUN, ignore_errors=True)
    RUN.mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(STARTS[database]())
        stack.enter_context(guard())
        os.environ["SHOP_DATABASE_URL"] = server.url
        known = settings.load()
        fill(known)
        begin(found, prometheus)
        for url in (f"http://{shop}/", f"http://{prometheus}/-/ready"):
            until_it_answers(url)
        clients = stack.enter_context(Clients(shop, USERS))
        yield Stage(server.server, known, f"http://{shop}/", f"http://{prometheus}/", clients)


def look(found: Configuration, *more: str) -> None:
    """Find out beforehand what would stop it."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        raise Unfit(f"not on this machine: {', '.join(missing)}\nnext:  apt install {' '.join(missing)}")
    for address in (*more, *(server.address for server in found.fleet)):
        host, _, port = address.rpartition(":")
        with socket.socket() as tried:
            if tried.connect_ex((host, int(port))) == 0:
                raise Unfit(f"{address} is in use: by another demo, or choose other ports in pyproject.toml")


@contextmanager
def guard() -> Iterator[None]:
    """A process that stops everything that has a number in run/ when this one ends, also by a kill -9."""
    watching = subprocess.Popen(["./service.sh", "guard"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        yield
    finally:
        watching.communicate()


def fill(known: Settings) -> None:
    """The first revision, and some users."""
    api.apply(known, to="0001_create_users")
    api.deploy_record(known, api.Build("shop", FIRST, shape="0001_create_users"))
    engine, user = create_engine(known.require_url()), user_model(FIRST)
    with Session(engine) as session, session.begin():
        session.add_all(user(name=NAMES[number % len(NAMES)]) for number in range(USERS))
    engine.dispose()


def begin(found: Configuration, prometheus: str) -> None:
    """The servers of the first pool, and what divides and measures their traffic."""
    shop = Instances(found)
    for server in found.fleet:
        if server.pool == found.fleet[0].pool:
            shop.start(server, FIRST)
    for place, (name, content) in enumerate(api.rollout_files().items()):
        (Path(name) if place else RUN / name).write_text(content)
    start("haproxy", "haproxy", "-W", "-f", "run/haproxy.cfg", "-f", "haproxy-metrics.cfg")
    where = ("--storage.tsdb.path=run/metrics", f"--web.listen-address={prometheus}")
    start("prometheus", "prometheus", "--config.file=prometheus.yml", *where)


def start(name: str, *words: str) -> None:
    subprocess.run(["./service.sh", "start", name, *words], check=True)


def until_it_answers(url: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError as problem:
            if time.monotonic() > deadline:
                logs = "".join(file.read_text() for file in RUN.glob("*.log"))
                raise Unfit(f"{url} does not answer: {problem}\n{logs}") from None
            time.sleep(0.1)
