"""A small client of MariaDB or MySQL."""

from __future__ import annotations

import pymysql

from benchmarks.foreground import Foreground
from migrator.embedded_mysql import EmbeddedMySQL

STATEMENTS = ("SELECT email FROM users WHERE id = %s", "UPDATE users SET visits = visits + 1 WHERE id = %s")


class MySQLForeground(Foreground):
    """Reads and writes single rows."""

    def __init__(self, server: EmbeddedMySQL, rows: int) -> None:
        super().__init__(rows)
        self.server = server

    def run(self) -> None:
        with self.server.connect(database="shop") as connection, connection.cursor() as cursor:
            cursor.execute("SET SESSION innodb_lock_wait_timeout = 3600")  # it has to outwait the big UPDATE
            self.go(cursor.execute, STATEMENTS, (pymysql.MySQLError,))
