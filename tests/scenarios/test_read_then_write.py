"""Transactions that read a table before they write it, on MariaDB, while its definition is changed."""

from __future__ import annotations

import threading
import time
from contextlib import closing

import pymysql

ROWS = (
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200) SELECT i, CONCAT('user ', i) FROM n"
)


class ReadsThenWrites(threading.Thread):
    """A transaction that is open for a moment between its SELECT and its UPDATE."""

    def __init__(self, database):
        super().__init__(daemon=True)
        self.database, self.over, self.failures, self.done = database, threading.Event(), [], 0

    def run(self):
        with closing(self.database.connect(autocommit=False)) as connection, connection.cursor() as cursor:
            while not self.over.is_set():
                try:
                    cursor.execute("SELECT id FROM users WHERE id = 1")
                    time.sleep(0.05)
                    cursor.execute("UPDATE users SET note = 'x' WHERE id = 1")
                    connection.commit()
                    self.done += 1
                except pymysql.MySQLError as problem:
                    self.failures.append(str(problem))
                    connection.rollback()
                time.sleep(0.02)


def test_who_reads_a_table_and_then_writes_it_is_no_victim_of_a_change_of_its_definition(mariadb_database, project):
    """Where a statement waits for the lock of a table, the server ends whoever has it and asks for more of it."""
    mariadb_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(60), note text)",
        f"INSERT INTO users (id, full_name) {ROWS}",
    )
    project.url = mariadb_database.url
    project.revision("change", 'RenameColumn("users", "full_name", "name"), AddColumn("users", "age", "int")')
    writer = ReadsThenWrites(mariadb_database)
    writer.start()
    project.apply()
    project.abort("change", discard=True)
    project.apply()
    project.apply("contract", "change")
    writer.over.set()
    writer.join()
    assert writer.failures == []
    assert writer.done > 3
