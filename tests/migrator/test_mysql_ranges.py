"""A batch on MySQL and MariaDB reads and locks the rows of its range, whatever the statistics of the table say."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace

import pytest

from migrator import api
from phases.model import Phase
from tests.plugins.waiting import until

ROWS = 4000
TABLE = (
    "CREATE TABLE users (id int PRIMARY KEY, title varchar(60)) STATS_PERSISTENT=1, STATS_AUTO_RECALC=0",
    "ANALYZE TABLE users",
    "INSERT INTO users WITH RECURSIVE ten AS (SELECT 0 AS i UNION ALL SELECT i + 1 FROM ten WHERE i < 9)"
    " SELECT 1000 * a.i + 100 * b.i + 10 * c.i + d.i, 'mr' FROM ten a, ten b, ten c, ten d WHERE a.i < 4",
)
COPY = (
    "SELECT table_name FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name LIKE '%migrator%copy%'"
)
SHAPES = {
    'RenameColumn("users", "title", "form")': "SELECT COUNT(form) FROM users",
    'SplitTable("users", ["title"], to="forms", key="user_id")': "SELECT COUNT(*) FROM forms",
    'RebuildTable("users", types={"title": "varchar(90)"})': "SELECT COUNT(*) FROM `{}`",
    'Backfill("users", {"title": "\'mrs\'"}, where="title = \'mr\'")': "SELECT COUNT(*) FROM users WHERE title = 'mrs'",
}


@pytest.mark.parametrize("operation", SHAPES, ids=[operation.split("(")[0] for operation in SHAPES])
def test_a_row_that_is_held_keeps_no_other_range_waiting_where_statistics_are_old(mysql_database, project, operation):
    mysql_database.run(*TABLE)
    project.url = mysql_database.url
    project.revision("change", operation)
    project.apply("expand")
    filled = SHAPES[operation].format(*(name for (name,) in mysql_database.rows(COPY)))
    with closing(mysql_database.connect(autocommit=False)) as holder, ThreadPoolExecutor() as pool:
        holder.cursor().execute(f"SELECT * FROM users WHERE id = {ROWS - 1} FOR UPDATE")
        migrated = pool.submit(api.apply, replace(project.settings, batch_target=0.0001), phase=Phase.MIGRATE)
        try:
            until(lambda: mysql_database.rows(filled)[0][0] >= ROWS / 2, seconds=10)
        finally:
            holder.rollback()
        migrated.result(60)
    assert mysql_database.rows(filled) == [(ROWS,)]
