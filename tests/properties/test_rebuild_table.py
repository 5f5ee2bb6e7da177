"""Whatever is written while rows are copied: the copy has no row that the table has not, and all that it can take."""

from __future__ import annotations

from contextlib import closing, suppress

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.database import connect
from migrator.introspection import read_catalog, volatility_reader
from migrator.planning import dialect_for, steps_of
from phases.dialects.mysql_backfill import MySQLKeyWalk
from phases.dialects.mysql_statements import SQL_MODE
from phases.model import Fill, Script
from phases.operations import RebuildTable
from tests.plugins.mysql_servers import fresh_mysql_database

EXAMPLES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TABLE = (
    "CREATE TABLE t (id int PRIMARY KEY, name varchar(5) COLLATE utf8mb4_bin, n int, UNIQUE KEY one (name))"
    " COLLATE utf8mb4_bin"
)
ROWS = "INSERT INTO t VALUES (1, 'a', 1), (2, 'b', 2), (3, NULL, NULL), (4, 'c ', 1), (5, 'B', 2)"
REBUILD = RebuildTable("t", collation="utf8mb4_general_ci", types={"n": "varchar(9)"}, up={"n": "concat('n', n)"},
    down={"n": "substr(n, 2) + 0"}, not_null=["n"], primary_key=["n", "id"])  # fmt: skip

keys = st.integers(1, 6)
names = st.sampled_from(["NULL", "'a'", "'A'", "'b'", "'B'", "'c '"])
numbers = st.sampled_from(["NULL", "1", "2"])
statements = st.one_of(
    st.builds("INSERT INTO t VALUES ({}, {}, {})".format, keys, names, numbers),
    st.builds("INSERT INTO t VALUES ({}, {}, {}) ON DUPLICATE KEY UPDATE n = {}".format, keys, names, numbers, numbers),
    st.builds("REPLACE INTO t VALUES ({}, {}, {})".format, keys, names, numbers),
    st.builds("UPDATE t SET name = {}, n = {} WHERE id = {}".format, names, numbers, keys),
    st.builds("UPDATE t SET n = {} WHERE id > {}".format, numbers, keys),
    st.builds("UPDATE t SET id = {} WHERE id = {}".format, keys, keys),
    st.builds("UPDATE t SET id = id + 1 WHERE id > {} ORDER BY id DESC".format, keys),
    st.builds("DELETE FROM t WHERE id = {}".format, keys),
    st.builds("DELETE FROM t WHERE id > {}".format, keys),
)
lives = st.lists(st.one_of(statements, keys), min_size=6, max_size=25)
"""Statements of applications, and keys up to which rows are copied."""


@pytest.fixture(scope="module")
def planned(mysql_fleet):
    """A database with the table, the statements that make its copy, and what copies rows."""
    with fresh_mysql_database(mysql_fleet, "mariadb") as database:
        database.run(TABLE)
        with connect(database.url, "test") as session, session.transaction() as connection:
            catalog = read_catalog(connection)
            dialect = dialect_for(session.server, volatility_reader(connection))
            steps = [step for _, step in steps_of([REBUILD], catalog, dialect)[0]]
        made = [sql for step in steps[:2] if isinstance(step, Script) for sql in step.statements]
        yield database, made, next(step for step in steps if isinstance(step, Fill))


@EXAMPLES
@given(life=lives)
def test_the_copy_has_what_it_can_take_of_the_table_and_nothing_else(planned, life):
    database, made, fill = planned
    walk, copy = MySQLKeyWalk(fill), fill.copy[-1]
    with closing(database.connect(sql_mode=SQL_MODE)) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {copy}, t")
        for sql in (TABLE, ROWS, *made):
            cursor.execute(sql)
        for each in [*life, 99]:
            if isinstance(each, int):
                for key in range(20):
                    if key <= each:
                        with suppress(pymysql.MySQLError):
                            cursor.execute(walk.again([str(key)]))
            else:
                with suppress(pymysql.IntegrityError):
                    cursor.execute(each)
        cursor.execute("SELECT id, name, CONCAT('n', n) FROM t")
        rows = set(cursor.fetchall())
        cursor.execute(f"SELECT id, name, n FROM {copy}")
        copied = set(cursor.fetchall())
    assert copied <= rows
    taken = {name.strip().lower() for _, name, _ in copied if name is not None}
    assert {row for row in rows - copied if row[2] is not None and (row[1] or "").strip().lower() not in taken} == set()
