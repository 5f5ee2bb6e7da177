"""A database tells the linter what there is; nothing in it changes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from migrator.linting.facts import read

SCHEMA = (
    "CREATE TYPE mood AS ENUM ('sad')",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v varchar(20) DEFAULT 'x', m mood,"
    ' n int CONSTRAINT there CHECK (n IS NOT NULL), p positive, "Odd name" text COLLATE "C")',
    "CREATE TABLE orders (id serial PRIMARY KEY, user_id bigint NOT NULL REFERENCES users)",
    "CREATE INDEX orders_user ON orders (user_id) WHERE user_id > 1",
    "CREATE TABLE events (at date) PARTITION BY RANGE (at)",
    "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "CREATE VIEW names AS SELECT v FROM users",
    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER g BEFORE UPDATE OF m ON users FOR EACH ROW EXECUTE FUNCTION f()",
    "CREATE POLICY own ON users USING (p > 0)",
    "ALTER DATABASE {name} SET timezone = 'UTC'",
)


def lint(folder, script, *options):
    (folder / "a.sql").write_text(script)
    words = [sys.executable, "-m", "migrator", "lint", "a.sql", "--format", "json", *options]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60)
    return done, {(each["line"], each["rule"], each["severity"]) for each in json.loads(done.stdout)["findings"]}


@pytest.mark.in_turn
def test_the_schema_of_a_database_makes_verdicts_exact(any_database, tmp_path):
    database = any_database
    database.run(*(statement.replace("{name}", f'"{database.name}"') for statement in SCHEMA))
    before = database.dump()
    script = (
        'ALTER TABLE users ALTER "Odd name" TYPE varchar;\n'
        "ALTER TABLE users ALTER v TYPE varchar(40);\n"
        "CREATE INDEX CONCURRENTLY events_at ON events (at);\n"
        "CREATE INDEX i ON orders (user_id);\n"
    )
    done, found = lint(tmp_path, script, "--database-url", database.url)
    assert done.returncode == 1
    assert {line for line, _, _ in found} == {2, 3, 4}
    assert (2, "statement-fails", "error") in found
    # Orders is small: building an index on it is a matter of a moment, but still said.
    assert (4, "index-blocks-writes", "warning") in found
    assert (4, "index-blocks-writes", "error") in lint(tmp_path, script)[1]
    assert database.dump() == before


@pytest.mark.in_turn
def test_what_is_read_of_a_database_is_sql_that_makes_it_again(any_database):
    database = any_database
    database.run(*(statement.replace("{name}", f'"{database.name}"') for statement in SCHEMA))
    facts = read(database.url)
    before = database.dump()
    database.run("DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    database.run(facts.script)
    made = {line for line in database.dump().splitlines() if line.startswith(("CREATE", "    ADD CONSTRAINT"))}
    expected = {line for line in before.splitlines() if line.startswith(("CREATE", "    ADD CONSTRAINT"))}
    left_out = {line for line in expected - made if "SCHEMA" not in line}
    assert left_out == set()
    assert facts.timezone == "UTC"
