"""Kill a runner with SIGKILL at every point of a command, and let the next run finish.

`python driver.py PROJECT ADMIN_URL TEMPLATE REVISION VERB KILLS`. Runs apart from pytest because it forks.
KILLS is `in-a-row`: every run is killed a few commits after the one before it was, until one comes to
its end; or `odd` or `even`: one child is killed at its n-th commit, another runs the same command
to the end, and both begin again in a fresh copy with the next n. Prints one JSON line for each kill.
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

import psycopg

from migrator import api, database, settings
from phases.model import Phase

OVERRIDE = api.Override("a test")
COMMITS = (1, 2, 3, 4, 1, 5, 6, 2, 8, 3, 7)
"""After how many commits each run in a row is killed: some only begin, most get a step or two further."""


def verbs(url: str, folder: Path, revision: str) -> dict[str, Callable[[], object]]:
    given = settings.load({"database_url": url}, environ={}, directory=folder)

    def contract() -> None:
        api.apply(given, phase=Phase.CONTRACT, to=revision, override=OVERRIDE)

    return {
        "apply": lambda: api.apply(given),
        "retry": lambda: api.retry(given, revision),
        "abort": lambda: api.abort(given, revision, discard=True),
        "contract": contract,
        "restore": lambda: api.restore(given, revision),
        "purge": lambda: api.apply(given, phase=Phase.PURGE, to=revision, override=OVERRIDE),
    }


def die_at(point: int) -> None:
    """Make the n-th thing this process commits its last; what wrote nothing leaves nothing half done."""
    seen = SimpleNamespace(done=0)
    transaction, alone = database.Session.transaction, database.Session.alone

    def reached() -> None:
        seen.done += 1
        if seen.done == point:
            os.kill(os.getpid(), signal.SIGKILL)

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


def copied(url: str, template: str) -> str:
    """A fresh database, a copy of the template."""
    server, _, _ = url.rpartition("/")
    name = f"{template}_copy"
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
    return f"{server}/{name}"


def in_a_row(action: Callable[[str], object], admin: str, template: str) -> None:
    url = copied(admin, template)
    for commits in cycle(COMMITS):
        if not told(forked(lambda n=commits: (die_at(n), action(url))), url):
            return


def one_by_one(action: Callable[[str], object], admin: str, template: str, first: int) -> None:
    for point in count(first, 2):
        url = copied(admin, template)
        ended = forked(lambda n=point, there=url: (die_at(n), action(there)))
        again = forked(lambda there=url: action(there)) if ended == signal.SIGKILL else None
        if not told(ended, url, point=point, again=again):
            return
        sys.stdin.readline()


def told(ended: int, url: str, **more: object) -> bool:
    """Say how a child ended; returns whether it was killed."""
    sys.stdout.write(json.dumps({"ended": ended, "url": url, **more}) + "\n")
    sys.stdout.flush()
    return ended == signal.SIGKILL


def main() -> None:
    folder, admin, template, revision, verb, kills = sys.argv[1:]
    # What is imported here is not imported again by every child.
    api.status(settings.load({"database_url": copied(admin, template)}, environ={}, directory=Path(folder)))

    def action(url: str) -> object:
        return verbs(url, Path(folder), revision)[verb]()

    if kills == "in-a-row":
        in_a_row(action, admin, template)
    else:
        one_by_one(action, admin, template, 1 if kills == "odd" else 2)


if __name__ == "__main__":
    main()
