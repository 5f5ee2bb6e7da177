"""The application of the demo: one process, several connections, statements as users send them.

Run as `python -m migrator.demo.application OPTIONS`: it says `ready` once every
connection is at work, goes on until its input ends, and prints its tally.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from migrator.demo.clients import Client, connected

CONNECTIONS = 4
THINKING_SECONDS = 0.008
SHOWN_ERRORS = 3


@dataclass
class Tally:
    """What one connection did. `written`: the name each row of its own has to have; None: deleted."""

    waits_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    written: dict[int, str | None] = field(default_factory=dict)
    visits: int = 0


class Visitor(threading.Thread):
    """One connection that reads everything and writes names to rows of its own.

    Args:
        url: of the database, as SQLAlchemy takes it.
        version: of the application; part of what it writes.
        column: by which this version knows the name.
        rows: rows that were there at the beginning.
        share, shares: its own rows are those whose id leaves the remainder `share`.
    """

    def __init__(self, url: str, version: str, column: str, rows: int, share: int, shares: int) -> None:
        super().__init__(daemon=True)
        self.url, self.version, self.column = url, version, column
        self.rows, self.share, self.shares = rows, share, shares
        self.random = random.Random(share)
        self.tally = Tally()
        self.inserted: list[tuple[int, str]] = []
        self.ready, self.stopping = threading.Event(), threading.Event()
        self.count = 0

    def run(self) -> None:
        actions: list[Callable[[Client], None]] = [self.read, self.read, self.read, self.search]
        actions += [self.update, self.update, self.visit, self.insert, self.insert, self.upsert, self.delete]
        with closing(connected(self.url, f"shop {self.version}")) as client:
            self.ready.set()
            while not self.stopping.is_set():
                action = self.random.choice(actions)
                begun = time.perf_counter()
                try:
                    action(client)
                except client.problem as problem:
                    self.tally.errors.append(f"{action.__name__}: {first_line(problem)}")
                self.tally.waits_ms.append((time.perf_counter() - begun) * 1000)
                self.stopping.wait(THINKING_SECONDS)

    def any_row(self) -> int:
        return self.random.randint(1, self.rows)

    def own_row(self) -> int:
        return self.random.randrange(self.share, self.rows, self.shares) or self.shares

    def next_name(self) -> str:
        self.count += 1
        return f"{self.version} {self.share}.{self.count}"

    def ask(self, client: Client, sql: str, *values: object) -> list[Any]:
        return client.ask(sql.replace("NAME", self.column), values)

    def do(self, client: Client, sql: str, *values: object) -> None:
        client.do(sql.replace("NAME", self.column), values)

    def read(self, client: Client) -> None:
        self.ask(client, "SELECT id, NAME, email, visits FROM users WHERE id = %s", self.any_row())

    def search(self, client: Client) -> None:
        self.ask(client, "SELECT id, email FROM users WHERE NAME = %s", f"User {self.any_row()}")

    def update(self, client: Client) -> None:
        row, name = self.own_row(), self.next_name()
        self.do(client, "UPDATE users SET NAME = %s WHERE id = %s", name, row)
        self.tally.written[row] = name

    def visit(self, client: Client) -> None:
        self.do(client, "UPDATE users SET visits = visits + 1 WHERE id = %s", self.any_row())
        self.tally.visits += 1

    def insert(self, client: Client) -> None:
        name = self.next_name()
        email = f"{name.replace(' ', '-')}-{time.time_ns()}@example.org"
        sql = f"INSERT INTO users ({self.column}, email) VALUES (%s, %s)"
        row = client.insert(sql, (name, email))
        self.tally.written[row] = name
        self.inserted.append((row, email))

    def upsert(self, client: Client) -> None:
        if not self.inserted:
            return
        row, email = self.random.choice(self.inserted)
        name = self.next_name()
        self.do(client, f"INSERT INTO users (NAME, email) VALUES (%s, %s) {client.upsert}", name, email)
        self.tally.written[row] = name

    def delete(self, client: Client) -> None:
        if len(self.inserted) < 5:
            return
        row, _ = self.inserted.pop(self.random.randrange(len(self.inserted)))
        self.do(client, "DELETE FROM users WHERE id = %s", row)
        self.tally.written[row] = None


def first_line(problem: Exception) -> str:
    return (str(problem).splitlines() or [type(problem).__name__])[0]


def summary(tallies: list[Tally]) -> dict[str, Any]:
    """The tallies of all connections in one, as JSON."""
    waits = [wait for tally in tallies for wait in tally.waits_ms]
    errors = [error for tally in tallies for error in tally.errors]
    written: dict[int, str | None] = {}
    for tally in tallies:
        written |= tally.written
    return {
        "statements": len(waits),
        "failed": len(errors),
        "errors": errors[:SHOWN_ERRORS],
        "max_wait_ms": max(waits, default=0.0),
        "visits": sum(tally.visits for tally in tallies),
        "written": written,
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    for option in ("--url", "--version", "--column"):
        parser.add_argument(option, required=True)
    for option in ("--rows", "--first-share", "--shares"):
        parser.add_argument(option, type=int, required=True)
    given = parser.parse_args()
    visitors = [
        Visitor(given.url, given.version, given.column, given.rows, given.first_share + number, given.shares)
        for number in range(CONNECTIONS)
    ]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.ready.wait(30)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    for visitor in visitors:
        visitor.stopping.set()
    for visitor in visitors:
        visitor.join(30)
    json.dump(summary([visitor.tally for visitor in visitors]), sys.stdout)


if __name__ == "__main__":
    main()
