"""Transactions that read a row and then write it, beside every phase: how many the server ended, how long they took.

    python -m benchmarks.transactions [--server mysql|mariadb|postgresql] [--clients 6] [--think-ms 0] [--tied]
        [--format json]

Each reads a row, changes that one and another, removes a third and puts it back, and commits: what an object-relational
mapper makes of a request. Without time to think between them the table is never free. A column is renamed meanwhile:
out, on to the new version, back, and out again. `--tied` has a second table that references the first: each
transaction reads both and writes both.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import tempfile
import time
from bisect import bisect_right
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from benchmarks import show
from migrator import api, projects, settings
from migrator.embedded import EmbeddedServer
from migrator.embedded_mysql import EmbeddedMySQL, found
from phases.model import Phase

REVISION = "rename"
MIGRATION = f'''"""Rename."""
from migrator import Migration, RenameColumn

revision, down_revision = "{REVISION}", None
migration = Migration(RenameColumn("users", "email", "address"))
upgrade, downgrade = migration.upgrade, migration.downgrade
'''
TABLE = (
    "CREATE TABLE users (id int PRIMARY KEY, email varchar(120) NOT NULL, visits int NOT NULL DEFAULT 0, about text)",
    "CREATE INDEX users_visits ON users (visits)",
)
TIED = (
    "CREATE TABLE orders (id int PRIMARY KEY, user_id int NOT NULL, amount int NOT NULL,"
    " CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id))",
    "INSERT INTO orders SELECT id, id, 1 FROM users WHERE id * 2 <= {rows}",
)
ROWS = "INSERT INTO users (id, email, about) VALUES {rows}"
SERVER = {"log-bin": "binlog", "server-id": "1", "binlog-format": "ROW", "innodb-buffer-pool-size": "512M"}
LOCK_TIMEOUTS = {"postgresql": "SET lock_timeout = '3s'", "mysql": "SET innodb_lock_wait_timeout = 3"}
AROUND = 2.0
"""Seconds between two commands."""


@dataclass
class Log:
    """What one client met: when each transaction began, how long it took, and with what error it ended."""

    begun: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def transaction(execute: Callable[[str], object], rows: int, column: str, rest: Callable[[], None]) -> None:
    one, other, third = (random.randint(1, rows) for _ in range(3))
    execute(f"SELECT {column}, visits FROM users WHERE id = {one}")
    rest()
    execute(f"UPDATE users SET visits = visits + 1 WHERE id = {one}")
    rest()
    execute(f"UPDATE users SET {column} = 'changed {one}' WHERE id = {other}")
    execute(f"DELETE FROM users WHERE id = {third}")
    execute(f"INSERT INTO users (id, {column}) VALUES ({third}, 'again {one}')")


def tied_transaction(execute: Callable[[str], object], rows: int, column: str, rest: Callable[[], None]) -> None:
    """The lower half of the users have orders, those of the upper half come and go."""
    one, other, third = (random.randint(1, rows // 2) for _ in range(3))
    joined = f"SELECT u.{column}, o.amount FROM orders o JOIN users u ON u.id = o.user_id WHERE o.id = {other}"
    execute(joined)
    rest()
    execute(f"UPDATE users SET visits = visits + 1 WHERE id = {one}")
    rest()
    execute(f"UPDATE users SET {column} = 'changed {one}' WHERE id = {one}")
    execute(f"DELETE FROM users WHERE id = {rows - third + 1}")
    execute(f"INSERT INTO users (id, {column}) VALUES ({rows - third + 1}, 'again {one}')")
    execute(f"UPDATE orders SET amount = amount + 1 WHERE id = {other}")
    execute(f"DELETE FROM orders WHERE id = {third}")
    execute(f"INSERT INTO orders (id, user_id, amount) VALUES ({third}, {one}, 1)")


def client(connect: Callable[[], Any], given: argparse.Namespace, place: int, live: Any, out: Any, stop: Event) -> None:
    """Send transactions of the version that is live: 0 the old one, 1 either, 2 the new one."""
    random.seed(place)
    sent = tied_transaction if given.tied else transaction
    log, columns = Log(), ("email", ("email", "address")[place % 2], "address")
    with closing(connect()) as connection:
        cursor = connection.cursor()
        cursor.execute(LOCK_TIMEOUTS["postgresql" if given.server == "postgresql" else "mysql"])
        connection.commit()
        while not stop.is_set():
            log.begun.append(time.time())
            error = ""
            try:
                rest = partial(time.sleep, random.random() * given.think_ms / 500)
                sent(cursor.execute, given.rows, columns[live.value], rest)
                connection.commit()
            except Exception as problem:
                error = str(getattr(problem, "sqlstate", None) or problem.args[0])
                connection.rollback()
            log.seconds.append(time.time() - log.begun[-1])
            log.errors.append(error)
    out.put(log)


def postgresql(url: str) -> Any:
    import psycopg

    return psycopg.connect(url, application_name="shop unprepared", prepare_threshold=None)


def mysql(socket: str) -> Any:
    import pymysql

    return pymysql.connect(unix_socket=socket, user="root", database="shop", autocommit=False)


def server_of(family: str) -> AbstractContextManager[Any]:
    return EmbeddedServer() if family == "postgresql" else EmbeddedMySQL(found(family), SERVER)


def prepared(server: Any, given: argparse.Namespace, folder: Path) -> tuple[settings.Settings, Callable[[], Any]]:
    """The table and its project."""
    if given.server == "postgresql":
        url, connect = server.url(), partial(postgresql, server.url().replace("+psycopg", ""))
    else:
        with server.connect() as connection, connection.cursor() as cursor:
            cursor.execute("CREATE DATABASE shop CHARACTER SET utf8mb4")
            if given.plugin:
                cursor.execute("INSTALL SONAME 'metadata_lock_info'")
        url = server.url("shop")
        connect = partial(mysql, url.split("unix_socket=")[1].replace("%2F", "/"))
    with closing(connect()) as connection:
        cursor = connection.cursor()
        for statement in TABLE:
            cursor.execute(statement)
        for first in range(1, given.rows + 1, 1000):
            numbers = range(first, min(first + 1000, given.rows + 1))
            rows = ", ".join(f"({number}, 'user{number}@example.org', 'about {number}')" for number in numbers)
            cursor.execute(ROWS.format(rows=rows))
        for statement in TIED if given.tied else ():
            cursor.execute(statement.format(rows=given.rows))
        connection.commit()
    projects.write_setup(projects.plan_setup(folder))
    (folder / "migrations" / "versions" / f"{REVISION}.py").write_text(MIGRATION)
    return settings.load({"database_url": url}, environ={}, directory=folder), connect


def commands(loaded: settings.Settings) -> dict[str, tuple[int, Callable[[], object]]]:
    """What is done one after another, and which versions are live meanwhile."""
    contract = partial(
        api.apply, loaded, phase=Phase.CONTRACT, to=REVISION, override=api.Override("a benchmark waits for nobody")
    )
    return {
        "expand": (0, partial(api.apply, loaded, phase=Phase.EXPAND)),
        "migrate": (1, partial(api.apply, loaded, phase=Phase.MIGRATE)),
        "contract": (2, contract),
        "restore": (2, partial(api.restore, loaded, REVISION)),
        "contract again": (2, contract),
    }


def measure(given: argparse.Namespace) -> dict[str, object]:
    """Everything, on a server of our own."""
    multiprocessing.set_start_method("fork")
    stop, live, out = multiprocessing.Event(), multiprocessing.Value("i", 0), multiprocessing.Queue()
    with tempfile.TemporaryDirectory() as folder, server_of(given.server) as server:
        loaded, connect = prepared(server, given, Path(folder))
        clients = [
            multiprocessing.Process(target=client, args=(connect, given, place, live, out, stop), daemon=True)
            for place in range(given.clients)
        ]
        for process in clients:
            process.start()
        marks = [(time.time(), "before")]
        for name, (versions, command) in commands(loaded).items():
            live.value = versions
            time.sleep(AROUND)
            marks.append((time.time(), name))
            command()
            marks.append((time.time(), "between"))
        time.sleep(AROUND)
        stop.set()
        logs = [out.get() for _ in clients]
    return figures(given, logs, marks)


def figures(given: argparse.Namespace, logs: list[Log], marks: list[tuple[float, str]]) -> dict[str, object]:
    """By phase: transactions, those that were ended, and the longest."""
    found: dict[str, object] = {
        "server": given.server,
        "clients": given.clients,
        "think_ms": given.think_ms,
        "tied": given.tied,
    }
    at = [moment for moment, _ in marks]
    all_done = all_ended = 0
    for name in dict.fromkeys(name for _, name in marks):
        done = [
            (seconds, error)
            for log in logs
            for begun, seconds, error in zip(log.begun, log.seconds, log.errors, strict=True)
            if marks[max(0, bisect_right(at, begun) - 1)][1] == name
        ]
        ended = sum(bool(error) for _, error in done)
        all_done, all_ended = all_done + len(done), all_ended + ended
        longest = max((seconds for seconds, _ in done), default=0.0) * 1000
        found[name.replace(" ", "_")] = f"{len(done)} transactions, {ended} ended, longest {longest:.0f} ms"
    return {**found, "transactions": all_done, "ended": all_ended}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=["mysql", "mariadb", "postgresql"], default="mysql")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--think-ms", type=float, default=0.0, help="mean time between reading and writing")
    parser.add_argument("--tied", action="store_true", help="two tables, one of which references the other")
    parser.add_argument("--plugin", action="store_true", help="MariaDB has its plugin metadata_lock_info")
    parser.add_argument("--format", choices=["text", "json"], default="text")
    given = parser.parse_args()
    show(measure(given), given.format)


if __name__ == "__main__":
    main()
