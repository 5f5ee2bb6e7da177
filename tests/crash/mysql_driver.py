"""Kill a runner on MySQL or MariaDB with SIGKILL between any two of its statements, and let the next run finish.

`python -m tests.crash.mysql_driver PROJECT URL REVISION VERB STRIDE`. Runs apart from pytest because it forks. Prints
one JSON line for each kill, with what is there after the next run; the first line is of a run without one.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

from sqlalchemy import make_url

from migrator import api, execution, performance, settings
from phases.model import Phase
from tests.crash.driver import forked
from tests.plugins.mysql_servers import MySQLDatabase

OVERRIDE = api.Override("a test")
STATES = {"apply": (), "abort": ("apply",), "contract": ("apply",)}
STATES |= {"restore": ("apply", "contract"), "purge": ("apply", "contract")}
OTHERWISE = {"give up": ("contract", "restore")}
"""What is killed, and what is run then in its place."""
STATES |= {"give up": ("apply",)}
POINTS = ("_note", "_define", "_commit", "_batch")
"""What a performer does and a kill may follow; the other is every change of state."""

BASE = (
    """CREATE TABLE users (id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
      full_name varchar(60) NOT NULL DEFAULT 'nobody', nick varchar(20) NOT NULL, code varchar(20),
      amount int NOT NULL DEFAULT 0, note text,
      street varchar(20) NOT NULL, city varchar(20), KEY users_full_name_idx (full_name, amount),
      KEY users_amount_idx (amount), KEY lookup (nick))""",
    "INSERT INTO users (full_name, nick, code, street) WITH RECURSIVE n (i) AS"
    " (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
    " SELECT CONCAT('user ', i), CONCAT('n', i), CONCAT('c', i), CONCAT('street ', i) FROM n",
    "CREATE TABLE writes (id bigint, was int, is_now int)",
    "CREATE TRIGGER count_writes AFTER UPDATE ON users FOR EACH ROW"
    " BEGIN IF OLD.amount <> NEW.amount THEN INSERT INTO writes VALUES (NEW.id, OLD.amount, NEW.amount); END IF; END",
)


def verbs(url, folder, revision):
    given = settings.load({"database_url": url}, environ={}, directory=folder)
    late = {"to": revision, "override": OVERRIDE}
    return {
        "apply": lambda: api.apply(given),
        "abort": lambda: api.abort(given, revision, discard=True),
        "contract": lambda: api.apply(given, phase=Phase.CONTRACT, **late),
        "restore": lambda: api.restore(given, revision),
        "purge": lambda: api.apply(given, phase=Phase.PURGE, **late),
    }


def die_at(point):
    """Make the n-th statement or record of this process its last."""
    count = SimpleNamespace(done=0)

    def counted(method):
        def call(*arguments, **options):
            answer = method(*arguments, **options)
            count.done += 1
            if count.done == point:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return call

    for name in POINTS:
        setattr(performance.Performer, name, counted(getattr(performance.Performer, name)))
    execution.Execution.enter = counted(execution.Execution.enter)


def content(database):
    """What has to be the same however often a runner was killed."""
    columns = [row[0] for row in database.rows("SHOW COLUMNS FROM users")]
    listed = ", ".join(f"`{column}`" for column in sorted(columns))
    return {
        "dump": database.dump(),
        "rows": database.rows(f"SELECT {listed} FROM users ORDER BY id"),
        "twice": database.rows("SELECT id, was FROM writes GROUP BY id, was HAVING COUNT(*) > 1"),
        "states": database.rows("SELECT id, state FROM migrator_revisions"),
        "moved": database.rows("SELECT * FROM places ORDER BY 1") if "CREATE TABLE `places`" in database.dump() else [],
        "logged": database.rows("SELECT COUNT(*) FROM log") if "CREATE TABLE `log`" in database.dump() else [],
        "steps": database.rows("SELECT state, COUNT(*) FROM migrator_steps GROUP BY state"),
    }


def main():
    folder, url, revision, verb, stride = sys.argv[1:]
    name = str(make_url(url).database)
    database = MySQLDatabase(url, name, "")
    actions = verbs(url, Path(folder), revision)
    point = 0
    while True:
        database.run(
            f"DROP DATABASE `{name}`", f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4", f"USE `{name}`", *BASE
        )
        for earlier in STATES[verb]:
            actions[earlier]()

        first, then = OTHERWISE.get(verb, (verb, verb))

        def killed(point=point, first=first):
            die_at(point)
            actions[first]()

        ended = forked(killed)
        again = forked(actions[then]) if ended == signal.SIGKILL or (first != then and not ended) else None
        found = {"point": point, "ended": ended, "again": again, "content": content(database)}
        sys.stdout.write(json.dumps(found, default=str) + "\n")
        sys.stdout.flush()
        if point and ended != signal.SIGKILL:
            return
        point += int(stride) if point else 1


if __name__ == "__main__":
    main()
