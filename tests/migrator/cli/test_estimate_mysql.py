"""`plan --estimate` on MySQL and MariaDB: rows, bytes, the binary log, and the refusal where the disk is too small."""

from __future__ import annotations

import pytest

ROWS = 20_000
COUNT = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
SIZE = (
    "SELECT data_length + index_length FROM information_schema.tables"
    " WHERE table_schema = DATABASE() AND table_name = 'users'"
)


@pytest.fixture
def shop(mysql_database, project):
    mysql_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name varchar(60) NOT NULL, KEY users_full_name_idx (full_name))"
        " STATS_SAMPLE_PAGES=1000",
        f"INSERT INTO users {COUNT} SELECT a.i * 1000 + b.i, CONCAT('user number ', a.i, ' ', b.i)"
        " FROM n AS a JOIN n AS b",
        "INSERT INTO users SELECT id + 500, CONCAT('other', id) FROM users",
        "ANALYZE TABLE users",
    )
    project.url = mysql_database.url
    project.revision("rename", 'RenameColumn("users", "full_name", "name"), AddColumn("users", "age", "int")')
    return project


def steps(document):
    return {step["name"]: step["estimate"] for item in document["revisions"] for step in item["steps"]}


def size(database):
    with_fresh = database.connect()
    try:
        cursor = with_fresh.cursor()
        cursor.execute("/*!80000 SET SESSION information_schema_stats_expiry = 0 */")
        cursor.execute("ANALYZE TABLE users")
        cursor.fetchall()
        cursor.execute(SIZE)
        return cursor.fetchone()[0]
    finally:
        with_fresh.close()


def test_the_actual_growth_stays_within_what_was_estimated_and_a_small_disk_is_refused(shop, mysql_database):
    document = shop.json("plan", "--estimate", "--free-disk", "1TB")
    found = steps(document)
    fill = next(cost for name, cost in found.items() if name.startswith("backfill"))
    assert ROWS * 0.8 < fill["rows"] < ROWS * 1.2
    assert fill["source"] == "assumed"
    assert next(c for name, c in found.items() if name.startswith("build index"))["disk"] > 0
    assert [cost["source"] for name, cost in found.items() if name == "add users.age"] == [""]
    text = shop.cli("plan", "--estimate", "--free-disk", "1MB")
    assert "the disk has no room" in text.stderr
    before = size(mysql_database)
    refused = shop.cli("apply", "--yes", "--free-disk", "1MB")
    assert "the disk has no room" in refused.stderr
    shop.apply()
    assert size(mysql_database) - before <= document["estimate"]["needed"]
    shop.abort("rename", discard=True)
    again = steps(shop.json("plan", "--estimate", "--free-disk", "1TB"))
    assert next(c for n, c in again.items() if n.startswith("backfill"))["source"] == "measured on this database"
    logged = mysql_database.rows("SELECT @@log_bin") == [(1,)]
    assert (fill["wal"] > 0) == logged
