"""No statement fails while one version writes to one table and the other to two, on MySQL and MariaDB."""

from __future__ import annotations

from contextlib import contextmanager

import pymysql

from migrator.events import StepFinished
from tests.compatibility.test_mysql import BASE, maybe
from tests.compatibility.test_operations import Watched, live
from tests.plugins.applications import SHARED_ROWS, Shape, one_round
from tests.plugins.mysql_applications import MySQLApplication, MySQLClient

DEADLOCK = 1213
DIFFERENT = (
    "SELECT COUNT(*) FROM users LEFT JOIN details ON user_id = id"
    " WHERE NOT (users.note <=> details.note AND users.size <=> details.size)"
)
VALUES = {"note": maybe, "size": lambda _, number: number}


class OneTable(MySQLClient):
    """The old version, which on MySQL replaces no rows: two that do so deadlock there on a table that nobody changes.

    What both write at the same moment can deadlock, and is tried again, as the plan says.
    """

    @contextmanager
    def connected(self):
        with super().connected() as actions:
            self.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield actions if self.replace in actions else [*actions, self.upsert]

    def shared(self):
        row_id, row = self.number % SHARED_ROWS + 1, self.next_row()
        self.try_again(lambda: self.write_shared(row_id, row))

    def write_shared(self, row_id, row):
        self.set({"note": row["note"]}, row_id)

    def try_again(self, action):
        while True:
            try:
                return action()
            except pymysql.err.OperationalError as problem:
                if problem.args[0] != DEADLOCK:
                    raise


class TwoTables(OneTable):
    """The new version: what moved is in a table of its own, and written in the same transaction."""

    @contextmanager
    def connected(self):
        with super().connected():
            actions = [self.insert, self.update, self.shared, self.upsert, self.replace, self.delete]
            yield [*actions, self.read] if self.reading else actions

    def insert(self):
        row = self.next_row()
        self.connection.begin()
        self.execute("INSERT INTO users (email) VALUES (%s)", [self.email()])
        row_id = self.made
        self.execute("INSERT INTO details (user_id, note, size) VALUES (%s, %s, %s)", [row_id, *row.values()])
        self.connection.commit()
        self.journal[row_id] = row

    def set(self, row, row_id):
        sets = ", ".join(f"{column} = %s" for column in row)
        self.execute(f"UPDATE details SET {sets} WHERE user_id = %s", [*row.values(), row_id])

    def written(self, verb, tail=""):
        for row_id in self.own()[-2:]:
            row = self.next_row()
            self.execute(
                f"{verb} INTO details (user_id, note, size) VALUES (%s, %s, %s) {tail}", [row_id, *row.values()]
            )
            self.journal[row_id] = row

    def upsert(self):
        self.written("INSERT", "ON DUPLICATE KEY UPDATE note = VALUES(note), size = VALUES(size)")

    def replace(self):
        self.written("REPLACE")

    def delete(self):
        """A user with all that is his, and what another one has alone."""
        for row_id, table, left in zip(self.own(), ("users", "details"), (None, dict.fromkeys(VALUES)), strict=False):
            self.execute(f"DELETE FROM {table} WHERE {'id' if left is None else 'user_id'} = %s", [row_id])
            self.journal[row_id] = left

    def read(self):
        for row_id in self.own()[-1:]:
            rows = self.execute("SELECT note, size FROM details WHERE user_id = %s", [row_id])
            if (rows or [(None, None)]) != [tuple(self.journal[row_id].values())]:
                raise AssertionError(f"row {row_id} has {rows}, not {self.journal[row_id]}")


class Versions(MySQLApplication):
    """An application whose clients are of one kind."""

    def __init__(self, database, name, client):
        super().__init__(database, name, Shape(VALUES))
        self.client = client

    def start(self, *, reading=True):
        self.started += 1
        for number in range(self.connections):
            made = self.client(self.url, f"{self.name}{self.started}.{number}", self.shape, reading)
            made.database = self.database
            made.start()
            self.clients.append(made)
        return self


def test_no_statement_of_either_version_fails(mysql_database, project):
    mysql_database.run(*BASE, "ALTER TABLE users ADD size int")
    project.url = mysql_database.url
    revision = project.revision("change", 'SplitTable("users", ["note", "size"], to="details", key="user_id")')
    old, new = Versions(mysql_database, "old", OneTable), Versions(mysql_database, "new", TwoTables)

    def after_each_step(event):
        if isinstance(event, StepFinished):
            one_round(old, new)

    project.seen = Watched(after_each_step)
    try:
        live(project, revision, old, new, lambda: same(mysql_database))
    finally:
        old.stop()
        new.stop()
    assert old.failures == []
    assert new.failures == []
    rows = {
        row: values
        for row, *values in mysql_database.rows(
            "SELECT id, details.note, details.size FROM users LEFT JOIN details ON user_id = id"
        )
    }
    wanted = {row: values and [*values.values()] for row, values in new.journal.items()}
    assert {row: rows.get(row) for row in wanted} == wanted


def same(database):
    assert database.rows(DIFFERENT) == [(0,)]
