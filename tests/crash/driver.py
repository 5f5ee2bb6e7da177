"""Kill a runner with SIGKILL at every point of a command, and let the next run finish.

`python driver.py PROJECT TEMPLATE_URL [STRIDE OFFSET]`. Runs apart from pytest because it forks:
one child is killed at its n-th commit, another runs the same command to the end.
Prints one JSON line for each kill.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psycopg

from migrator import api, database, settings
from phases.model import Phase

OVERRIDE = api.Override("a test")


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
    count = SimpleNamespace(done=0)
    transaction, alone = database.Session.transaction, database.Session.alone

    def reached() -> None:
        count.done += 1
        if count.done == point:
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


def main() -> None:
    folder, admin, template, revision, verb, stride, offset = sys.argv[1:]
    point = 1 + int(offset)
    # What is imported here is not imported again by every child.
    api.status(settings.load({"database_url": copied(admin, template)}, environ={}, directory=Path(folder)))
    while True:
        url = copied(admin, template)

        def killed(url: str = url, point: int = point) -> None:
            die_at(point)
            verbs(url, Path(folder), revision)[verb]()

        ended = forked(killed)
        again = forked(verbs(url, Path(folder), revision)[verb]) if ended == signal.SIGKILL else None
        sys.stdout.write(json.dumps({"point": point, "ended": ended, "again": again, "url": url}) + "\n")
        sys.stdout.flush()
        if ended != signal.SIGKILL:
            return
        sys.stdin.readline()
        point += int(stride)


if __name__ == "__main__":
    main()
