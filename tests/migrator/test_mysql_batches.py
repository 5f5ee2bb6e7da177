"""Batches on MySQL and MariaDB wait for no row, and what others hold is left for later."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import replace

import pymysql
import pytest

from migrator import api
from migrator.errors import LockNotAvailable

FILL = 'Backfill("users", {"amount": "n + 1"}, where="amount IS NULL")'
ROWS = (
    "INSERT INTO users (id, n) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)"
    " SELECT i, i FROM n"
)


@pytest.fixture
def shop(mysql_database, project):
    mysql_database.run("CREATE TABLE users (id int PRIMARY KEY, n int, amount int)", ROWS)
    project.url = mysql_database.url
    project.revision("change", FILL)
    return project


def left(database):
    return [row[0] for row in database.rows("SELECT id FROM users WHERE amount IS NULL ORDER BY id")]


def test_rows_that_a_transaction_holds_keep_no_others_waiting(shop, mysql_database):
    impatient = replace(shop.settings, lock_give_up=0.1)
    with closing(mysql_database.connect()) as idle, idle.cursor() as cursor:
        idle.begin()
        cursor.execute("SELECT id FROM users WHERE id IN (400, 401, 402) FOR UPDATE")
        with pytest.raises(LockNotAvailable):
            api.apply(impatient)
        assert left(mysql_database) == [400, 401, 402]
    api.apply(impatient)
    assert left(mysql_database) == []


class Adverse(threading.Thread):
    """Writes rows from the last to the first, several in one transaction: the other way round than a backfill."""

    def __init__(self, database, remainder):
        super().__init__()
        self.database, self.remainder = database, remainder
        self.over, self.rounds, self.failed = threading.Event(), 0, []

    def run(self):
        with closing(self.database.connect()) as connection, connection.cursor() as cursor:
            while not self.over.is_set():
                connection.begin()
                try:
                    for row in range(1000 - self.remainder, 0, -50):
                        cursor.execute("UPDATE users SET n = n + 1 WHERE id = %s", [row])
                    connection.commit()
                except pymysql.err.OperationalError as problem:
                    connection.rollback()
                    self.failed.append(problem.args[0])
                self.rounds += 1
                time.sleep(0.005)


def test_writers_in_the_other_order_meet_no_deadlock(shop, mysql_database):
    writers = [Adverse(mysql_database, remainder) for remainder in (0, 1)]
    for writer in writers:
        writer.start()
    try:
        api.apply(shop.settings)
    finally:
        for writer in writers:
            writer.over.set()
            writer.join()
    assert left(mysql_database) == []
    assert [writer.failed for writer in writers] == [[], []]
    assert min(writer.rounds for writer in writers) > 0
