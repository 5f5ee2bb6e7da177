"""Applications on MySQL and MariaDB: the clients of `applications`, with statements as they are written there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from tests.plugins.applications import SHARED_ROWS, Application, Client, Shape
from tests.plugins.mysql_servers import MySQLDatabase

DUPLICATING = ("mysql",)
"""Where an online ALTER TABLE that builds the table again fails over a unique key that INSERT … ON DUPLICATE KEY
UPDATE and REPLACE have met meanwhile: the runner tries again, and between writers like these it never ends."""

DEADLOCK = 1213

PATIENCE = 3
"""Seconds a statement waits for a lock: the runner's own second, and time for a busy machine."""


class MySQLClient(Client):
    """PyMySQL as it comes, every statement in a transaction of its own but for one pair."""

    database: MySQLDatabase
    every: bool = False
    """Rows get other keys, too."""
    in_place: bool = False
    """The table is built again in place."""

    @contextmanager
    def connected(self) -> Iterator[list[Callable[[], None]]]:
        with closing(self.database.connect()) as self.connection:
            self.execute(f"SET SESSION lock_wait_timeout = {PATIENCE}, innodb_lock_wait_timeout = {PATIENCE}")
            actions = [self.insert, self.many, self.selected, self.update, self.both, self.shared, self.delete]
            if self.database.family not in DUPLICATING:
                actions += [self.upsert, self.replace]
            elif not self.in_place:
                actions.append(self.upsert)  # REPLACE of two sessions deadlocks there, without any change of ours
            if self.every:
                actions.append(self.move)
            yield [*actions, self.read] if self.reading else actions

    def execute(self, sql: str, values: object = ()) -> list[tuple]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values or None)
            self.made = cursor.lastrowid
            return list(cursor.fetchall()) if cursor.description else []

    def explained(self, problem: Exception) -> str:
        if problem.args[:1] != (DEADLOCK,):
            return ""
        text = self.execute("SHOW ENGINE INNODB STATUS")[0][2]
        return "\n" + text.partition("LATEST DETECTED DEADLOCK")[2].partition("\nTRANSACTIONS\n")[0]

    def columns(self) -> str:
        return ", ".join(f"`{column}`" for column in ("email", *self.shape.columns))

    def into(self, verb: str, rows: list[dict[str, object]], email: str, tail: str = "") -> None:
        marks = ", ".join(["%s"] * (len(self.shape.columns) + 1))
        values = [value for number, row in enumerate(rows) for value in (f"{number}-{email}", *row.values())]
        lines = ", ".join([f"({marks})"] * len(rows))
        self.execute(f"{verb} INTO {self.shape.table} ({self.columns()}) VALUES {lines} {tail}", values)

    def found(self, email: str) -> int:
        return self.execute(f"SELECT id FROM {self.shape.table} WHERE email = %s", [email])[0][0]

    def insert(self) -> None:
        row = self.next_row()
        self.into("INSERT", [row], self.email())
        self.journal[self.made] = row

    def many(self) -> None:
        rows, email = [self.next_row() for _ in range(3)], self.email()
        self.into("INSERT", rows, email)
        for number, row in enumerate(rows):
            self.journal[self.found(f"{number}-{email}")] = row

    def selected(self) -> None:
        """INSERT … SELECT, which shows triggers other values for what it leaves out."""
        row, email = self.next_row(), self.email()
        marks = ", ".join(["%s"] * (len(row) + 1))
        self.execute(f"INSERT INTO {self.shape.table} ({self.columns()}) SELECT {marks}", [email, *row.values()])
        self.journal[self.made] = row

    def update(self) -> None:
        for row_id in self.own()[-2:]:
            row = self.next_row()
            self.set(row, row_id)
            self.journal[row_id] = row

    def set(self, row: dict[str, object], row_id: int) -> None:
        sets = ", ".join(f"`{column}` = %s" for column in row)
        self.execute(f"UPDATE {self.shape.table} SET {sets} WHERE id = %s", [*row.values(), row_id])

    def both(self) -> None:
        """Two rows in one transaction, in the order of their keys."""
        self.connection.begin()
        changed = {row_id: self.next_row() for row_id in sorted(self.own()[:2])}
        for row_id, row in changed.items():
            self.set(row, row_id)
        self.connection.commit()
        for row_id, row in changed.items():
            self.journal[row_id] = row

    def shared(self) -> None:
        """Rows that both versions write, in full, in part, and not at all."""
        row_id, row = self.number % SHARED_ROWS + 1, self.next_row()
        column = self.shape.columns[self.number % len(row)]
        self.set({column: row[column]}, row_id)
        self.execute(f"UPDATE {self.shape.table} SET email = email, seen = seen + 1 WHERE id = %s", [row_id])

    def upsert(self) -> None:
        email, sets = self.email(), ", ".join(f"`{c}` = VALUES(`{c}`)" for c in self.shape.columns)
        for row in (self.next_row(), self.next_row()):
            self.into("INSERT", [row], email, f"ON DUPLICATE KEY UPDATE {sets}")
            self.journal[self.found(f"0-{email}")] = row

    def replace(self) -> None:
        email = self.email()
        for row in (self.next_row(), self.next_row()):
            before = self.execute(f"SELECT id FROM {self.shape.table} WHERE email = %s", [f"0-{email}"])
            self.into("REPLACE", [row], email)
            for (row_id,) in before:
                self.journal[row_id] = None
            self.journal[self.found(f"0-{email}")] = row

    def delete(self) -> None:
        for row_id in self.own()[:2]:
            self.execute(f"DELETE FROM {self.shape.table} WHERE id = %s", [row_id])
            self.journal[row_id] = None

    def move(self) -> None:
        for row_id in [row_id for row_id in self.own() if row_id > 0][:1]:
            self.execute(f"UPDATE {self.shape.table} SET id = -id WHERE id = %s", [row_id])
            self.journal |= {row_id: None, -row_id: self.journal[row_id]}

    def read(self) -> None:
        names = ", ".join([self.columns(), *(f"`{column}`" for column in self.shape.reads)])
        self.execute(f"SELECT id, {names} FROM {self.shape.table} WHERE id < 100")
        for row_id in self.own()[-1:]:
            names = ", ".join(f"`{column}`" for column in self.shape.columns)
            rows = self.execute(f"SELECT {names} FROM {self.shape.table} WHERE id = %s", [row_id])
            if rows != [tuple(self.journal[row_id].values())]:
                raise AssertionError(f"row {row_id} has {rows}, not {self.journal[row_id]}")


class MySQLApplication(Application):
    """One version of an application on these servers."""

    def __init__(
        self,
        database: MySQLDatabase,
        name: str,
        shape: Shape,
        connections: int = 2,
        *,
        every: bool = False,
        in_place: bool = False,
    ) -> None:
        super().__init__(database.url, name, shape, connections)
        self.database, self.every, self.in_place = database, every, in_place

    def start(self, *, reading: bool = True) -> MySQLApplication:
        self.started += 1
        for number in range(self.connections):
            client = MySQLClient(self.url, f"{self.name}{self.started}.{number}", self.shape, reading)
            client.database, client.every, client.in_place = self.database, self.every, self.in_place
            client.start()
            self.clients.append(client)
        return self
