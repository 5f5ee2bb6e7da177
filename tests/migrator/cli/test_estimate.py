"""`plan --estimate` on real tables: figures, where they come from, and the refusal where the disk is too small."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.in_turn

ROWS = 20_000


@pytest.fixture
def shop(any_database, project):
    any_database.run(
        "CREATE TABLE users (id int PRIMARY KEY, full_name text NOT NULL) WITH (autovacuum_enabled = off)",
        f"INSERT INTO users SELECT i, 'user number ' || i FROM generate_series(1, {ROWS}) i",
        "CREATE INDEX users_full_name_idx ON users (full_name)",
        "ANALYZE users",
    )
    project.url = any_database.url
    project.revision("rename", 'RenameColumn("users", "full_name", "name")')
    return project


def steps(document: dict) -> dict[str, dict]:
    return {step["name"]: step["estimate"] for item in document["revisions"] for step in item["steps"]}


def test_every_step_has_rows_bytes_duration_log_and_disk(shop, any_database):
    document = shop.json("plan", "--estimate", "--free-disk", "1TB")
    found = steps(document)
    for cost in found.values():
        assert {"rows", "bytes", "seconds", "wal", "disk", "temporary", "source", "analysed"} <= set(cost)
        assert min(cost["rows"], cost["bytes"], cost["seconds"], cost["wal"], cost["disk"]) >= 0
    heap, index = any_database.rows("SELECT pg_relation_size('users'), pg_relation_size('users_full_name_idx')")[0]
    fill = next(cost for name, cost in found.items() if name.startswith("backfill"))
    assert (fill["rows"], fill["bytes"], fill["source"]) == (ROWS, heap, "assumed")
    build = next(cost for name, cost in found.items() if name.startswith("build index"))
    assert index / 2 < build["disk"] < index * 2
    assert document["estimate"]["needed"] >= document["estimate"]["disk"] > 0
    text = shop.cli("plan", "--estimate", "--free-disk", "1TB").stdout
    assert f"cost: {ROWS} rows" in text
    assert "(assumed)" in text
    assert "Free: 1.0 TB (--free-disk)" in text


def test_the_actual_growth_stays_within_what_was_estimated(shop, any_database):
    total = "SELECT pg_total_relation_size('users')"
    before = any_database.rows(total)[0][0]
    estimated = shop.json("plan", "--estimate", "--free-disk", "1TB")["estimate"]["needed"]
    shop.apply()
    assert any_database.rows(total)[0][0] - before <= estimated


def test_earlier_runs_are_the_rates_of_later_ones(shop):
    shop.apply()
    shop.abort("rename")
    found = steps(shop.json("plan", "--estimate", "--free-disk", "1TB"))
    sources = {name.split()[0]: cost["source"] for name, cost in found.items() if cost["source"]}
    assert sources["backfill"] == "measured on this database"
    assert sources["build"] == "measured on this database"


def test_a_table_that_was_never_analysed_is_said_to_be_unknown(shop, any_database):
    any_database.run(
        "CREATE TABLE pets (id int PRIMARY KEY, name text) WITH (autovacuum_enabled = off)",
        "INSERT INTO pets SELECT i, 'x' FROM generate_series(1, 5000) i",
    )
    shop.revision("pets", 'RenameColumn("pets", "name", "called")')
    text = shop.cli("plan", "--estimate", "--free-disk", "1TB").stdout
    assert "rows unknown, run ANALYZE" in text
    assert 'ANALYZE "public"."pets"' in text
    document = shop.json("plan", "--estimate", "--free-disk", "1TB")
    assert document["estimate"]["never_analysed"] == ["public.pets"]


def test_too_little_disk_is_refused_with_what_is_needed_and_nothing_done(shop, any_database):
    before = any_database.dump()
    done = shop.cli("plan", "--estimate", "--free-disk", "100kB")
    assert done.returncode == 2
    assert "the disk has no room for this" in done.stderr
    assert "100 kB are free (--free-disk)" in done.stderr
    error = shop.json("plan", "--estimate", "--free-disk", "100kB")["error"]
    assert error["facts"]["needed"] > error["facts"]["free"] == 100 * 1024
    assert shop.cli("apply", "--yes", "--free-disk", "100kB").returncode == 2
    assert any_database.dump() == before
    settings = shop.folder / "pyproject.toml"
    settings.write_text(settings.read_text().replace("[tool.migrator]\n", '[tool.migrator]\nfree_disk = "100kB"\n'))
    refused = shop.cli("apply", "--yes")
    assert refused.returncode == 2
    assert "pyproject.toml:2" in refused.stderr
    assert shop.cli("apply", "--yes", "--free-disk", "10GB").returncode == 0


def test_the_disk_of_a_server_on_this_machine_is_looked_at(shop, any_database):
    if any_database.server.embedded is None:
        pytest.skip("the server is not one of this machine")
    found = shop.json("plan", "--estimate")["estimate"]
    folder = any_database.rows("SHOW data_directory")[0][0]
    assert found["free_source"] == f"the disk of {folder}"
    assert found["free"] > 0


def test_sizes_that_are_none_are_refused(shop):
    done = shop.cli("plan", "--estimate", "--free-disk", "much")
    assert done.returncode == 2
    assert "--free-disk: free_disk: 'much' is not a size" in done.stderr
    assert shop.cli("plan", "--free-disk", "1GB").returncode == 2


def test_an_estimate_writes_nothing(shop, any_database):
    before = any_database.dump()
    assert shop.cli("plan", "--estimate").returncode in (0, 2)
    assert any_database.dump() == before
    assert any_database.rows("SELECT to_regclass('migrator.events')") == [(None,)]
