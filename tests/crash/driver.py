"""Kill a runner with SIGKILL at every point of a command, and let the next run finish.

`python -m tests.crash.driver PROJECT URL STATE REVISION VERB KILLS`. Runs apart from pytest because it forks. STATE is
how the database is before the command: on PostgreSQL the name of one to copy, elsewhere a file of what to do.
First of all the command is run to its end by itself, then it is killed as KILLS says. `in-a-row`: every run is killed
a few commits after the one before it was, until one comes to its end; or `1/2`: one child is killed at its first
commit, another runs the command that follows to the end, and both begin again with two more. Prints one JSON line for
each run to be looked at, and waits for a line of input after it, but for kills in a row.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from itertools import count, cycle
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, Protocol

import psycopg
from sqlalchemy import make_url

from migrator import api, batches, crew, database, defining, execution, overlapping, performance, settings
from phases.model import Phase
from tests.plugins.mysql_servers import MySQLDatabase

OVERRIDE = api.Override("a test")
COMMITS = (1, 2, 3, 4, 1, 5, 6, 2, 8, 3, 7)
"""After how many commits each run in a row is killed: some only begin, most get a step or two further."""
OTHERWISE = {"give up": ("contract", "restore")}
"""What is killed, and what is run then in its place."""


def verbs(url: str, folder: Path, revision: str) -> dict[str, Callable[[], object]]:
    given = settings.load({"database_url": url}, environ={}, directory=folder)
    late = {"to": revision, "override": OVERRIDE}
    return {
        "apply": lambda: api.apply(given),
        "retry": lambda: api.retry(given, revision),
        "abort": lambda: api.abort(given, revision, discard=True),
        "contract": lambda: api.apply(given, phase=Phase.CONTRACT, **late),
        "restore": lambda: api.restore(given, revision),
        "purge": lambda: api.apply(given, phase=Phase.PURGE, **late),
    }


class Ground(Protocol):
    """Where the runner is killed."""

    def fresh(self) -> str:
        """The URL of a database in the state before the command."""
        ...

    def die_at(self, point: int) -> None:
        """Make the n-th thing this process commits its last; what wrote nothing leaves nothing half done."""
        ...


class Copies:
    """PostgreSQL: a copy of a database, and every commit of a transaction."""

    def __init__(self, url: str, template: str) -> None:
        self.url, self.template = url, template

    def fresh(self) -> str:
        server, _, _ = self.url.rpartition("/")
        name = f"{self.template}_copy"
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{self.template}"'.encode())
        return f"{server}/{name}"

    def die_at(self, point: int) -> None:
        reached = countdown(point)
        transaction, alone = database.Session.transaction, database.Session.alone

        @contextmanager
        def counted_transaction(self):
            with transaction(self) as connection:
                yield connection
                wrote = connection.exec_driver_sql("SELECT txid_current_if_assigned() IS NOT NULL").scalar_one()
            if wrote:
                reached()

        def counted_alone(self, sql):
            alone(self, sql)
            reached()

        database.Session.transaction, database.Session.alone = counted_transaction, counted_alone


class Anew:
    """MySQL and MariaDB: one database made again and again, for the ledger names it; and every single statement."""

    POINTS: ClassVar = {
        performance.Performer: ("_commit", "_assign"),
        defining.Defining: ("note", "define"),
        batches.Batches: ("batch",),
        overlapping.Overlapping: ("batch", "settle"),
        crew.Worker: ("_claimed",),
        execution.Execution: ("enter",),
    }
    """What a kill may follow."""

    def __init__(self, url: str, file: str, actions: dict[str, Callable[[], object]]) -> None:
        self.url, self.actions = url, actions
        self.state = json.loads(Path(file).read_text())

    def fresh(self) -> str:
        name = str(make_url(self.url).database)
        made = (f"DROP DATABASE `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4", f"USE `{name}`")
        MySQLDatabase(self.url, name, "").run(*made, *self.state["statements"])
        for verb in self.state["verbs"]:
            self.actions[verb]()
        return self.url

    def die_at(self, point: int) -> None:
        reached = countdown(point)

        def counted(method):
            def call(*arguments, **options):
                answer = method(*arguments, **options)
                reached()
                return answer

            return call

        for kind, names in self.POINTS.items():
            for name in names:
                setattr(kind, name, counted(getattr(kind, name)))


def countdown(point: int) -> Callable[[], None]:
    seen = SimpleNamespace(done=0)

    def reached() -> None:
        seen.done += 1
        if seen.done == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def forked(action: Callable[[], object]) -> int:
    """Run something in a child; returns the signal that ended it, or 0."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException as problem:
            sys.stderr.write(f"{type(problem).__name__}: {problem}\n")
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    return -os.WEXITSTATUS(status)


Action = Callable[[str], object]


def in_a_row(ground: Ground, action: Action) -> None:
    url = ground.fresh()
    for commits in cycle(COMMITS):
        if not told(forked(lambda n=commits: (ground.die_at(n), action(url)))):
            return


def one_by_one(ground: Ground, action: Action, next_: Action, first: int, step: int) -> None:
    for point in count(first, step):
        url = ground.fresh()
        ended = forked(lambda n=point, there=url: (ground.die_at(n), action(there)))
        if ended != signal.SIGKILL:
            told(ended, point=point)
            return
        told(ended, point=point, again=forked(lambda there=url: next_(there)))
        sys.stdin.readline()


def told(ended: int, **more: object) -> bool:
    """Say how a child ended; returns whether it was killed."""
    sys.stdout.write(json.dumps({"ended": ended, **more}) + "\n")
    sys.stdout.flush()
    return ended == signal.SIGKILL


def main() -> None:
    folder, url, state, revision, verb, kills = sys.argv[1:]
    first, next_ = OTHERWISE.get(verb, (verb, verb))

    def action(name: str) -> Action:
        return lambda there: verbs(there, Path(folder), revision)[name]()

    mysql = make_url(url).get_backend_name() != "postgresql"
    ground: Ground = Anew(url, state, verbs(url, Path(folder), revision)) if mysql else Copies(url, state)
    there = ground.fresh()
    # What is imported here is not imported again by every child.
    api.status(settings.load({"database_url": there}, environ={}, directory=Path(folder)))
    ended = forked(lambda: action(first)(there))
    told(ended if first == next_ or ended else forked(lambda: action(next_)(there)))
    sys.stdin.readline()
    if kills == "in-a-row":
        in_a_row(ground, action(first))
    else:
        one_by_one(ground, action(first), action(next_), *map(int, kills.split("/")))


if __name__ == "__main__":
    main()
