"""What a small client of MariaDB or MySQL waits for its statements."""

from __future__ import annotations

import statistics
import threading
import time

import pymysql

from migrator.embedded_mysql import EmbeddedMySQL


class Foreground(threading.Thread):
    """A client that reads and writes single rows, and times each statement."""

    def __init__(self, server: EmbeddedMySQL, rows: int) -> None:
        super().__init__(daemon=True)
        self.server, self.rows = server, rows
        self.waits_ms: list[float] = []
        self.failures: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        with self.server.connect(database="shop") as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 3600")  # it has to outwait the big UPDATE
            number = 0
            while not self.stopping.is_set():
                number = (number + 7919) % self.rows
                for sql in (
                    "SELECT email FROM users WHERE id = %s",
                    "UPDATE users SET visits = visits + 1 WHERE id = %s",
                ):
                    begun = time.perf_counter()
                    try:
                        cursor.execute(sql, [number + 1])
                    except pymysql.MySQLError as problem:
                        self.failures.append(str(problem))
                    self.waits_ms.append((time.perf_counter() - begun) * 1000)
                time.sleep(0.002)

    def taken(self) -> list[float]:
        """The waits so far, forgotten here."""
        waits, self.waits_ms = self.waits_ms, []
        return waits

    def stop(self) -> None:
        self.stopping.set()
        self.join()


def p99(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=100)[98]
